"""`mountnd exec`: a mount for the length of a command, whatever the command and its surroundings do."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mountnd.daemon import mounts, rundir
from tests.support import tree
from tests.support.children import killed_after
from tests.support.cli import COMMAND_S, MOUNTND, environment, is_mounted, run_mountnd
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kernel

KEY = "sub-01/anat/sub-01_T1w.nii"
BODY = tree.content("exec", 300_000)
# Tells where it is, and goes on until it is told to end: by a signal, whose number it then tells.
WAITING = """
import os, signal, sys
def tell(number, frame):
    print("got", number, flush=True)
    if number not in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
        sys.exit(40 + number)
for name in sys.argv[2:]:
    signal.signal(getattr(signal, name), tell)
print(os.getpid(), sys.argv[1], flush=True)
while True:
    signal.pause()
"""


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    """What a user types to name the source."""
    tree.Bucket(server, "exec").put(KEY, BODY)
    return ["s3://exec", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Private directories are made in a place of the test's own, and at its end nothing is there."""
    place = tmp_path / "places"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    yield place
    try:
        wait_until(lambda: not os.listdir(place), "the private directory was removed")
    finally:
        for name in os.listdir(place):
            subprocess.run(["fusermount3", "-u", "-z", str(place / name)], check=False, capture_output=True)


def records(place: Path) -> list[rundir.Record]:
    return [record for record in rundir.records() if Path(record.mountpoint).is_relative_to(place)]


class Running:
    """A call of `mountnd exec` whose command tells where it is. `path`: the mountpoint; `pid`: the command's."""

    def __init__(self, source: Sequence[str], *signals: str, within: Sequence[str] = ()) -> None:
        argv = [
            "env",
            "--default-signal",
            *within,
            *MOUNTND,
            "exec",
            *source,
            "--",
            sys.executable,
            "-c",
            WAITING,
            "{}",
            *signals,
        ]
        # A process group of its own: nothing stops one whose session has no other, as where no shell runs the tests.
        self.process = subprocess.Popen(
            argv,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.pid, self.path = 0, Path()
        pid, path = self.line().split()
        self.pid, self.path = int(pid), Path(path)

    def line(self) -> str:
        assert self.process.stdout is not None
        with killed_after(COMMAND_S, self.process):
            line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=COMMAND_S)
        return line

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=COMMAND_S)
        return self.process.returncode, out, err


@contextlib.contextmanager
def running(source: Sequence[str], *signals: str, within: Sequence[str] = ()) -> Iterator[Running]:
    call = Running(source, *signals, within=within)
    try:
        assert is_mounted(call.path)
        yield call
    finally:
        call.process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(call.pid, signal.SIGKILL)
        call.process.wait(COMMAND_S)
        for pipe in (call.process.stdout, call.process.stderr):
            assert pipe is not None
            pipe.close()


def test_it_mounts_runs_and_unmounts(source: list[str], places: Path) -> None:
    script = f'cmp "$1/{KEY}" - && echo "$1" "$2" && exit 7'
    argv = ["exec", *source, "--", "sh", "-c", script, "{}", "{}", "a{}b{}"]
    done = subprocess.run([*MOUNTND, *argv], input=BODY, env=environment(), capture_output=True, timeout=COMMAND_S,
                          check=False)  # fmt: skip
    assert done.returncode == 7, done.stderr
    path, rest = done.stdout.decode().split()
    assert path.startswith(f"{places}/mountnd-exec-") and rest == f"a{path}b{path}"
    assert re.search(
        r"^mountnd exec: exit code 7 after \d+\.\d s; 293.0 KiB read, 293.0 KiB fetched by \d+ requests$",
        done.stderr.decode(),
        re.MULTILINE,
    ), done.stderr
    assert not os.path.lexists(path)
    assert records(places) == []


