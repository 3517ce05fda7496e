"""A mount's life, through the kernel, with a small file system in place of the real one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mountnd.daemon import mounts, rundir
from mountnd.daemon.unmount import wait_gone
from tests.support.children import stop

from .conftest import Place
from .small_mount import CONTENT

pytestmark = pytest.mark.kernel


def _gone(place: Place) -> bool:
    """Nothing is left: mount, record, directory."""
    return not place.mounted and place.record is None and not os.path.lexists(place.path)


def _wait_mounted(place: Place) -> None:
    end = time.monotonic() + 20
    while not place.mounted:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_returns_when_the_tree_answers_and_cleans_up_after_fusermount(place):
    code, said = place.run("ok")
    assert code == 0, said
    assert "read unsigned" in said
    assert "not for the terminal" not in said
    assert (place.path / "file").read_bytes() == CONTENT
    daemon = place.daemon()
    assert daemon.alive()
    assert daemon.made
    assert "not for the terminal" in Path(daemon.log).read_text()
    assert Path(daemon.log).parent == place.runtime / "mountnd"
    subprocess.run(["fusermount3", "-u", str(place.path)], check=True)
    assert wait_gone(daemon, 20)
    assert _gone(place)


def test_the_daemon_is_a_session_of_its_own_and_holds_nothing(place, tmp_path):
    log = tmp_path / "log"
    with (tmp_path / "held").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        process = subprocess.Popen(
            place_command(place, str(log)), close_fds=False, cwd=place.path.parent, stderr=subprocess.DEVNULL
        )
        assert process.wait(40) == 0
    proc = Path(f"/proc/{place.daemon().pid}")
    assert os.getsid(place.daemon().pid) == place.daemon().pid
    assert os.readlink(proc / "cwd") == "/"
    targets = {fd.name: os.readlink(fd) for fd in (proc / "fd").iterdir()}
    assert targets.pop("0") == "/dev/null"
    assert targets.pop("1") == targets.pop("2") == str(log)
    assert str(tmp_path / "held") not in targets.values()
    assert not any(target.startswith("pipe:") for target in targets.values())


def place_command(place: Place, *rest: str) -> list[str]:
    import sys

    root = str(Path(__file__).parents[3])
    code = f"import sys; sys.path.insert(0, {root!r}); from tests.unit.daemon.small_mount import main; "
    return [sys.executable, "-c", code + "sys.exit(main(*sys.argv[1:]))", "ok", str(place.path), *rest]


def test_sigterm_ends_it(place):
    assert place.run("ok")[0] == 0
    daemon = place.daemon()
    os.kill(daemon.pid, signal.SIGTERM)
    assert wait_gone(daemon, 20)
    assert _gone(place)


def test_a_directory_that_was_there_stays(place):
    place.path.mkdir()
    assert place.run("ok")[0] == 0
    daemon = place.daemon()
    os.kill(daemon.pid, signal.SIGTERM)
    assert wait_gone(daemon, 20)
    assert place.path.is_dir()
    assert place.record is None


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("refuse", "mountnd: s3://nowhere: no such bucket."),
        ("crash", "mountnd: internal error: ZeroDivisionError: unheard of (small_mount.py:"),
        ("die", "mountnd: The daemon ended before the mount was ready; its log is "),
        ("hang", "mountnd: The mount was not ready within"),
        ("late", "mountnd: The mount was not ready within"),
    ],
)
def test_a_failure_is_told_in_one_line_and_leaves_nothing(place, how, line):
    code, said = place.run(how)
    assert code == 1
    errors = [text for text in said.splitlines() if not text.startswith("read unsigned")]
    assert len([text for text in errors if text.startswith(line)]) == 1, said
    assert how == "crash" or len(errors) == 1, said
    assert _gone(place)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_command_told_to_end_takes_back_what_it_began(place, number):
    process = place.start("hang", "long")
    daemon = await_record(place)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == (-number if number == signal.SIGINT else 128 + number)
    assert wait_gone(daemon, 20)
    assert _gone(place)


def test_a_daemon_whose_parent_was_killed_unmounts(place):
    process = place.start("slow")
    daemon = await_record(place)
    process.kill()
    process.communicate()
    (place.runtime / "go").touch()
    assert wait_gone(daemon, 20)
    assert _gone(place)


def await_record(place: Place) -> rundir.Record:
    end = time.monotonic() + 20
    while (record := place.record) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return record


def test_what_libraries_print_before_a_failure_is_shown(place):
    code, said = place.run("noise")
    assert code == 1
    assert "fusermount3: not today\n" in said


def test_in_front(place):
    process = place.start("ok", "foreground")
    _wait_mounted(place)
    assert (place.path / "file").read_bytes() == CONTENT
    assert place.daemon().pid == process.pid
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "is mounted; Ctrl-C unmounts it." in err
    assert _gone(place)


def test_mounted_already(place):
    assert place.run("ok")[0] == 0
    code, said = place.run("ok")
    assert code == 1
    assert f"{place.path} is mounted already (memory://small, process {place.daemon().pid})" in said
    assert f"mountnd umount {place.path}" in said
    assert (place.path / "file").read_bytes() == CONTENT


def test_of_two_at_once_one_wins(place):
    place.path.mkdir()
    both = [place.start("ok"), place.start("ok")]
    said = [process.communicate(timeout=40)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], said
    assert (place.path / "file").read_bytes() == CONTENT
    assert place.daemon().alive()


def test_a_stale_mount_of_ours_is_healed_and_its_directory_goes_with_the_next(place):
    assert place.run("ok")[0] == 0
    first = place.daemon()
    os.kill(first.pid, signal.SIGKILL)
    assert wait_gone(first, 20)
    assert place.mounted
    code, said = place.run("ok")
    assert code == 0, said
    assert f"{place.path} was left behind by a mountnd that died" in said
    assert (place.path / "file").read_bytes() == CONTENT
    second = place.daemon()
    assert second.pid != first.pid
    os.kill(second.pid, signal.SIGTERM)
    assert wait_gone(second, 20)
    assert _gone(place)


def test_a_daemon_that_hangs_is_not_waited_for(place):
    assert place.run("ok")[0] == 0
    daemon = place.daemon()
    stop(daemon.pid)
    try:
        code, said = place.run("ok")
        assert code == 1
        assert "is mounted already" in said
        next(iter((place.runtime / "mountnd").glob("*.json"))).unlink()
        code, said = place.run("ok")
        assert code == 1
        assert f"does not answer. End it with: mountnd umount --lazy {place.path}" in said
    finally:
        os.kill(daemon.pid, signal.SIGKILL)


def test_a_dead_mount_of_another_program_is_left_alone(place, tmp_path):
    """The same type of death, but neither our type nor our record."""
    program = (
        "import sys, os; os.environ['FUSE_LIBRARY_NAME'] = 'fuse3'; import mfusepy; "
        "mfusepy.FUSE(mfusepy.Operations(), sys.argv[1], foreground=True, nothreads=True, subtype='other')"
    )
    import sys

    place.path.mkdir()
    other = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, str(place.path)], stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 20
        while mounts.mount_at(place.path) is None:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        other.kill()
        other.wait()
    code, said = place.run("ok")
    assert code == 1
    assert "dead mount" in said
    assert "not mountnd's" in said
    assert "umount -l" in said
    assert mounts.mount_at(place.path) is not None
