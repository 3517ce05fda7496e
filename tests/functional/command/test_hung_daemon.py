"""A daemon that hangs: every verb that is recommended then ends within seconds, and the mount can always be ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from mountnd.daemon import mounts, rundir
from tests.support import cli, tree
from tests.support.children import killed_after, stop
from tests.support.cli import MOUNTND, daemon_record, environment

pytestmark = pytest.mark.kernel

KEY = "sub-01/file"
# A verb ends within some ten seconds; a busy machine needs more, a hung one for ever.
BOUND_S = 60.0


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    tree.Bucket(server, "hung").put(KEY, b"bytes")
    return ["s3://hung", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def run(
    *args: str | Path, cwd: Path | str = "/", env: Mapping[str, str] | None = None, timeout: float = BOUND_S
) -> subprocess.CompletedProcess[str]:
    """As `run_mountnd`, in a working directory that may hang: `-P`, or Python itself would look for modules there."""
    return subprocess.run(
        [MOUNTND[0], "-P", *MOUNTND[1:], *map(str, args)],
        cwd=cwd, env={**environment(), **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=timeout, check=False,
    )  # fmt: skip


@contextmanager
def stopped(source: Sequence[str], where: Path) -> Iterator[rundir.Record]:
    """A mount whose daemon is stopped; whatever is left of it is killed."""
    done = run(*source, where)
    assert done.returncode == 0, done.stderr
    record = daemon_record(where)
    stop(record.pid)
    try:
        yield record
    finally:
        if record.alive():
            os.kill(record.pid, signal.SIGKILL)


def gone(where: Path, record: rundir.Record) -> None:
    """Nothing is left: mount, daemon, record, socket, directory."""
    assert mounts.mount_at(where) is None
    assert not record.alive()
    assert rundir.find(where) is None
    assert not where.exists()
    stem = rundir.stem(where)
    assert not [path for path in rundir.run_dir().iterdir() if path.name == f"{stem[-8:]}.sock"]


@pytest.mark.parametrize("flags", [[], ["--lazy"], ["--all"], ["--all", "--lazy"]])
def test_umount_ends_a_mount_whose_daemon_is_stopped(source: Sequence[str], where: Path, flags: list[str]) -> None:
    with stopped(source, where) as record:
        done = run("umount", *flags, *([] if "--all" in flags else [where]))
        assert (done.returncode, done.stdout) == (0, "")
        said = f"{where} is unmounted. Its daemon (pid {record.pid}) was stopped and was killed.\n"
        assert done.stderr == said
        gone(where, record)


def test_umount_all_leaves_mounts_of_other_run_directories_alone(
    source: Sequence[str], where: Path, tmp_path: Path
) -> None:
    """Others on a machine may be root, too."""
    other = {"MOUNTND_RUN_DIR": str(tmp_path / "run")}
    second = tmp_path / "second"
    assert run(*source, where).returncode == 0
    try:
        assert run(*source, second, env=other).returncode == 0
        assert run("umount", "--all").returncode == 0
        assert mounts.mount_at(where) is None and mounts.mount_at(second) is not None
        assert str(second) not in "".join(run("doctor").stdout.split()), "nor are they looked at"
    finally:
        assert run("umount", second, env=other).returncode == 0


def test_a_busy_one_is_told_of_and_ended_lazily(source: Sequence[str], where: Path, tmp_path: Path) -> None:
    with stopped(source, where) as record, reader(where) as blocked:
        done = run("umount", where)
        assert done.returncode == 1
        assert done.stderr == (
            f"mountnd: {where} is busy, and its daemon (pid {record.pid}) hangs. "
            f"To end both: mountnd umount --lazy {where}\n"
        )
        assert run("umount", "--lazy", where).returncode == 0
        gone(where, record)
        assert blocked.wait(BOUND_S) != 0  # it got an error, and went


@contextmanager
def reader(where: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program with its working directory in the mount that waits for the daemon."""
    code = "import os, sys; os.chdir(sys.argv[1]); print(1, flush=True); sys.stdin.readline(); os.stat('nothing')"
    daemon = daemon_record(where)
    os.kill(daemon.pid, signal.SIGCONT)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(where)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    try:
        assert process.stdin is not None and process.stdout is not None
        with killed_after(BOUND_S, process):
            assert process.stdout.readline() == b"1\n"
        stop(daemon.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=BOUND_S)


Paths = Callable[[Path, Path], tuple[str | Path, Path | str]]
# How a path may be written that leads to the mount: (as typed, working directory).
WAYS: dict[str, Paths] = {
    "the mountpoint": lambda where, tmp: (where, "/"),
    "inside": lambda where, tmp: (where / "sub-01" / "file", "/"),
    "relative": lambda where, tmp: ("mnt", tmp),
    "a link to it": lambda where, tmp: (tmp / "link", "/"),
    "a link to inside": lambda where, tmp: (tmp / "inside", "/"),
    "below a link": lambda where, tmp: (tmp / "inside" / "file", "/"),
    "through a link and back": lambda where, tmp: (tmp / "up" / "mnt", "/"),
}


@pytest.fixture
def links(where: Path, tmp_path: Path) -> Path:
    (tmp_path / "link").symlink_to(where)
    (tmp_path / "inside").symlink_to(where / "sub-01")
    (tmp_path / "up").symlink_to(Path("link") / "..")
    return tmp_path