def test_quiet_leaves_the_commands_output_alone(source: list[str]) -> None:
    done = run_mountnd("exec", "-q", *source, "--", "sh", "-c", "echo out; echo err >&2; ls {} >/dev/null")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["sh", "-c", "exit 3"], 3, ""),
        (["sh", "-c", "kill -TERM $$"], 128 + 15, ""),
        (["sh", "-c", "kill -KILL $$"], 128 + 9, ""),
        (["no-such-command-anywhere"], 127, "no-such-command-anywhere: command not found"),
        (["/no/such/command"], 127, "/no/such/command: command not found"),
        (["{}/" + KEY], 126, "cannot be executed: Permission denied"),
        (["/"], 126, "/ cannot be executed: Permission denied"),
        ([""], 127, "'': command not found"),
    ],
)
def test_exit_codes_are_those_of_a_shell(source: list[str], command: list[str], code: int, said: str) -> None:
    done = run_mountnd("exec", "-q", *source, "--", *command)
    assert done.returncode == code, done.stderr
    assert said in done.stderr and done.stderr.count("\n") == bool(said)


def test_a_script_without_a_first_line_is_run_by_a_shell(source: list[str], tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$0" "$@"\n')
    script.chmod(0o755)
    done = run_mountnd("exec", "-q", *source, "--", script, "a b")
    assert (done.returncode, done.stdout) == (0, f"{script} a b\n")


def test_a_mount_that_fails_runs_nothing(source: list[str], tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    done = run_mountnd("exec", "s3://no-such-bucket", *source[1:], "--", "touch", ran)
    assert done.returncode == 1
    assert "no such bucket" in done.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    done = run_mountnd("exec", *source, tmp_path / "full", "--", "touch", ran)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert not ran.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["exec", "s3://exec"], "no command to run"),
        (["exec", "s3://exec", "--"], "no command to run"),
        (["exec", "--", "ls"], "what is to be mounted?"),
        (["exec", "no-such-source", "--", "ls"], "no-such-source"),
        (["exec", "s3://exec", "--no-such-option", "--", "ls"], "--no-such-option"),
    ],
)
def test_mistakes_are_told_in_a_line(words: list[str], said: str) -> None:
    done = run_mountnd(*words)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_the_commands_own_options_are_not_read(source: list[str]) -> None:
    done = run_mountnd("exec", "-q", *source, "--", "echo", "--debug", "-q", "--ttl", "--", "--help")
    assert (done.returncode, done.stdout, done.stderr) == (0, "--debug -q --ttl -- --help\n", "")


def test_options_stand_before_the_dashes(source: list[str]) -> None:
    done = run_mountnd("exec", "-q", "--file-mode", "0400", "-o", "dir_mode=0500", *source, "--",
                       "stat", "-c", "%a", "{}", "{}/" + KEY)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "500\n400\n")


def test_a_mountpoint_of_ones_own(source: list[str], tmp_path: Path) -> None:
    """One that was there stays; one that was made goes; in one that is mounted already nothing is run."""
    there, made = tmp_path / "there", tmp_path / "made"
    there.mkdir()
    for path in (there, made):
        done = run_mountnd("exec", "-q", *source, path, "--", "sh", "-c", f"test -f {path}/{KEY} && echo {{}}")
        assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    assert there.exists() and not made.exists()
    with running([*source, str(there)]) as call:
        done = run_mountnd("exec", "-q", *source, there, "--", "echo", "ran")
        assert (done.returncode, done.stdout) == (1, "")
        assert "is mounted already" in done.stderr
        assert is_mounted(there)
        os.kill(call.pid, signal.SIGTERM)
        assert call.end()[0] == 128 + 15
    assert not is_mounted(there)


def test_several_sources_in_a_private_directory(server: str, source: list[str]) -> None:
    tree.Bucket(server, "exec-too").put("b", b"two")
    done = run_mountnd("exec", "-q", "s3://exec-too", *source, "{}", "--", "ls", "{}")
    assert (done.returncode, done.stdout.split()) == (0, ["exec", "exec-too"]), done.stderr


