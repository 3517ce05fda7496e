"""The control socket: whatever a program sends to a mount's daemon, and whatever answers in a daemon's place."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from mountnd.daemon import control, rundir

from .target import NUMBERS, Run, Target

_MOUNTPOINT = Path("/nowhere/fuzz")
_WAIT_S = 20.0


def _record() -> rundir.Record:
    started = rundir.started(os.getpid())
    assert started is not None
    return rundir.Record(mountpoint=str(_MOUNTPOINT), pid=os.getpid(), started=started, since=time.time())


@contextmanager
def _run_directory() -> Iterator[Path]:
    """A run directory of its own, with a record of this process as the daemon."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as home, patch.dict(os.environ, MOUNTND_RUN_DIR=home):
        yield rundir.claim(_record()).parent


def request_seeds() -> list[bytes]:
    seeds = [
        b'{"verb": "stats"}',
        b'{"verb": "stats", "path": "/a"}',
        b"",
        b"{}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"\xff",
    ]
    seeds += [b'{"verb": %s}' % odd for odd in (b"1", b"null", b"[]", b"{}", b'"\\ud800"', *NUMBERS)]
    return [*seeds, b'{"verb": "' + b"x" * 60_000 + b'"}', b'{"verb": "' + b"x" * 65_530 + b'"}', b"\n" * 1000]


@contextmanager
def server_opened() -> Iterator[Run]:
    """A daemon's socket; each input is sent to it, and one line of JSON comes back."""
    with _run_directory() as place, control.serving(_MOUNTPOINT, {"stats": lambda _: {"total": 1}}):
        (path,) = place.glob("*.sock")

        def run(data: bytes) -> None:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(_WAIT_S)
                s.connect(str(path))
                try:
                    s.sendall(data + b"\n")
                    s.shutdown(socket.SHUT_WR)
                except (BrokenPipeError, ConnectionResetError):
                    return  # it did not read all of it: closed on purpose
                answer = _all(s)
            assert answer, "no answer to a whole line"
            assert answer.count(b"\n") == 1 and len(answer) < 1 << 20
            reply = json.loads(answer)
            assert len({"ok", "error"} & set(reply)) == 1 and not str(reply.get("error", "")).startswith("internal")

        yield run


def _all(s: socket.socket) -> bytes:
    parts = []
    try:
        while part := s.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass  # closed with bytes of ours unread; what was answered came before
    return b"".join(parts)


def reply_seeds() -> list[bytes]:
    seeds = [
        b'{"ok": {"total": 1}}\n',
        b'{"error": "no such path"}\n',
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"1\n",
        b'"error"\n',
    ]
    return [
        *seeds,
        b"[" * 60_000,
        b'{"error": {"a": [1]}}\n',
        b'{"ok"',
        b"\xff\n",
        *(b'{"ok": %s}\n' % number for number in NUMBERS),
    ]


@contextmanager
def reply_opened() -> Iterator[Run]:
    """Something in a daemon's place that answers each request with the input: an answer, or MountError."""
    with _run_directory() as place, ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(place / f"{rundir.stem(_MOUNTPOINT)[-8:]}.sock"))
        listener.listen()
        answers: list[bytes] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    try:
                        connection.sendall(answers[-1])
                    except OSError:
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        stack.callback(thread.join, _WAIT_S)
        stack.callback(listener.shutdown, socket.SHUT_RDWR)

        def run(data: bytes) -> None:
            answers[:] = [data]
            control.request(_MOUNTPOINT, "stats", seconds=_WAIT_S)

        yield run


TARGETS = [
    Target("control_request", request_seeds, server_opened, [b'"verb"', b'"stats"', b"null", b"\\ud800", b"["]),
    Target("control_reply", reply_seeds, reply_opened, [b'"ok"', b'"error"', b"null", b"\\ud800", b"["]),
]
