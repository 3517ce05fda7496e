"""`stats --watch` at a real terminal and without one: what it shows, how it ends, and how it leaves the terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import cli
from tests.support.children import stop
from tests.support.cli import MOUNTND, environment, run_mountnd
from tests.support.quirky import Quirky, quirky_server

pytestmark = pytest.mark.kernel

BODY = os.urandom(1 << 20) * 4
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Quirky]:
    with quirky_server() as server:
        server.hold({"sub-01/bold.nii": BODY, "odd\n\x1b]0;title\x07.txt": b"x" * 100})
        yield server


@pytest.fixture
def where(server: Quirky, tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        options = (
            "--endpoint-url",
            server.url,
            "--anonymous",
            "--region",
            "us-east-1",
            "--cache-dir",
            tmp_path / "cache",
        )
        done = run_mountnd("s3://bkt", path, *options)
        assert done.returncode == 0, done.stderr
        yield path


class Terminal:
    """A process at a terminal of its own. `printed`: all that it has written."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, slave: int) -> None:
        self.process, self._master, self.slave = process, master, slave
        self.printed = ""

    def until(self, seen: Callable[[str], object], what: str) -> None:
        """Read until what was printed has it."""
        end = time.monotonic() + PATIENCE_S
        while not seen(self.printed):
            assert time.monotonic() < end, f"waited in vain for {what} in {self.printed[-2000:]!r}"
            self._read(0.2)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if ready:
            self.printed += os.read(self._master, 1 << 16).decode(errors="backslashreplace")
        return bool(ready)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def ended(self) -> int:
        """The exit code; the rest of what was printed is read."""
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end: {self.printed[-500:]!r}"
            self._read(0.1)
        while self._read(0.1):
            pass
        return self.process.returncode

    def screen(self) -> str:
        """What was drawn last, without colours."""
        frames = [frame for frame in self.printed.split("\x1b[H") if "q ends it" in frame]
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frames[-1]).replace("\r", "") if frames else ""


