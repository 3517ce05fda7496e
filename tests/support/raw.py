"""A server that says bytes, whatever is asked, in a process of its own (`server_scripts/raw_server.py`)."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .servers import SCRIPTS, START_S, script_server

Step = tuple[Any, ...]
HANG: Step = ("hang",)


def say(piece: bytes) -> Step:
    return ("say", base64.b64encode(piece).decode())


def trickle(piece: bytes, pause: float = 0.1, times: int = 0) -> Step:
    """`piece` again and again, with a pause in seconds, so many times; 0: until the client hangs up."""
    return ("trickle", base64.b64encode(piece).decode(), pause, times)


class Raw:
    """A running server. `url`: where it listens."""

    def __init__(self, url: str, control: str) -> None:
        self.url, self._control = url, control
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def play(self, *steps: Step, at_once: bool = False, close: bool = True) -> None:
        """Tell this to every connection from now on, and forget those so far.

        Args:
            at_once: without a request.
            close: end the connection after the first answer.
        """
        script = json.dumps({"steps": steps, "at_once": at_once, "close": close}).encode()
        self._direct.open(urllib.request.Request(self._control, script, method="PUT"), timeout=START_S).close()

    def connections(self) -> list[dict[str, Any]]:
        """Of each since the last `play`: `begun`, `ended` (seconds since the epoch, None), `heads` of its requests."""
        with self._direct.open(self._control, timeout=START_S) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found


@contextmanager
def raw_server(tls: tuple[Path, Path] | None = None) -> Iterator[Raw]:
    """A server that says nothing yet; yields it. `tls`: (certificate, key) files."""
    with script_server(SCRIPTS / "raw_server.py", *(str(path) for path in tls or ())) as line:
        port, control = line.split()
        yield Raw(f"{'https' if tls else 'http'}://127.0.0.1:{port}", f"http://127.0.0.1:{control}/")