def test_every_verb_ends_by_every_path(source: Sequence[str], where: Path, links: Path) -> None:
    with stopped(source, where) as record:
        hint = f"{where}: its daemon (pid {record.pid}) is stopped. To let it go on: kill -CONT {record.pid}"
        running = []
        for verb in ("stats", "refresh", "explain"):
            for way in WAYS.values():
                path, cwd = way(where, links)
                argv = [MOUNTND[0], "-P", *MOUNTND[1:], verb, str(path)]
                running.append(subprocess.Popen(argv, cwd=cwd, env=environment(), stderr=subprocess.PIPE, text=True))
        for process in running:
            with killed_after(BOUND_S, process):
                said = process.communicate(timeout=2 * BOUND_S)[1]
            assert process.returncode == 1
            assert hint in said and said.count("\n") == 1
        done = run("doctor", env={"MOUNTND_CACHE_DIR": str(where / "cache")})
        assert done.returncode == 1
        told = " ".join(done.stdout.split())
        assert f"does not answer, its daemon is stopped (kill -CONT {record.pid} lets it go on)" in told
        assert f"mountnd umount --lazy {where}" in told
        assert "lies in a mount that does not answer" in told
        done = run("mount", *source, where)  # nor does the next mount there hang
        assert done.returncode == 1 and f"mountnd umount {where}" in done.stderr
        done = run("umount", links / "inside")
        assert done.returncode == 0 and str(where) in done.stderr
        gone(where, record)


def test_from_inside_a_mount_that_hangs(source: Sequence[str], where: Path) -> None:
    """The shell's working directory lies in it."""
    done = run(*source, where)
    assert done.returncode == 0, done.stderr
    record = daemon_record(where)
    code = (
        "import os, subprocess, sys; os.chdir(sys.argv[1]); os.kill(int(sys.argv[2]), 19); "
        "sys.exit([subprocess.run([sys.executable, '-P', '-m', 'mountnd', *a.split()], timeout=60).returncode "
        "for a in ('stats .', 'umount --lazy .')])"
    )
    try:
        args = [sys.executable, "-P", "-c", code, str(where / "sub-01"), str(record.pid)]
        done = subprocess.run(
            args, env=environment(), capture_output=True, text=True, timeout=3 * BOUND_S,
            cwd="/", check=False,
        )  # fmt: skip
        # "." is inside the mount, and stands for it.
        assert "is stopped. To let it go on" in done.stderr and f"{where} is unmounted" in done.stderr
        assert not record.alive()
    finally:
        if record.alive():
            os.kill(record.pid, signal.SIGKILL)


def test_a_daemon_that_goes_on_is_left_alone(source: Sequence[str], where: Path) -> None:
    """It only waits for its source; programs that read through it keep their files after a lazy unmount."""
    assert run(*source, where).returncode == 0
    record = daemon_record(where)
    with open(where / KEY, "rb") as file:
        done = run("umount", "--lazy", where)
        assert done.returncode == 0 and "ends when they close them" in done.stderr
        assert record.alive()
        assert file.read() == b"bytes"
    assert mounts.wait_exit(record.pid, BOUND_S)


def test_a_reused_pid_is_never_killed(source: Sequence[str], where: Path) -> None:
    """The record's process is gone, and another one has its number."""
    with stopped(source, where) as record:
        bystander = subprocess.Popen(["sleep", "600"])
        try:
            (path,) = rundir.run_dir().glob(f"{rundir.stem(where)}.json")
            fields = json.loads(path.read_text())
            path.write_text(json.dumps({**fields, "pid": bystander.pid}))
            done = run("umount", "--lazy", where)
            assert done.returncode == 0 and "nothing was killed" in done.stderr
            assert mounts.mount_at(where) is None
            assert bystander.poll() is None
        finally:
            bystander.kill()
            bystander.wait()
            os.kill(record.pid, signal.SIGKILL)


def test_clients_that_misbehave_block_nobody(source: Sequence[str], where: Path) -> None:
    """Silent ones, half messages, trickles, floods, and nonsense of every type on the control socket."""
    assert run(*source, where).returncode == 0
    place = os.open(rundir.run_dir(), os.O_PATH)
    address = f"/proc/self/fd/{place}/{rundir.stem(where)[-8:]}.sock"
    held: list[socket.socket] = []

    def client() -> socket.socket:
        s = socket.socket(socket.AF_UNIX)
        held.append(s)
        s.settimeout(BOUND_S)
        s.connect(address)
        return s

    try:
        for raw in (b'{"verb":"stats"', b"", b"\x00", b"[" * 1000):
            for _ in range(6):
                client().send(raw)  # and no end of line
        assert "total" in json.loads(run("stats", "--json", where).stdout)
        for raw in (
            b'{"verb": 7}', b'{"verb": null}', b'{"verb": ["stats"]}', b'{"verb": {}}', b"null", b"true", b'"stats"',
            b"1" * 5000, b"[" * 60_000, b'{"verb":"refresh"}', b'{"verb":"refresh","path":5}', b"NaN",
            b'{"verb":"refresh","path":["x"]}', b'{"verb":"refresh","path":"a\\u0000b"}', b'{"verb":"\\ud800"}',
            b'{"verb":"refresh","path":"\\ud800"}', b'{"verb":"no\\u001b[31m"}', b"x" * 70_000,
        ):  # fmt: skip
            s = client()
            s.sendall(raw + b"\n")
            answer = json.loads(s.makefile("rb").readline())
            assert list(answer) == ["error"] and "internal error" not in answer["error"], raw
        many = [client() for _ in range(40)]  # more than are served at once: the others are told so
        time.sleep(0.1)
        said = many[-1].makefile("rb").readline()
        assert b"too many requests at once" in said or b"did not come" in said
        for s in held:
            s.close()
        held.clear()
        assert run("stats", where).returncode == 0
        assert "Traceback" not in Path(daemon_record(where).log).read_text()
    finally:
        for s in held:
            s.close()
        os.close(place)
