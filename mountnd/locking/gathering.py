"""Many requests side by side, whose answers are taken as they come.

Lock order: `Asker._lock` and that of `Shared` are leaves; under the latter items are read from a file.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from ..stores.base import Deadline
from ..threads import start

T = TypeVar("T")

# Requests at once: as many as a mount has for names.
SIDE_BY_SIDE = 16
# Answers that wait to be taken, at most: pages of a thousand objects.
_WAITING = 64
# How often a thread whose answer nobody takes looks whether anybody will.
_LOOK_S = 0.1


class Asker:
    """The deadlines of one thread's requests, one after the other.

    Args:
        seconds: that each request may take, retries included.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._lock = seconds, threading.Lock()
        self._deadline: Deadline | None = None
        self.cancelled = False

    def deadline(self) -> Deadline:
        """That of the next request."""
        with self._lock:
            deadline = self._deadline = Deadline(self._seconds)
        if self.cancelled:
            deadline.cancel()
        return deadline

    def cancel(self) -> None:
        """End the request that is under way, and all to come."""
        self.cancelled = True
        with self._lock:
            deadline = self._deadline
        if deadline is not None:
            deadline.cancel()


Job = Callable[[Asker], Iterator[T]]


def gathered(jobs: Sequence[Job[T]], seconds: float) -> Iterator[T]:
    """What the jobs yield, in the order in which it comes. Each has a thread of its own, of which there are to be few.

    The first error of a job is raised, and ends the others, as does whoever takes no more.

    Args:
        seconds: that each request may take.
    """
    askers = [Asker(seconds) for _ in jobs]
    came: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(_WAITING)

    def put(asker: Asker, kind: str, what: T | BaseException | None) -> None:
        while not asker.cancelled:
            try:
                came.put((kind, what), timeout=_LOOK_S)
                return
            except queue.Full:
                continue

    def run(job: Job[T], asker: Asker) -> None:
        try:
            for one in job(asker):
                put(asker, "one", one)
                if asker.cancelled:
                    return
        except BaseException as error:
            put(asker, "error", error)
        else:
            put(asker, "end", None)

    try:
        for job, asker in zip(jobs, askers, strict=True):
            start(threading.Thread(target=run, args=(job, asker), name="lock", daemon=True))
        left = len(jobs)
        while left:
            kind, what = came.get()
            if kind == "one":
                yield what  # type: ignore[misc]
            elif kind == "end":
                left -= 1
            else:
                assert isinstance(what, BaseException)
                raise what
    finally:
        for asker in askers:
            asker.cancel()


class Shared(Generic[T]):
    """Items for several threads, each of which is given to one of them. An iterator."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items, self._lock = iter(items), threading.Lock()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._lock:
            return next(self._items)