@contextmanager
def watching(*words: str | Path, columns: int = 80, lines: int = 24) -> Iterator[Terminal]:
    """`mountnd stats WORDS` at a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    plain = {k: v for k, v in environment().items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [*MOUNTND, "stats", *map(str, words)],
        stdin=slave, stdout=slave, stderr=slave, cwd="/", env={**plain, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )  # fmt: skip
    try:
        yield Terminal(process, master, slave)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def drawn(times: int) -> Callable[[str], bool]:
    return lambda printed: printed.count("q ends it") >= times


@pytest.mark.parametrize("keys", [b"q", b"Q", b"\x03", b"\x04"])
def test_it_shows_what_is_read_and_ends_well(where: Path, keys: bytes) -> None:
    with open(where / "sub-01/bold.nii", "rb", buffering=0) as file, watching(where, "--watch") as seen:
        seen.until(drawn(1), "a first look")
        # Without the kernel's readahead, whose requests arrive in any order.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for _ in range(64):
            assert file.read(64 << 10)
        wanted = ("100 %  in order", "sub-01/bold.nii", "4 MiB in all")
        seen.until(lambda _: all(one in seen.screen() for one in wanted), f"{wanted}")
        shown = seen.screen().split("\n")
        assert len(shown) == 24 and all(len(line) <= 80 for line in shown)
        assert shown[0].startswith(f"{where}  s3://bkt"[:60]) and "open files: 1" in seen.screen()
        seen.type(keys)
        assert seen.ended() == 0
        modes = termios.tcgetattr(seen.slave)[3]
        assert modes & termios.ECHO and modes & termios.ICANON, "keys are shown again"
    # It was drawn on the other screen, which was left, with the cursor to be seen.
    assert seen.printed.index("\x1b[?1049h") < seen.printed.index("q ends it") < seen.printed.rindex("\x1b[?1049l")
    assert seen.printed.rindex("\x1b[?25h") > seen.printed.rindex("\x1b[?25l")
    # No flicker: nothing is erased, it is drawn over.
    assert "\x1b[2J" not in seen.printed.partition("q ends it")[2]


def test_other_keys_end_nothing_and_a_new_size_is_drawn_at_once(where: Path) -> None:
    with watching(where, "--watch", "--interval", "3600") as seen:
        seen.until(drawn(1), "a first look")
        seen.type(b"x\x1b[A\x1a")
        seen.resize(100, 12)
        seen.until(lambda _: len(seen.screen().split("\n")) == 12, "the new size")
        assert max(map(len, seen.screen().split("\n"))) == 100
        seen.type(b"q")
        assert seen.ended() == 0


def test_terminated_it_leaves_the_terminal_as_it_was(where: Path) -> None:
    with watching(where, "--watch") as seen:
        seen.until(drawn(1), "a first look")
        seen.process.send_signal(signal.SIGTERM)
        assert seen.ended() == 128 + signal.SIGTERM
        modes = termios.tcgetattr(seen.slave)[3]
        assert modes & termios.ECHO and modes & termios.ICANON and "\x1b[?1049l" in seen.printed


def test_a_mount_that_ends_is_said_to_have_ended(where: Path) -> None:
    with watching(where, "--watch", "--interval", "0.2") as seen:
        seen.until(drawn(1), "a first look")
        assert run_mountnd("umount", where).returncode == 0
        assert seen.ended() == 0
    assert f"{where} has ended: it was unmounted" in " ".join(seen.printed.rpartition("\x1b[?1049l")[2].split())


def test_a_daemon_that_does_not_answer_is_told_of_and_asked_again(where: Path) -> None:
    record = cli.daemon_record(where)
    with watching(where, "--watch", "--interval", "0.2", columns=160) as seen:
        seen.until(drawn(1), "a first look")
        stop(record.pid)
        try:
            seen.until(lambda _: f"(pid {record.pid}) is stopped" in seen.screen(), "that it is stopped")
        finally:
            os.kill(record.pid, signal.SIGCONT)
        seen.until(lambda _: "is stopped" not in seen.screen(), "that it goes on")
        seen.type(b"q")
        assert seen.ended() == 0


def test_all_mounts_are_a_line_each(where: Path) -> None:
    with watching("--watch", columns=120) as seen:
        seen.until(drawn(2), "two looks")
        assert "Mountpoint" in seen.screen() and str(where)[-30:] in seen.screen()
        seen.type(b"q")
        assert seen.ended() == 0


def test_names_do_not_rewrite_the_terminal(where: Path) -> None:
    with open(next(where.glob("odd*")), "rb") as file, watching(where, "--watch", columns=120) as seen:
        file.read()
        seen.until(lambda _: "odd\\n\\x1b]0;title\\x07.txt" in seen.screen(), "the name in escapes")
        assert "\x1b]0;title" not in seen.printed
        seen.type(b"q")
        assert seen.ended() == 0


def lines_of(where: Path, *words: str) -> list[str]:
    """What it prints where there is no terminal, until the mount ends; and that it ended well."""
    with subprocess.Popen(
        [*MOUNTND, "stats", str(where), "--watch", "--interval", "0.2", *words],
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            found = [process.stdout.readline() for _ in range(2)]
            assert run_mountnd("umount", where).returncode == 0
            rest, error = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0 and f"{where} has ended" in error
            return [*found, *rest.splitlines()]
        finally:
            process.kill()


def test_without_a_terminal_it_is_a_line_each_time(where: Path) -> None:
    for line in lines_of(where):
        assert re.fullmatch(rf"{where}: read .*/s, memory .*, fetched .*/s, .*, open 0, failures 0", line.rstrip())


def test_as_json_it_is_an_object_each_time(where: Path) -> None:
    for line in lines_of(where, "--json"):
        told = json.loads(line)
        assert told["mountpoint"] == str(where) and told["open_files"] == 0 and "total" in told


def test_interrupted_without_a_terminal_it_ends_well(where: Path) -> None:
    with subprocess.Popen(
        [*MOUNTND, "stats", str(where), "--watch"],
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None and process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


def test_mistakes(where: Path, tmp_path: Path) -> None:
    for words, code, why in (
        ((where, "--interval", "2"), 2, "--interval goes with --watch"),
        ((where, "--watch", "--interval", "0"), 2, "not in the range"),
        ((where, "--watch", "--interval", "soon"), 2, "not a valid float"),
        ((tmp_path, "--watch"), 1, "is not a mount of yours"),
    ):
        done = run_mountnd("stats", *words)
        assert (done.returncode, done.stderr.count("\n")) == (code, 1) and why in done.stderr, done
