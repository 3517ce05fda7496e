"""A mount that is still somewhere else when it is unmounted: in another mount namespace, or at a second path."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from mountnd.daemon import mounts
from mountnd.daemon.unmount import wait_gone
from tests.support import cli, tree
from tests.support.cli import daemon_record, run_mountnd
from tests.support.namespaces import LEAVE_OTHERS
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, for mount namespaces"),
]

KEY, BODY = "file", b"bytes"
GONE_S = 60.0


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    tree.Bucket(server, "namespaces").put(KEY, BODY)
    return ["s3://namespaces", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


@contextmanager
def namespace(where: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a copy of the mount at `where`, and of none that another test has made."""
    here = os.readlink("/proc/self/ns/mnt")
    process = subprocess.Popen(["unshare", "--mount", "sh", "-c", f"{LEAVE_OTHERS} exec sleep 600", "sh", where])
    try:
        wait_until(
            lambda: (
                os.readlink(f"/proc/{process.pid}/ns/mnt") != here
                and Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n"
            ),
            "the namespace",
        )
        yield process
    finally:
        process.kill()
        process.wait()


def test_umount_names_who_still_has_it_and_the_place_is_free(source: Sequence[str], where: Path) -> None:
    where.mkdir()
    assert run_mountnd(*source, where).returncode == 0
    first = daemon_record(where)
    with namespace(where) as holder:
        start = time.monotonic()
        done = run_mountnd("umount", where)
        assert time.monotonic() - start < 9  # not the 10 s that a daemon gets which is about to end
        assert done.returncode == 0
        assert f"sleep (pid {holder.pid}) still has it at {where} in a mount namespace of its own" in done.stderr
        assert f"kill {first.pid}" in done.stderr
        assert first.alive()
        done = run_mountnd(*source, where)
        assert done.returncode == 0, done.stderr
        second = daemon_record(where)
        assert second.pid != first.pid
        assert (where / KEY).read_bytes() == BODY
        # The program over there goes on with the first.
        assert Path(f"/proc/{holder.pid}/root{where}/{KEY}").read_bytes() == BODY
    assert wait_gone(first, GONE_S)
    assert (where / KEY).read_bytes() == BODY
    assert run_mountnd("stats", where).returncode == 0
    assert run_mountnd("umount", where).returncode == 0
    assert not second.alive()


def test_a_directory_that_mountnd_made_goes_and_the_mount_with_it(source: Sequence[str], where: Path) -> None:
    assert run_mountnd(*source, where).returncode == 0
    first = daemon_record(where)
    with namespace(where) as holder:
        done = run_mountnd("umount", where)
        assert done.returncode == 0
        assert f"sleep (pid {holder.pid}) still has it" in done.stderr
        assert wait_gone(first, GONE_S)
        assert not where.exists()
        done = run_mountnd(*source, where)
        assert done.returncode == 0, done.stderr
        assert (where / KEY).read_bytes() == BODY


def test_the_end_of_the_earlier_daemon_leaves_the_later_mount_alone(source: Sequence[str], where: Path) -> None:
    where.mkdir()
    assert run_mountnd(*source, where).returncode == 0
    first = daemon_record(where)
    with namespace(where):
        assert run_mountnd("umount", where).returncode == 0
        assert run_mountnd(*source, where).returncode == 0
        second = daemon_record(where)
        os.kill(first.pid, signal.SIGTERM)
        assert wait_gone(first, GONE_S)
    assert daemon_record(where) == second
    assert (where / KEY).read_bytes() == BODY
    assert run_mountnd("stats", where).returncode == 0


def test_after_fusermount3_by_hand(source: Sequence[str], where: Path) -> None:
    """Nobody has taken the record away: the next mount does, and says whose it was."""
    where.mkdir()
    assert run_mountnd(*source, where).returncode == 0
    first = daemon_record(where)
    with namespace(where) as holder:
        subprocess.run(["fusermount3", "-u", str(where)], check=True)
        done = run_mountnd(*source, where)
        assert done.returncode == 0, done.stderr
        assert f"An earlier mount of {where} has not ended. sleep (pid {holder.pid})" in done.stderr
        assert (where / KEY).read_bytes() == BODY
    assert wait_gone(first, GONE_S)
    assert (where / KEY).read_bytes() == BODY


def test_a_second_path(source: Sequence[str], where: Path) -> None:
    assert run_mountnd(*source, where).returncode == 0
    first = daemon_record(where)
    second = where.parent / "second"
    second.mkdir()
    subprocess.run(["mount", "--bind", str(where), str(second)], check=True)
    try:
        done = run_mountnd("umount", where)
        assert done.returncode == 0
        assert f"It is also mounted at {second}" in done.stderr
        assert (second / KEY).read_bytes() == BODY
        assert run_mountnd(*source, where).returncode == 0
        assert mounts.mount_at(where) is not None
    finally:
        subprocess.run(["umount", "-l", str(second)], check=True)
    assert wait_gone(first, GONE_S)
    assert (where / KEY).read_bytes() == BODY
