"""Strange surroundings: for each environment, what each command does there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from mountnd.daemon.unmount import wait_gone
from tests.support import cli, tree
from tests.support.cli import daemon_record, run_mountnd

pytestmark = pytest.mark.kernel

KEY, BODY = "sub-01/file.json", b'{"a": 1}'
GONE_S = 60.0
NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="needs root, for namespaces and file systems")


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    """What a person types to name the source."""
    tree.Bucket(server, "surroundings").put(KEY, BODY)
    return ["s3://surroundings", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def in_shell(script: str) -> list[str]:
    return ["sh", "-c", script, "sh"]


# -- streams that are closed, full, or nobody's


STREAMS = {
    "stdin": "<&-",
    "stdout": ">&-",
    "stderr": "2>&-",
    "stdout and stderr": ">&- 2>&-",
    "all three": "<&- >&- 2>&-",
    "stdin and stderr": "<&- 2>&-",
    "stderr is full": "2>/dev/full",
    "stderr may not be written": "</dev/null 2>&0",
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_mount_with_odd_streams_from_its_begin_to_its_end(source: Sequence[str], where: Path, name: str) -> None:
    within = in_shell(f'exec "$@" {STREAMS[name]}')
    done = run_mountnd(*source, where, within=within)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (where / KEY).read_bytes() == BODY
    record = daemon_record(where)
    assert [os.readlink(f"/proc/{record.pid}/fd/{fd}") for fd in range(3)] == ["/dev/null", record.log, record.log]
    log = Path(record.log).read_text()
    assert "Traceback" not in log and '"ready"' not in log  # what goes through a pipe or a socket is not in the log
    for verb in (["stats", where], ["stats", "--json", where], ["refresh", where]):
        done = run_mountnd(*verb, within=within)
        assert (done.returncode, done.stderr) == (0, ""), verb
    done = run_mountnd("umount", where, within=within)
    assert (done.returncode, done.stderr) == (0, "")
    assert not record.alive()
    assert not where.exists()


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("verb", ["config", "presets", "doctor", "cache"])
def test_commands_with_odd_streams(name: str, verb: str) -> None:
    done = run_mountnd(verb, within=in_shell(f'exec "$@" {STREAMS[name]}'))
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) != ("stdout" in name or "all" in name)


@pytest.mark.parametrize("name", ["stderr", "all three"])
def test_errors_keep_their_exit_code_without_stderr(where: Path, name: str) -> None:
    within = in_shell(f'exec "$@" {STREAMS[name]}')
    assert run_mountnd("umount", where, within=within).returncode == 1
    assert run_mountnd("config", "no-such-source", "/mnt/x", within=within).returncode == 2


@pytest.mark.parametrize("verb", ["config", "presets", "doctor"])
def test_output_that_cannot_be_written_is_an_error(verb: str) -> None:
    done = run_mountnd(verb, within=in_shell('exec "$@" >/dev/full'))
    assert (done.returncode, done.stderr) == (
        1,
        "mountnd: the standard output cannot be written: No space left on device\n",
    )


def test_a_mount_whose_listener_went_away(source: Sequence[str], where: Path) -> None:
    assert run_mountnd(*source, where, within=in_shell('"$@" 2>&1 | true')).returncode == 0
    cli.wait_mounted(where)
    assert (where / KEY).read_bytes() == BODY


def test_in_front_with_closed_streams(source: Sequence[str], where: Path) -> None:
    process = subprocess.Popen(
        [*in_shell('exec "$@" <&- >&- 2>&-'), *cli.MOUNTND, *source, str(where), "-f"], env=cli.environment()
    )
    try:
        cli.wait_mounted(where)
        assert (where / KEY).read_bytes() == BODY
        assert {os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
        assert run_mountnd("umount", where).returncode == 0
        assert process.wait(GONE_S) == 0
    finally:
        process.kill()
        process.wait()


# -- what is missing or may not be written


class Row(NamedTuple):
    """Exit code, and what is said on either stream."""

    code: int
    said: str


@NEEDS_ROOT
@pytest.mark.root
@pytest.mark.parametrize(
    ("verb", "row"),
    [
        (["s3://bucket", "MNT"], Row(1, "sudo mount -t proc proc /proc")),
        (["umount", "MNT"], Row(1, "sudo mount -t proc proc /proc")),
        (["stats", "MNT"], Row(1, "sudo mount -t proc proc /proc")),
        (["doctor"], Row(1, "sudo mount -t proc proc /proc")),
        (["config"], Row(0, "cache_dir")),
        (["presets"], Row(0, "openneuro")),
    ],
)
def test_a_hidden_proc(where: Path, verb: Sequence[str], row: Row) -> None:
    within = ["unshare", "--mount", *in_shell('mount -t tmpfs none /proc; exec "$@"')]
    done = run_mountnd(*[str(where) if word == "MNT" else word for word in verb], within=within)
    assert done.returncode == row.code, done.stderr
    assert row.said in done.stdout + done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("mountnd: ")]) <= 1
    assert not where.exists()


@NEEDS_ROOT
@pytest.mark.root
def test_a_proc_of_processes_only(source: Sequence[str], where: Path) -> None:
    within = ["unshare", "--mount", *in_shell('mount -t proc -o subset=pid none /proc && exec "$@"')]
    assert run_mountnd("doctor", within=within).returncode == 0
    assert run_mountnd(*source, where).returncode == 0
    assert run_mountnd("stats", where, within=within).returncode == 0


@contextmanager
def file_system(path: Path, options: str) -> Iterator[Path]:
    """A tmpfs of its own at `path`."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0700,{options}", "none", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@NEEDS_ROOT