def test_what_the_caller_has_is_the_commands(source: list[str], tmp_path: Path) -> None:
    """Its directory, umask, open files, ignored signals and stdin; and Python's own dispositions are not."""
    code = (
        "import os, signal, sys; print(os.getcwd(), oct(os.umask(0)), os.read(7, 9), sys.stdin.read(),"
        "[n for n in map(int, open('/proc/self/status').read().split('SigBlk:')[1].split()[:1])],"
        "signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    )
    script = 'cd "$1"; umask 027; trap "" HUP; shift; echo seven > seven; exec 7< seven; echo in | "$@"'
    words = ["bash", "-c", script, "bash", tmp_path, *MOUNTND, "exec", "-q", *source, "--"]
    done = subprocess.run([*map(str, words), sys.executable, "-c", code], env=environment(), capture_output=True,
                          text=True, timeout=COMMAND_S, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path} 0o27 b'seven\\n' in\n [0] True\n"
    script = '"$@" 2>&1 | true; echo "${PIPESTATUS[0]}"'  # a broken pipe ends what writes, as it does without us
    words = ["bash", "-c", script, "bash", *MOUNTND, "exec", "-q", *source, "--", "yes"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=COMMAND_S, check=False)
    assert done.stdout == f"{128 + 13}\n"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGXCPU"])
def test_signals_are_passed_on_and_the_mount_stays_until_the_command_ends(source: list[str], name: str) -> None:
    number = getattr(signal, name)
    with running(source, name, "SIGUSR1", "SIGUSR2") as call:
        for other in (signal.SIGUSR1, signal.SIGUSR2):
            call.process.send_signal(other)
            assert call.line() == f"got {other.value}\n"
        assert is_mounted(call.path)
        call.process.send_signal(number)
        code, out, _ = call.end()
        assert (code, out) == (40 + number, f"got {number.value}\n")
    assert not os.path.lexists(call.path)


def test_a_signal_that_the_command_does_not_handle_ends_both(source: list[str]) -> None:
    with running(source) as call:
        call.process.send_signal(signal.SIGTERM)
        assert call.end()[0] == 128 + 15
    assert not os.path.lexists(call.path)


def test_it_stops_and_goes_on_with_the_command(source: list[str]) -> None:
    with running(source, "SIGCONT") as call:
        call.process.send_signal(signal.SIGTSTP)
        for pid in (call.process.pid, call.pid):
            wait_until(lambda pid=pid: mounts.is_stopped(pid), f"process {pid} is stopped")  # type: ignore[misc]
        assert os.listdir(call.path) == ["sub-01"], "the mount goes on"
        call.process.send_signal(signal.SIGCONT)
        assert call.line() == f"got {signal.SIGCONT.value}\n"
        os.kill(call.pid, signal.SIGTERM)
        assert call.end()[:2] == (128 + 15, ""), "once"


def test_ctrl_c_at_a_terminal_reaches_the_command_once(source: list[str]) -> None:
    """The terminal sends it to both; the command decides when to end."""
    code = (
        "import signal, sys, time\nseen = []\nsignal.signal(signal.SIGINT, lambda *_: seen.append(1))\n"
        "print('ready', flush=True)\nend = time.monotonic() + 60\n"
        "while not seen and time.monotonic() < end: time.sleep(0.01)\n"
        "time.sleep(0.5)\nprint('seen', len(seen), flush=True)\nsys.exit(5)"
    )
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(MOUNTND[0], [*MOUNTND, "exec", *source, "--", sys.executable, "-c", code], environment())
    said = b""
    try:
        end = time.monotonic() + COMMAND_S
        typed = False
        while time.monotonic() < end:
            try:
                piece = os.read(fd, 4096)
            except OSError:  # EIO: all of its users have ended
                break
            if not piece:
                break
            said += piece
            if b"ready" in said and not typed:
                os.write(fd, b"\x03")
                typed = True
        assert mounts.wait_exit(pid, COMMAND_S)
    finally:
        os.close(fd)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 5, said
    assert b"seen 1\r\n" in said


def test_what_the_command_left_behind_loses_the_mount_and_keeps_its_files(source: list[str], tmp_path: Path) -> None:
    go, out = tmp_path / "go", tmp_path / "out"
    left = f'exec 5< "$1/{KEY}"; echo $$ >&2; while [ ! -e {go} ]; do sleep 0.05; done; '
    left += f"cat <&5 >{out}.new && mv {out}.new {out}"
    script = f"setsid sh -c '{left}' sh \"$1\" </dev/null >/dev/null 2>{tmp_path}/pid & sleep 1"
    try:
        done = run_mountnd("exec", *source, "--", "sh", "-c", script, "sh", "{}")
        assert done.returncode == 0, done.stderr
        pid = (tmp_path / "pid").read_text().strip()
        assert f"is unmounted while it is still used: sh (pid {pid}, open file)" in done.stderr
    finally:
        go.touch()
    wait_until(out.exists, "the program that was left behind has read on")
    assert out.read_bytes() == BODY


def test_a_call_that_is_killed_takes_the_mount_along(source: list[str], places: Path) -> None:
    with running(source) as call:
        (record,) = records(places)
        call.process.kill()
        call.process.wait(COMMAND_S)
        assert mounts.wait_exit(record.pid, COMMAND_S)
        assert not is_mounted(call.path)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_for_all_processes_leaves_the_mount_to_the_command(source: list[str], places: Path, name: str) -> None:
    """As Slurm sends them: the daemon gets it, too, and the mount stays until the command has ended."""
    with running(source, name) as call:
        (record,) = records(places)
        os.kill(record.pid, getattr(signal, name))
        time.sleep(0.5)  # that nothing happens cannot be awaited
        assert is_mounted(call.path) and os.listdir(call.path) == ["sub-01"]
        call.process.send_signal(getattr(signal, name))
        assert call.end()[0] == 40 + getattr(signal, name)
    assert not os.path.lexists(call.path) and not record.alive()


def test_a_signal_for_all_processes_takes_the_mount_from_a_deaf_command(source: list[str], places: Path) -> None:
    """Before SIGKILL comes for all of them, after which nobody could unmount. What is open can be read on."""
    code = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"file = open(sys.argv[1] + '/{KEY}', 'rb', buffering=0); print(os.getpid(), sys.argv[1], flush=True)\n"
        "end = time.monotonic() + 60\n"
        "while os.path.ismount(sys.argv[1]) and time.monotonic() < end: time.sleep(0.1)\n"
        "print(len(file.read()), flush=True)"
    )
    words = ["env", "--default-signal", *MOUNTND, "exec", *source, "--", sys.executable, "-c", code, "{}"]
    process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        with killed_after(COMMAND_S, process):
            _, path = process.stdout.readline().split()
        (record,) = records(places)
        os.kill(record.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=COMMAND_S)
    finally:
        process.kill()
        process.wait(COMMAND_S)
    assert (process.returncode, out) == (0, f"{len(BODY)}\n"), err
    wait_until(lambda: not os.path.lexists(path) and not record.alive(), "the end of mount and daemon")


def test_a_daemon_that_died_meanwhile_is_told_of(source: list[str], places: Path) -> None:
    with running(source, "SIGTERM") as call:
        (record,) = records(places)
        os.kill(record.pid, signal.SIGKILL)
        assert mounts.wait_exit(record.pid, COMMAND_S)
        call.process.send_signal(signal.SIGTERM)
        code, _, err = call.end()
        assert code == 40 + 15
        assert f"the mount ended before the command did, see {record.log}" in err


def test_many_at_once_do_not_meet(source: list[str]) -> None:
    argv = [*MOUNTND, "exec", "-q", *source, "--", "sh", "-c", f"sha256sum <{{}}/{KEY}; echo {{}}"]
    started = [
        subprocess.Popen(argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    try:
        ends = [process.communicate(timeout=COMMAND_S) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait(COMMAND_S)
    assert [process.returncode for process in started] == [0] * 6, ends
    assert {err for _, err in ends} == {""}
    assert len({out.split()[0] for out, _ in ends}) == 1
    assert len({out.split()[-1] for out, _ in ends}) == 6
