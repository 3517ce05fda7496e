"""Sizes of files where listings do not tell them: asked for one by one, and ahead of a walk from file to file.

Names never wait for them. A look-up does, since the kernel takes attributes with it. What cannot be found out for good
(it may not be read, it is not what its name says) is shown with the size in the listing: it cannot be opened, either.

Lock order: `FileSizes._lock` is a leaf but for the workers'.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from ...errors import Archived, BadAnswer, Forbidden, StoreError
from ...stores.base import ObjectId, ObjectStat, Sizes
from ...workers import Task
from ..model.permissions import FORBIDDEN_S
from ..requests import OFFLINE, Requests
from ..waiting import Waiting
from .directory_stream import ListedEntries

# What says that a size will not be known soon.
_FOR_GOOD = (Forbidden, Archived, BadAnswer)
# Files that such errors are remembered of, and directories in which somebody looks at one file after another.
REMEMBERED, DIRECTORIES = 10_000, 256
# So many files later in a directory is the next one, where some were passed by.
NEAR = 4
# How many are asked for ahead at first, and at most; and how many at once where attributes come with the names.
AHEAD_FIRST, AHEAD_MOST = 4, 64


class FileSizes:
    """Finds out the sizes of one store's files. `clock`: monotonic seconds."""

    def __init__(self, sizes: Sizes, requests: Requests, waiting: Waiting, clock: Callable[[], float]) -> None:
        self.is_told, self.known, self.known_readable = sizes.is_told, sizes.known, sizes.known_readable
        self.refusal, self.stored_key = sizes.refusal, sizes.stored_key
        self._sizes, self._requests, self._waiting, self._clock = sizes, requests, waiting, clock
        self._lock = threading.Lock()
        self._flights: dict[tuple[ObjectId, bool], Task[ObjectStat]] = {}
        self._refused: OrderedDict[ObjectId, float] = OrderedDict()
        self._walks: OrderedDict[str, _Walk] = OrderedDict()

    def shown(self, stat: ObjectStat) -> ObjectStat:
        """A file's stat with the size that is shown. Raises NotFound and Changed where it is not that version any
        more, transient errors, and Interrupted."""
        if (known := self.known(stat)) is not None or self._is_refused(stat.id):
            return known or stat
        try:
            return self._wait(self._flight(stat, readable=False))
        except _FOR_GOOD:
            self._refuse(stat.id)
        except StoreError as e:
            if e.code != OFFLINE:
                raise
        return stat

    def readable(self, stat: ObjectStat) -> ObjectStat:
        """A file's stat as it is to be read. Raises every StoreError, and Interrupted."""
        if (known := self.known_readable(stat)) is not None:
            return known
        return self._wait(self._flight(stat, readable=True))

    def begin(self, stats: Iterable[ObjectStat], *, readable: bool = False) -> None:
        """Find out these without waiting, when there is nothing better to do; no more than some at once. Never
        raises."""
        known = self.known_readable if readable else self.known
        for stat in stats:
            if known(stat) is None and not self._is_refused(stat.id):
                if len(self._flights) >= AHEAD_MOST:
                    return
                try:
                    self._flight(stat, readable=readable, demand=False)
                except StoreError:
                    return

    def looked_at(self, directory: str, name: bytes, entries: Callable[[], ListedEntries | None]) -> None:
        """Somebody looks at a file: begin those that come next, where that is what they do.

        Args:
            directory: its key prefix; `entries`: what is known of it.
        """
        listed = entries()
        if listed is None:
            return
        at = _place(listed, name)
        with self._lock:
            walk = self._walks.setdefault(directory, _Walk())
            self._walks.move_to_end(directory)
            if len(self._walks) > DIRECTORIES:
                self._walks.popitem(last=False)
            first, stop = walk.looked_at(at)
        stop = min(stop, len(listed))
        self.begin(entry.stat for i in range(first, stop) if (entry := listed[i]).stat is not None and not entry.is_dir)

    def _flight(self, stat: ObjectStat, *, readable: bool, demand: bool = True) -> Task[ObjectStat]:
        key = stat.id, readable
        with self._lock:
            task = self._flights.get(key)
            if task is None or task.future.cancelled():
                call = self._sizes.check if readable else self._sizes.ask
                task = self._requests.submit(self._requests.size, call, stat, demand=demand)
                self._flights[key] = task
                new = True
            else:
                new = False
        if new:
            task.future.add_done_callback(lambda future: self._ended(key, future))
        elif demand:
            self._requests.promote(task)
        return task

    def _ended(self, key: tuple[ObjectId, bool], future: Future[ObjectStat]) -> None:
        with self._lock:
            if (task := self._flights.get(key)) is not None and task.future is future:
                del self._flights[key]

    def _wait(self, task: Task[ObjectStat]) -> ObjectStat:
        return self._waiting.wait(task.future)

    def _is_refused(self, id: ObjectId) -> bool:
        at = self._refused.get(id)
        return at is not None and self._clock() - at < FORBIDDEN_S

    def _refuse(self, id: ObjectId) -> None:
        with self._lock:
            self._refused[id] = self._clock()
            if len(self._refused) > REMEMBERED:
                self._refused.popitem(last=False)


class _Walk:
    """Who looks at one file of a directory after another. Pure.

    Attributes:
        at: place of the file that was looked at last; `begun`: of those before it sizes were asked for ahead.
    """

    __slots__ = ("_ahead", "at", "begun")

    def __init__(self) -> None:
        self.at, self.begun, self._ahead = -1, 0, 0

    def looked_at(self, at: int) -> tuple[int, int]:
        """The places `[first, stop)` to be asked for now."""
        goes_on = self.at >= 0 and self.at < at <= max(self.at + NEAR, self.begun)
        if not goes_on:
            if at != self.at:
                self.at, self.begun, self._ahead = at, at + 1, 0
            return at, at
        self.at = at
        if self._ahead and self.begun - at > self._ahead // 2:
            return at, at
        self._ahead = min(AHEAD_MOST, max(AHEAD_FIRST, 2 * self._ahead))
        first, self.begun = max(at + 1, self.begun), at + 1 + self._ahead
        return first, self.begun


def _place(listed: ListedEntries, name: bytes) -> int:
    """Where a name is in a directory, or would be."""
    return bisect_left(range(len(listed)), name, key=listed.name)
