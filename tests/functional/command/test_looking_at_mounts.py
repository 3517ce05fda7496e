"""What is mounted, what failed there, and how to end it: `ls`, `stats`, `logs`, `umount`, on running mounts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.daemon import mounts
from tests.support import cli
from tests.support.children import stop
from tests.support.cli import MOUNTND, environment, run_mountnd
from tests.support.quirky import Quirky, quirky_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kernel

FILES = {"d/good": b"good bytes", "d/refused": b"x" * 100, "top": b"top"}


@pytest.fixture(scope="module")
def server() -> Iterator[Quirky]:
    with quirky_server() as server:
        server.hold(FILES, get_rules=["d/good", "top"])
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory for two mounts, `a` and `b`, which are of the only user of a run directory there."""
    place = tmp_path.resolve()
    with cli.mountpoint(place / "a"), cli.mountpoint(place / "b"):
        yield place


def run(place: Path, *args: str | Path) -> subprocess.CompletedProcess[str]:
    return run_mountnd(*args, cwd=place)


def mount(server: Quirky, where: Path, source: str = "s3://bkt") -> None:
    options = ("--endpoint-url", server.url, "--anonymous", "--region", "us-east-1")
    done = run_mountnd(source, where, *options, "--cache-dir", where.parent / "cache")
    assert done.returncode == 0, done.stderr


def listed(where: Path) -> dict[str, Any] | None:
    """What `ls --json` says of the mount at `where`."""
    done = run_mountnd("ls", "--json")
    assert done.returncode == 0, done.stderr
    return next((row for row in json.loads(done.stdout) if row["mountpoint"] == str(where)), None)


def test_a_failed_read_is_counted_logged_and_shown_wherever_one_looks(server: Quirky, place: Path) -> None:
    where = place / "a"
    mount(server, where)
    assert (where / "d/good").read_bytes() == b"good bytes"
    for _ in range(2):
        with pytest.raises(PermissionError):
            (where / "d/refused").read_bytes()
    inside = where / "d" / "good"  # stands for its mount
    failures = json.loads(run(place, "stats", inside, "--json").stdout)["failures"]
    assert (failures["count"], failures["by_reason"]) == (2, {"access denied": 2})
    last = failures["last"]
    assert (last["path"], last["reason"], last["request_id"]) == ("/d/refused", "access denied", "QUIRKY1")
    shown = run(place, "stats", inside).stdout
    assert "Failures: 2 access denied" in shown and "/d/refused" in shown

    for argv in (["logs", inside], ["logs", where, "--json"]):
        done = run(place, *argv)
        told = [line for line in done.stdout.splitlines() if "/d/refused cannot be read" in line]
        assert done.returncode == 0 and len(told) == 1, done.stdout + done.stderr
        assert "access denied" in told[0] and "[request QUIRKY1]" in told[0]
    assert json.loads(told[0])["level"] == "warning"

    row = listed(where)
    assert row is not None
    assert (row["state"], row["failures"]) == ("ok", 2)
    assert row["bytes_read"] >= len(b"good bytes") and row["since"] and row["pid"] and row["log"]
    assert [source["url"] for source in row["sources"]] == ["s3://bkt"]
    for verb in ("ls", "stats"):
        assert f"{where}: ok, 2 failures\n" in run(place, verb).stdout
    # Ended by a path inside it, and its log is still there.
    done = run(place, "umount", where / "d")
    assert (done.returncode, done.stderr) == (0, f"{where} is unmounted\n")
    assert listed(where) is None
    assert "/d/refused cannot be read" in run(place, "logs", where).stdout


def test_several_are_ended_at_once_and_what_is_no_mount_is_told(server: Quirky, place: Path) -> None:
    mount(server, place / "a")
    mount(server, place / "b", "s3://bkt/d")
    assert os.listdir(place / "b")
    done = run(place, "unmount", "a", "nothing", "b", "b")
    assert done.returncode == 1
    assert f"{place}/nothing is not mounted" in done.stderr and "/a" not in done.stderr
    assert not cli.is_mounted(place / "a") and not cli.is_mounted(place / "b")


def test_what_a_dead_daemon_left_is_named_with_its_remedy(server: Quirky, place: Path) -> None:
    where = place / "a"
    mount(server, where)
    pid = cli.daemon_record(where).pid
    stop(pid)
    try:
        row = listed(where)
        assert row is not None and row["state"] == "stopped"
    finally:
        os.kill(pid, signal.SIGKILL)
    assert mounts.wait_exit(pid, 20)
    wait_until(lambda: (listed(where) or {})["state"] == "dead", "its end to be seen")
    assert f"{where}: its daemon is gone and left the mount behind; to remove it: mountnd umount {where}" in (
        run(place, "ls").stdout
    )
    assert run(place, "umount", "-l", where).returncode == 0


def test_a_log_is_followed_until_the_mount_ends(server: Quirky, place: Path) -> None:
    where = place / "a"
    mount(server, where)
    with subprocess.Popen(
        [*MOUNTND, "logs", "-f", "-n", "0", str(where)], env=environment(), stdout=subprocess.PIPE, text=True, cwd="/"
    ) as following:
        try:
            assert following.stdout is not None
            # It begins with what comes: a file that fails again and again under other names is told of each time.
            wait_until(lambda: _holds(following.pid, cli.daemon_record(where).log), "the log to be opened")
            with pytest.raises(PermissionError):
                (where / "d/refused").read_bytes()
            line = following.stdout.readline()
            assert "/d/refused cannot be read" in line
            assert run(place, "umount", where).returncode == 0
            assert following.wait(cli.COMMAND_S) == 0
        finally:
            following.kill()


def _holds(pid: int, path: str) -> bool:
    """Whether the process has the file open."""
    try:
        return path in {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False


def test_completion_knows_running_mounts(server: Quirky, place: Path) -> None:
    mount(server, place / "a")
    words = f"mountnd umount {place}/"
    env = {"_MOUNTND_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
    assert f"plain,{place}/a" in run_mountnd(env=env).stdout.splitlines()
