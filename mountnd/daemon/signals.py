"""Being told to end before the tree is there: everything that was begun is taken back first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def raised() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP raise SystemExit in the main thread, as SIGINT raises KeyboardInterrupt.

    A child forked within it does so too, until whoever serves the mount takes the signals over.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may; whoever mounts from another one looks after signals itself
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
