"""One call that a worker makes: its future, and how it is cancelled, queued or under way.

Lock order: `_ends` is a leaf.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakMethod

from .waits import Awaited

T = TypeVar("T")

_this_thread = threading.local()
_ends = threading.Lock()  # what ends tasks that run


def _begin_anew() -> None:
    """In a forked process: somebody may have held the lock."""
    global _ends
    _ends = threading.Lock()


os.register_at_fork(after_in_child=_begin_anew)


class Task(Generic[T]):
    """One call to be made by a worker. `future` completes with its outcome.

    Attributes:
        queued, began: when, in monotonic seconds.
    """

    __slots__ = ("__weakref__", "_ended_by", "args", "began", "call", "cancelled", "future", "queued")

    def __init__(self, call: Callable[..., T], args: tuple[Any, ...]) -> None:
        self.call, self.args = call, args
        self.future: Awaited[T] = Awaited(WeakMethod(self.cancel))
        self.queued = self.began = time.monotonic()
        self.cancelled = False
        self._ended_by: Callable[[], object] | None = None

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        _this_thread.task = self
        try:
            result = self.call(*self.args)
        except BaseException as e:
            self.future.set_exception(e)
        else:
            self.future.set_result(result)
        finally:
            _this_thread.task = self._ended_by = None

    def cancel(self) -> None:
        """Nobody wants it any more: dropped where it is queued; what it waits for is ended where it runs.

        Then it fails promptly with whatever error that is, usually `errors.Cancelled`.
        """
        if self.future.cancel():
            return
        with _ends:
            self.cancelled, end = True, self._ended_by
        if end is not None:
            end()

    def ended_by(self, end: Callable[[], object]) -> None:
        """From now on `end()` ends what the call waits for; called at once where the task is cancelled already."""
        with _ends:
            self._ended_by, cancelled = end, self.cancelled
        if cancelled:
            end()


def cancels(end: Callable[[], object]) -> None:
    """When the task that this thread runs is cancelled, `end()` ends what it waits for from now on.

    Replaces what was said before; does nothing on a thread that is no worker's. `end` must not block.
    """
    task: Task[Any] | None = getattr(_this_thread, "task", None)
    if task is not None:
        task.ended_by(end)
