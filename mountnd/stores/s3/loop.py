"""Waiting for what runs on botocore's event loop: credentials, and how a bucket is reached."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ..base import Deadline
from .translate import Subject, translate

T = TypeVar("T")


def event_loop() -> asyncio.AbstractEventLoop:
    """The running loop of fsspec's thread (started if need be)."""
    from fsspec.asyn import get_loop

    loop: asyncio.AbstractEventLoop = get_loop()
    return loop


def wait(coroutine: Coroutine[Any, Any, T], subject: Subject, deadline: Deadline) -> T:
    """Run `coroutine` on the loop and wait; at the deadline it is cancelled. Raises StoreError."""
    if (why := deadline.over(subject)) is not None:
        coroutine.close()
        raise why
    future = asyncio.run_coroutine_threadsafe(coroutine, event_loop())
    try:
        return deadline.result(future, subject)
    except Exception as error:
        future.cancel()
        raise deadline.over(subject) or translate(error, subject) from error
