"""Signals that end the process in the middle of something: what was begun is undone first.

Signals belong to the process, so the state of `deferred` is the module's; only the main thread touches it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_deferring = False
_pending: list[int] = []
_leaving = False


def _leave(number: int, frame: FrameType | None) -> None:
    global _leaving
    if _leaving:
        return  # a second one (Ctrl-C for the whole group, then SIGTERM) must not interrupt the undoing
    if _deferring:
        _pending.append(number)
        return
    _leaving = True
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


@contextmanager
def raised() -> Iterator[None]:
    """Within it the first SIGTERM or SIGHUP raises SystemExit in the main thread, the first SIGINT KeyboardInterrupt.

    A child forked within it does so too, until the code that serves the mount takes over the signals. Ignored
    signals (a shell's background job, nohup) stay ignored.
    """
    global _leaving
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may; a program that mounts from another one handles signals itself
        return
    _leaving = False
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, _leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[None]:
    """Within it (and within `raised`) signals wait until its end: between starting a process and knowing its pid."""
    global _deferring
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _deferring = True
    try:
        yield
    finally:
        _deferring = False
        if _pending:
            number = _pending[0]
            _pending.clear()
            _leave(number, None)
