"""A server that lets requests hang (`server_scripts/hanging_s3.py`), and programs that wait for it by the hundred."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from signal import Signals
from typing import NamedTuple

from . import waiting_programs
from .children import killed_after
from .server_scripts import hanging_s3
from .servers import SCRIPTS, script_server
from .waiting import wait_until

BUCKET = "s3://bkt"
content = hanging_s3.content
SIZE = hanging_s3.SIZE


class State(NamedTuple):
    """Requests that hang now; that hung and whose connection was closed; that were answered."""

    held: int
    left: int
    answered: int


class Hanging:
    """A running server. `url`: its endpoint."""

    def __init__(self, port: int, control: int) -> None:
        self.url, self._control = f"http://127.0.0.1:{port}", control

    def hang(self, *patterns: str) -> None:
        """Let requests hang from now on that one of these fits; those go on that hang and do not fit any more."""
        self._ask(hang=patterns)

    def state(self) -> State:
        return self._ask()

    def await_held(self, at_least: int, seconds: float = 60.0) -> None:
        wait_until(lambda: self.state().held >= at_least, f"{at_least} requests that hang", seconds, pause=0.1)

    def _ask(self, **what: object) -> State:
        with socket.create_connection(("127.0.0.1", self._control), timeout=20) as s, s.makefile("rw") as lines:
            lines.write(json.dumps(what) + "\n")
            lines.flush()
            return State(**json.loads(lines.readline()))


@contextlib.contextmanager
def hanging_server() -> Iterator[Hanging]:
    with script_server(SCRIPTS / "hanging_s3.py") as line:
        port, control = map(int, line.split())
        yield Hanging(port, control)


class Programs:
    """Programs that wait, each a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ended(self) -> int:
        """How many have ended by themselves since this was asked last."""
        return int(self._ask("ended"))

    def seconds_to_end(self, number: Signals) -> float:
        """Send a signal to each; the seconds until the last is gone, 60 where that takes longer."""
        return float(self._ask(f"signal {int(number)}"))

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        with killed_after(90, self._process):
            return self._process.stdout.readline()


@contextlib.contextmanager
def programs(kind: str, paths: Sequence[str | bytes]) -> Iterator[Programs]:
    """One program for each path (see `waiting_programs.py` for the kinds). Killed at the end."""
    process = subprocess.Popen(
        [sys.executable, waiting_programs.__file__, kind, *paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        with killed_after(60, process):
            assert process.stdout.readline() == "begun\n"
        yield Programs(process)
    finally:
        process.stdin.close()  # it kills them
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
