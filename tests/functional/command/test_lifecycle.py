"""From the command line to the mount and back, as a person does it: background, signals, errors, healing."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mountnd.daemon import mounts
from mountnd.daemon.unmount import wait_gone
from mountnd.serve import KERNEL_TTL_S
from tests.support import cli, tree
from tests.support.children import read_until, stop
from tests.support.cli import daemon_record, is_mounted, run_mountnd
from tests.support.proxy import Proxy

pytestmark = pytest.mark.kernel

KEY = "ds000001/dataset_description.json"
BODY = b'{"Name": "Balloon analog risk-taking task"}\n'
GONE_S = 60.0


@pytest.fixture(scope="module")
def openneuro(server: str) -> str:
    """A local server that holds a bucket named as OpenNeuro's; gives its URL."""
    bucket = tree.Bucket(server, "openneuro.org")
    bucket.put(KEY, BODY)
    bucket.put("ds000001/sub-01/anat/sub-01_T1w.nii", tree.content("t1w", 1 << 20))
    return server


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "openneuro") as path:
        yield path


def left_behind(path: Path) -> list[str]:
    """What a mount leaves that it should not."""
    found = ["mount"] if is_mounted(path) else []
    found += ["directory"] if os.path.lexists(path) else []
    return found + (["record"] if cli.rundir.find(path) else [])


def by_umount(path: Path) -> None:
    done = run_mountnd("umount", path)
    assert (done.returncode, done.stderr) == (0, "")


def by_fusermount(path: Path) -> None:
    subprocess.run(["fusermount3", "-u", str(path)], check=True)


def by_sigterm(path: Path) -> None:
    os.kill(daemon_record(path).pid, signal.SIGTERM)


def by_sigint(path: Path) -> None:
    os.kill(daemon_record(path).pid, signal.SIGINT)


def by_sighup(path: Path) -> None:
    os.kill(daemon_record(path).pid, signal.SIGHUP)


@pytest.mark.parametrize("end", [by_umount, by_fusermount, by_sigterm, by_sigint, by_sighup])
def test_a_preset_in_the_background_and_its_end(openneuro: str, where: Path, end: Callable[[Path], None]) -> None:
    done = run_mountnd("openneuro", where, "--endpoint-url", openneuro)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (where / KEY).read_bytes() == BODY
    record = daemon_record(where)
    assert os.getsid(record.pid) == record.pid
    end(where)
    assert wait_gone(record, GONE_S)
    assert left_behind(where) == []


def test_a_preset_is_chosen_by_the_mountpoints_name(openneuro: str, where: Path) -> None:
    done = run_mountnd(where, "--endpoint-url", openneuro)
    assert done.returncode == 0, done.stderr
    assert os.listdir(where) == ["ds000001"]


def test_a_relative_mountpoint_and_a_link_to_it(openneuro: str, where: Path) -> None:
    done = run_mountnd("./openneuro", "--endpoint-url", openneuro, cwd=where.parent)
    assert done.returncode == 0, done.stderr
    link = where.parent / "link"
    link.symlink_to("openneuro")
    done = run_mountnd("umount", "link", cwd=where.parent)
    assert done.returncode == 0, done.stderr
    assert left_behind(where) == []


def test_foreground_until_ctrl_c(openneuro: str, where: Path) -> None:
    process = subprocess.Popen(
        [*["env", "--default-signal=INT"], *cli.MOUNTND, "openneuro", where, "-f", "--endpoint-url", openneuro],
        env=cli.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        read_until("Ctrl-C unmounts it", process, process.stderr, cli.COMMAND_S)
        assert (where / KEY).read_bytes() == BODY
        process.send_signal(signal.SIGINT)
        assert process.wait(GONE_S) == 0
    finally:
        process.kill()
        process.communicate()
    assert left_behind(where) == []


def test_ctrl_c_while_busy_names_the_programs_and_a_second_one_detaches(openneuro: str, where: Path) -> None:
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *cli.MOUNTND, "openneuro", where, "-f", "--endpoint-url", openneuro],
        env=cli.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        read_until("Ctrl-C unmounts it", process, process.stderr, cli.COMMAND_S)
        held = os.open(where / KEY, os.O_RDONLY)
        try:
            process.send_signal(signal.SIGINT)
            read_until(f"(pid {os.getpid()}, open file)", process, process.stderr, cli.COMMAND_S)
            assert is_mounted(where)
            assert os.pread(held, 1000, 0) == BODY
            process.send_signal(signal.SIGINT)
            assert process.wait(GONE_S) == 0
        finally:
            with contextlib.suppress(OSError):  # its file system is gone
                os.close(held)
    finally:
        process.kill()
        process.communicate()
    assert left_behind(where) == []


def test_a_signal_while_a_program_has_a_file_open(openneuro: str, where: Path) -> None:
    """The tree goes at once, the daemon some seconds later, and it still cleans up behind itself."""
    assert run_mountnd("openneuro", where, "--endpoint-url", openneuro).returncode == 0
    record = daemon_record(where)
    fd = os.open(where / KEY, os.O_RDONLY)
    try:
        assert os.pread(fd, 1, 0) == BODY[:1]
        os.kill(record.pid, signal.SIGTERM)
        assert wait_gone(record, GONE_S)
        assert left_behind(where) == []
    finally:
        with contextlib.suppress(OSError):  # its file system is gone
            os.close(fd)


