"""The event loop that botocore's coroutines run on, and waiting for them: credentials, and how a bucket is reached.

One for the whole process, on a thread that is made when it is first needed; who needs no keys does not even import
asyncio. It is not the loop of fsspec, which takes longer to import than keys that are written down take to be found.

Lock order: `_lock` is a leaf: it guards that there is one loop.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from ...threads import start
from ..base import Deadline
from .translate import Subject, translate

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

T = TypeVar("T")

_lock = threading.Lock()
_loop: AbstractEventLoop | None = None


def event_loop() -> AbstractEventLoop:
    """The running loop. Raises MountError where the system grants no thread for it."""
    global _loop
    with _lock:
        if _loop is None:
            from asyncio import new_event_loop

            loop = new_event_loop()
            start(threading.Thread(target=loop.run_forever, name="botocore", daemon=True))
            _loop = loop
        return _loop


def _forget_loop() -> None:
    """In a child of this process there is no thread that runs it."""
    global _loop
    _loop = None


os.register_at_fork(after_in_child=_forget_loop)


def submitted(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """`coroutine` on its way on the loop."""
    from asyncio import run_coroutine_threadsafe

    return run_coroutine_threadsafe(coroutine, event_loop())


def wait(coroutine: Coroutine[Any, Any, T], subject: Subject, deadline: Deadline) -> T:
    """Run `coroutine` on the loop and wait; at the deadline it is cancelled. Raises StoreError."""
    if (why := deadline.over(subject)) is not None:
        coroutine.close()
        raise why
    future = submitted(coroutine)
    try:
        return deadline.result(future, subject)
    except Exception as error:
        future.cancel()
        raise deadline.over(subject) or translate(error, subject) from error
