"""The run directory or the cache is removed while a mount uses it (`rm -rf`, a logout, a cleaner of /tmp)."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mountnd.daemon import rundir
from mountnd.daemon.unmount import wait_gone
from tests.support import cli, tree
from tests.support.cli import daemon_record, run_mountnd
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kernel

OBJECTS = {f"d{i}/file": tree.content(f"wiped {i}", 100_000) for i in range(4)}
GONE_S = 60.0


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    tree.Bucket(server, "wiped").put_all(OBJECTS)
    return ["s3://wiped", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "runtime"
    path.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    monkeypatch.delenv(rundir.VARIABLE)
    return path


@pytest.fixture
def where(tmp_path: Path, runtime: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


@pytest.mark.parametrize("what", ["mountnd", "."])
def test_control_comes_back(source: Sequence[str], where: Path, runtime: Path, what: str) -> None:
    """In the same place, or where that cannot be made (a logout removes /run/user/UID) in the next."""
    assert run_mountnd(*source, where).returncode == 0
    record = daemon_record(where)
    for _ in range(2):
        shutil.rmtree(runtime / what, ignore_errors=True)
        done = run_mountnd("stats", where)
        assert done.returncode == 0, done.stderr
    assert daemon_record(where).pid == record.pid
    assert run_mountnd("refresh", where).returncode == 0
    done = run_mountnd("doctor")
    assert f"{where}showss3://wipedsince" in "".join(done.stdout.split()), "but for where lines are broken"
    done = run_mountnd(*source, where)
    assert done.returncode == 1
    assert f"process {record.pid}" in done.stderr
    shutil.rmtree(runtime / what, ignore_errors=True)
    done = run_mountnd("umount", where)
    assert (done.returncode, done.stderr) == (0, "")
    assert not record.alive()
    assert not where.exists()


def test_a_socket_that_was_removed(source: Sequence[str], where: Path, runtime: Path) -> None:
    assert run_mountnd(*source, where).returncode == 0
    next((runtime / "mountnd").glob("*.sock")).unlink()
    assert run_mountnd("stats", where).returncode == 0


def test_the_log_goes_on(source: Sequence[str], where: Path, runtime: Path) -> None:
    assert run_mountnd(*source, where).returncode == 0
    record = daemon_record(where)
    shutil.rmtree(runtime / "mountnd")
    assert run_mountnd("stats", where).returncode == 0
    assert "the run directory was removed" in Path(record.log).read_text()


def test_a_mount_that_was_ended_does_not_come_back(source: Sequence[str], where: Path, runtime: Path) -> None:
    assert run_mountnd(*source, where).returncode == 0
    record = daemon_record(where)
    fd = os.open(where / "d0/file", os.O_RDONLY)
    try:
        assert run_mountnd("umount", "--lazy", where).returncode == 0
        assert record.alive()
        with pytest.raises(AssertionError):
            wait_until(lambda: rundir.find(where) is not None, "a record", 2)
    finally:
        os.close(fd)
    assert wait_gone(record, GONE_S)


def test_a_dead_daemon_is_not_waited_for(source: Sequence[str], where: Path, runtime: Path) -> None:
    assert run_mountnd(*source, where).returncode == 0
    record = daemon_record(where)
    os.kill(record.pid, signal.SIGKILL)
    assert wait_gone(record, GONE_S)
    done = run_mountnd("stats", where)
    assert (done.returncode, "is not a mount of yours" in done.stderr) == (1, True)


def test_the_cache_is_removed(source: Sequence[str], where: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert run_mountnd(*source, where, "--cache-dir", cache, "--ttl", "1").returncode == 0
    for key, body in OBJECTS.items():
        if key != "d3/file":
            assert (where / key).read_bytes() == body
        if key == "d0/file":
            wait_until(lambda: any(cache.glob("blocks/*/*")) and any(cache.glob("names/*/*.names")), "the cache")
        shutil.rmtree(cache, ignore_errors=True)
        assert sorted(os.listdir(where)) == ["d0", "d1", "d2", "d3"]
    assert (where / "d3/file").read_bytes() == OBJECTS["d3/file"]
    # What comes later is kept again.
    wait_until(lambda: any(cache.glob("blocks/*/*")) and any(cache.glob("names/*/*.names")), "the cache, again")
    log = Path(daemon_record(where).log).read_text()
    assert sum("WARNING" in line for line in log.splitlines() if str(cache) in line) <= 2, log