def test_busy_names_the_holder_and_lazy_unmounts(openneuro: str, where: Path) -> None:
    assert run_mountnd("openneuro", where, "--endpoint-url", openneuro).returncode == 0
    record = daemon_record(where)
    holder = subprocess.Popen(["sleep", "600"], cwd=where / "ds000001")
    try:
        done = run_mountnd("umount", where)
        assert done.returncode == 1
        assert f"sleep (pid {holder.pid}, working directory)" in done.stderr
        assert (where / KEY).read_bytes() == BODY
        done = run_mountnd("umount", "--lazy", where)
        assert done.returncode == 0
        assert not is_mounted(where)
    finally:
        holder.kill()
        holder.wait()
    assert wait_gone(record, GONE_S)
    assert left_behind(where) == []


def test_umount_of_what_is_not_mounted(where: Path) -> None:
    done = run_mountnd("umount", where)
    assert done.returncode == 1
    assert done.stderr == f"mountnd: {where} is not mounted.\n"


def test_mounting_twice_is_refused(openneuro: str, where: Path) -> None:
    assert run_mountnd("openneuro", where, "--endpoint-url", openneuro).returncode == 0
    done = run_mountnd("openneuro", where, "--endpoint-url", openneuro)
    assert done.returncode == 1
    assert "mounted already" in done.stderr.splitlines()[-1]
    assert (where / KEY).read_bytes() == BODY


def test_a_killed_mount_is_replaced(openneuro: str, where: Path) -> None:
    assert run_mountnd("openneuro", where, "--endpoint-url", openneuro).returncode == 0
    record = daemon_record(where)
    os.kill(record.pid, signal.SIGKILL)
    assert wait_gone(record, GONE_S)
    with pytest.raises(OSError) as dead:
        os.statvfs(where)
    # The second is said once, by a kernel that is just giving the connection up.
    assert dead.value.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    done = run_mountnd("openneuro", where, "--endpoint-url", openneuro)
    assert done.returncode == 0, done.stderr
    assert "left behind by a mountnd that died" in done.stderr
    assert (where / KEY).read_bytes() == BODY
    by_umount(where)
    assert left_behind(where) == []


def test_a_mountpoint_that_is_not_empty_is_refused(openneuro: str, where: Path) -> None:
    where.mkdir()
    (where / "thesis.tex").write_text("x")
    done = run_mountnd("openneuro", where, "--endpoint-url", openneuro)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert not is_mounted(where)
    assert (where / "thesis.tex").read_text() == "x"


@pytest.mark.root
def test_root_is_told_that_others_cannot_see_it(openneuro: str, where: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root")
    done = run_mountnd("openneuro", where, "--endpoint-url", openneuro)
    assert "no other user will see the files" in done.stderr
    by_umount(where)
    done = run_mountnd("openneuro", where, "--endpoint-url", openneuro, "--allow-other")
    assert done.returncode == 0
    assert "no other user" not in done.stderr


REFUSALS = {
    "no such bucket": ("404", "NoSuchBucket", "no such bucket"),
    "forbidden": ("403", "AccessDenied", "denied"),
    "wrong region": ("301", "PermanentRedirect", "region"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_final_and_told_in_one_line(openneuro: str, proxy: Proxy, where: Path, name: str) -> None:
    status, code, word = REFUSALS[name]
    proxy.rule("status", status=int(status), code=code)
    done = run_mountnd("s3://bucket", where, "--endpoint-url", proxy.url, "--region", "us-east-1", "--anonymous")
    assert done.returncode == 1
    assert word in done.stderr.splitlines()[-1].lower()
    # Final: asked once, or a second time for its precise reason; never again and again.
    assert 1 <= len(proxy.requests()) <= 3
    assert left_behind(where) == []


def test_a_refused_connection(proxy: Proxy, where: Path) -> None:
    proxy.down()
    done = run_mountnd("s3://bucket", where, "--endpoint-url", proxy.url, "--region", "us-east-1", "--anonymous")
    assert done.returncode == 1
    assert "s3://bucket" in done.stderr.splitlines()[-1]
    assert left_behind(where) == []


def test_a_server_that_never_answers(proxy: Proxy, where: Path) -> None:
    """The parent waits 20 s and no longer; nothing is left."""
    proxy.rule("hold")
    start = time.monotonic()
    done = run_mountnd("s3://bucket", where, "--endpoint-url", proxy.url, "--region", "us-east-1", "--anonymous")
    assert done.returncode == 1
    assert time.monotonic() - start < 40  # 20 s of waiting, the start of two processes, and a busy machine
    assert left_behind(where) == []


def test_log_file_and_one_that_cannot_be_written(openneuro: str, where: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = run_mountnd("openneuro", where, "--endpoint-url", openneuro, "--log-file", log, "--debug")
    assert done.returncode == 0, done.stderr
    by_umount(where)
    assert "DEBUG" in log.read_text()
    done = run_mountnd("openneuro", where, "--endpoint-url", openneuro, "--log-file", tmp_path / "none" / "log")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert left_behind(where) == []


def test_a_stopped_daemon_does_not_stop_umount(openneuro: str, where: Path) -> None:
    assert run_mountnd("openneuro", where, "--endpoint-url", openneuro).returncode == 0
    record = daemon_record(where)
    time.sleep(KERNEL_TTL_S + 0.5)  # until then the kernel answers a stat of the mountpoint by itself
    stop(record.pid)
    try:
        done = run_mountnd("umount", "--lazy", where)
        assert done.returncode == 0, done.stderr
        assert mounts.mount_at(where) is None
    finally:
        os.kill(record.pid, signal.SIGCONT)
    assert wait_gone(record, GONE_S)
