"""Requests under way, by what they ask for: whoever asks the same joins (single flight). Futures combined.

Lock order: `SingleFlight._lock` is a leaf; futures are completed outside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from ...waits import Awaited

T = TypeVar("T")


class SingleFlight:
    """The requests under way, by (kind, what they ask for)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, Hashable], Future[Any]] = {}

    def join(self, what: tuple[str, Hashable], start: Callable[[], Future[T]]) -> Future[T]:
        """The future of `what`, made by `start()` (which must not block) unless one is under way."""
        with self._lock:
            future = self._under_way.get(what)
            if future is not None:
                return future
            future = self._under_way[what] = start()

        def done(_: Future[T]) -> None:
            with self._lock:
                if self._under_way.get(what) is future:
                    del self._under_way[what]

        future.add_done_callback(done)
        return future

    def covering(self, kind: str, prefix: str) -> list[Future[Any]]:
        """What is under way of a kind for keys that begin as `prefix` does."""
        with self._lock:
            return [
                future for (of, what), future in self._under_way.items() if of == kind and prefix.startswith(str(what))
            ]

    def forget(self, what: Hashable) -> None:
        """Nobody may join what is under way for `what` any more."""
        with self._lock:
            for key in [key for key in self._under_way if key[1] == what]:
                del self._under_way[key]

    def clear(self) -> None:
        """Nobody may join anything that is under way now."""
        with self._lock:
            self._under_way.clear()


def first_answer(futures: Sequence[Future[Any]], decide: Callable[[], T | None]) -> Future[Any]:
    """Completes with `decide()` as soon as that is not None, which is asked each time one of `futures` ends.

    When all have ended and it still is None: the first of their errors, or None. Who waits for it waits for them.
    """
    result: Future[Any] = Awaited(parts=futures)
    lock = threading.Lock()
    left = len(futures)
    completed = False

    def complete(answer: T | None, error: BaseException | None = None) -> None:
        nonlocal completed
        with lock:
            if completed:
                return
            completed = True
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(answer)

    def done(_: Future[Any]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = not left
        try:
            answer = decide()
        except BaseException as e:
            complete(None, e)
            return
        if answer is not None:
            complete(answer)
        elif last:
            errors = [future.exception() for future in futures if not future.cancelled()]
            complete(None, next((error for error in errors if error is not None), None))

    if not futures:
        complete(decide())
    for future in futures:
        future.add_done_callback(done)
    return result
