"""Limits of processes, threads and descriptors: said at a start, recovered from, and no mount is left dead."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.cli import daemon_record, is_mounted, run_mountnd
from tests.support.waiting import holds_within, wait_until

from .user_machine import UserMachine

pytestmark = [pytest.mark.kernel]
as_user = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become an ordinary user, whom alone such limits bind"),
]

OBJECTS = {f"d/f{i}": tree.content(f"limits {i}", 70_000) for i in range(8)}


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    tree.Bucket(server, "limits").put_all(OBJECTS)
    return ["s3://limits", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


def daemon_pid(user: UserMachine, where: Path) -> str:
    """The daemon of a mount, as its machine numbers it."""
    return user.run("pgrep", "-f", f"mountnd .*{where}").out.split()[-1]


def assert_ended(user: UserMachine, where: Path, pid: str) -> None:
    """The daemon is gone, and so is its mount."""
    ended = lambda: user.run("ps", "-o", "stat=", "-p", pid).out.strip()[:1] in ("", "Z")  # noqa: E731
    assert holds_within(ended), "the daemon goes on"
    assert holds_within(lambda: user.run("grep", "-F", f" {where} ", "/proc/self/mountinfo").out == ""), "a dead mount"


class TestStart:
    pytestmark = as_user

    @pytest.mark.parametrize("most", [2, 4, 10, 40, 66])
    @pytest.mark.parametrize("front", [True, False], ids=["foreground", "background"])
    def test_under_a_limit_of_processes(self, user: UserMachine, source: list[str], most: int, front: bool) -> None:
        where = user.home / f"few-{most}-{front}"
        flags = ["--foreground"] if front else []
        done = user.run("prlimit", f"--nproc={most}:{most}", "python", "-m", "mountnd", *source, where, *flags)
        assert done.code == 1, done
        said = [line for line in done.err.splitlines() if "read unsigned" not in line]
        assert len(said) == 1 and said[0].startswith("mountnd: ") and "limit" in said[0], done.err
        assert user.run("grep", "-F", f" {where} ", "/proc/self/mountinfo").out == ""
        assert not where.exists()


class TestWhatPasses:
    pytestmark = as_user

    def test_a_limit_of_processes_reached_for_a_moment(self, user: UserMachine, source: list[str]) -> None:
        """No thread can be made for the first bytes: they are waited for, and come when the limit is gone."""
        where = user.home / "moment"
        assert user.mountnd(*source, where).code == 0
        pid = daemon_pid(user, where)
        assert user.run("ls", where / "d").code == 0
        assert user.run("prlimit", "--pid", pid, "--nproc=1:").code == 0
        waits = user.run("timeout", "2", "cat", where / "d/f0")
        assert (waits.code, waits.out) == (124, ""), "nobody fetches it, and nobody says that it is not there"
        assert user.run("ls", where / "d").out.split() == [f"f{i}" for i in range(8)]
        assert user.run("prlimit", "--pid", pid, "--nproc=5000:").code == 0
        for i in range(8):
            assert user.run("sh", "-c", f"wc -c < {where}/d/f{i}").out.strip() == "70000"
        assert user.mountnd("umount", where).code == 0


class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name)
    def test_without_free_descriptors(self, source: list[str], tmp_path: Path, number: signal.Signals) -> None:
        where = tmp_path / "mnt"
        done = run_mountnd(*source, where)
        assert done.returncode == 0, done.stderr
        pid = daemon_record(where).pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
            os.kill(pid, number)
            wait_until(lambda: not is_mounted(where), "no mount any more")
            wait_until(lambda: not Path(f"/proc/{pid}").exists(), "no daemon any more")
        finally:
            subprocess.run(["umount", "-l", where], check=False, capture_output=True)

    @pytest.mark.root
    @pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become an ordinary user")
    @pytest.mark.parametrize("limit", ["nofile=8:", "nproc=1:"])
    def test_of_an_ordinary_user(self, user: UserMachine, source: list[str], limit: str) -> None:
        """With fewer descriptors than are open; and with no process more, not even for the tool that unmounts."""
        where = user.home / limit[:5]
        assert user.mountnd(*source, where).code == 0
        pid = daemon_pid(user, where)
        assert user.run("prlimit", "--pid", pid, f"--{limit}").code == 0
        assert user.run("kill", pid).code == 0
        assert_ended(user, where, pid)