@pytest.mark.root
def test_a_read_only_home(source: Sequence[str], where: Path, tmp_path: Path) -> None:
    with file_system(tmp_path / "home", "size=64k,ro") as home:
        env = {"HOME": str(home), "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None}
        done = run_mountnd(*source, where, env=env)
        assert done.returncode == 0, done.stderr
        assert (where / KEY).read_bytes() == BODY
        assert run_mountnd("stats", where, env=env).returncode == 0
        assert run_mountnd("config", env=env).returncode == 0
        done = run_mountnd("doctor", env=env)
        assert done.returncode == 1
        assert "--cache-dir DIR" in done.stdout
        log = Path(daemon_record(where).log)
        assert run_mountnd("umount", where, env=env).returncode == 0
    said = [line for line in log.read_text().splitlines() if "Read-only file system" in line]
    assert 1 <= len(said) <= 2  # of names, and of data


@NEEDS_ROOT
@pytest.mark.root
@pytest.mark.parametrize("options", ["size=4k", "size=64k,nr_inodes=2"])
def test_a_full_run_directory(
    source: Sequence[str], where: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    """The next place is taken, and found by the other commands."""
    with file_system(tmp_path / "runtime", options) as runtime:
        try:
            (runtime / "file").write_bytes(bytes(1 << 16))
        except OSError:
            pass
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        monkeypatch.delenv("MOUNTND_RUN_DIR")
        done = run_mountnd(*source, where)
        assert done.returncode == 0, done.stderr
        assert (where / KEY).read_bytes() == BODY
        record = daemon_record(where)
        assert not record.log.startswith(str(runtime))
        assert run_mountnd("stats", where).returncode == 0
        assert run_mountnd("umount", where).returncode == 0
        assert wait_gone(record, GONE_S)
        assert not where.exists()
        Path(record.log).unlink()  # it lies among the user's own


def test_a_umask_that_forbids_everything_and_children_that_nobody_waits_for(
    source: Sequence[str], where: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runtime").mkdir(0o700)
    monkeypatch.setenv("MOUNTND_RUN_DIR", str(tmp_path / "runtime" / "mountnd"))
    code = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execvp(sys.argv[1], sys.argv[1:])"
    within = in_shell(f'umask 0777; exec {sys.executable} -c "{code}" "$@"')
    done = run_mountnd(*source, where, within=within)
    assert done.returncode == 0, done.stderr
    assert (where / KEY).read_bytes() == BODY
    assert stat.S_IMODE(Path(daemon_record(where).log).stat().st_mode) == 0o600
    with (where / KEY).open():
        done = run_mountnd("umount", where, within=within)
        assert (done.returncode, "is busy" in done.stderr) == (1, True)
    assert run_mountnd("umount", where, within=within).returncode == 0


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    within = in_shell('rmdir "$PWD"; exec "$@"')
    done = run_mountnd("config", cwd=tmp_path / "gone", within=within)
    assert done.returncode == 2
    assert "the working directory cannot be found" in done.stderr
    (tmp_path / "gone").mkdir()
    done = run_mountnd("umount", tmp_path / "none", cwd=tmp_path / "gone", within=within)
    assert (done.returncode, done.stderr) == (1, f"mountnd: {tmp_path / 'none'} is not mounted.\n")
