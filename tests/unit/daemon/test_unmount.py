"""Ending a mount: who holds it, and what is said when it cannot be ended."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.daemon import mounts, unmount
from mountnd.errors import MountError
from tests.support.children import stop

from .conftest import Place
from .small_mount import CONTENT


@contextlib.contextmanager
def holder(code: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that holds `path` in some way."""
    code = f"import mmap, os, sys\n{code}\nprint(1, flush=True)\nsys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/"
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        yield process
    finally:
        process.kill()
        process.communicate()


HOLDS = [
    ("os.chdir(os.path.dirname(sys.argv[1]))", "working directory"),
    ("f = open(sys.argv[1])", "open file"),
    ("f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); f.close()", "mapped file"),
]


@pytest.mark.parametrize(("code", "how"), HOLDS)
def test_holders_are_found_by_how_they_hold(code, how, tmp_path):
    # Also with a name that /proc writes in its own way.
    inside = tmp_path.resolve() / "a\nb c"
    inside.mkdir()
    (inside / "file").write_bytes(b"x" * mmap.PAGESIZE)
    if how == "mapped file":
        code = code.replace("f.close()", "f.close(); m[0]; m.madvise(mmap.MADV_NORMAL)")
    with holder(code, inside / "file") as process:
        found = [h for h in unmount.holders(inside) if h.pid == process.pid]
        assert [h.how for h in found] == [how] or (how == "mapped file" and found[0].how == "open file")
        assert found[0].name.startswith("python")
        assert not [h for h in unmount.holders(tmp_path / "a") if h.pid == process.pid]
    assert not [h for h in unmount.holders(inside) if h.pid == process.pid]


def test_this_process_is_no_holder(tmp_path):
    with (tmp_path / "file").open("w"):
        assert not [h for h in unmount.holders(tmp_path) if h.pid == os.getpid()]


def test_what_is_not_mounted(tmp_path):
    with pytest.raises(MountError, match="is not mounted"):
        unmount.unmount(tmp_path)
    with pytest.raises(MountError, match="is not mounted"):
        unmount.unmount(tmp_path / "none")


def test_a_mount_of_something_else():
    with pytest.raises(MountError, match="/proc is a mount of type proc"):
        unmount.unmount(Path("/proc"))


@pytest.mark.kernel
class TestMounted:
    @pytest.fixture(autouse=True)
    def _at_home(self, monkeypatch):
        monkeypatch.chdir("/")

    def test_it_goes_and_so_does_its_daemon(self, place: Place):
        assert place.run("ok")[0] == 0
        daemon = place.daemon()
        assert unmount.unmount(place.path) == ""
        assert not daemon.alive()
        assert not place.mounted
        assert place.record is None
        assert not place.path.exists()

    def test_a_directory_inside_it_is_not_the_mount(self, place: Place):
        assert place.run("ok")[0] == 0
        with pytest.raises(MountError, match=f"it lies inside the mount {place.path}"):
            unmount.unmount(place.path / "below")

    def test_busy_names_the_holders_and_lazy_does_it_all_the_same(self, place: Place):
        assert place.run("ok")[0] == 0
        daemon = place.daemon()
        with holder("f = open(sys.argv[1])", place.path / "file") as process:
            with pytest.raises(MountError, match=rf"is busy: python[^ ]* \(pid {process.pid}, open file\)"):
                unmount.unmount(place.path)
            assert (place.path / "file").read_bytes() == CONTENT
            said = unmount.unmount(place.path, lazy=True)
            assert f"its daemon (pid {daemon.pid}) ends when they close them" in said
            assert not place.mounted
            assert not place.path.exists()
            assert daemon.alive()
        assert unmount.wait_gone(daemon, 20)

    def test_another_mount_may_follow_a_lazy_unmount_at_once(self, place: Place):
        assert place.run("ok")[0] == 0
        first = place.daemon()
        with holder("f = open(sys.argv[1])", place.path / "file"):
            unmount.unmount(place.path, lazy=True)
            assert place.run("ok")[0] == 0
            second = place.daemon()
            assert second.pid != first.pid
        assert unmount.wait_gone(first, 20)
        assert place.record == second
        assert (place.path / "file").read_bytes() == CONTENT

    @pytest.mark.parametrize("lazy", [False, True])
    def test_a_stale_one(self, place: Place, lazy):
        assert place.run("ok")[0] == 0
        daemon = place.daemon()
        os.kill(daemon.pid, signal.SIGKILL)
        assert unmount.wait_gone(daemon, 20)
        assert unmount.unmount(place.path, lazy=lazy) == ""
        assert not place.mounted
        assert place.record is None
        assert not place.path.exists()

    def test_one_that_hangs(self, place: Place):
        """Nothing on the way asks the file system: the daemon is stopped and would not answer."""
        assert place.run("ok")[0] == 0
        daemon = place.daemon()
        stop(daemon.pid)
        try:
            code = "import sys; from pathlib import Path; from mountnd.daemon.unmount import unmount; "
            code += "print(unmount(Path(sys.argv[1]), lazy=True))"
            args = [sys.executable, "-c", code, str(place.path)]
            root = Path(__file__).parents[3]
            done = subprocess.run(args, capture_output=True, text=True, timeout=20, check=True, cwd=root)
            assert (
                f"{place.path} is unmounted. Its daemon (pid {daemon.pid}) was stopped and was killed." in done.stdout
            )
            assert mounts.mount_at(place.path) is None
            assert not daemon.alive()
        finally:
            if daemon.alive():
                os.kill(daemon.pid, signal.SIGKILL)
