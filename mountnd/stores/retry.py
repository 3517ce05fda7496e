"""A store around a store: tries again after a transient error, with growing random pauses, inside the deadline."""

from __future__ import annotations

import random as _random
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..checks.digest import Told
from ..errors import StoreError, Throttled, TimedOut
from .base import Deadline, ObjectId, ObjectStat, Page, ShortRead, Store
from .common import WrappingStore
from .object_versions import Marker, VersionsPage

T = TypeVar("T")

# A second attempt after a dropped connection should cost a person nothing, so start at 0.1 s; a
# server that asks to slow down means it, so there at 1 s. Neither waits longer than 8 s: with the
# default deadline of 60 s that still leaves some ten attempts.
BASE_S = 0.1
THROTTLED_BASE_S = 1.0
CAP_S = 8.0

# An attempt that had less time than this, and came to nothing in it, tells less than the one before it.
SHORT_S = 1.0
# One attempt gets at most half of the default deadline, so that a server which trickles bytes for ever
# does not use it all up. The stores themselves give up on a silent server sooner.
ATTEMPT_S = 30.0


def delay(failures: int, jitter: float, *, throttled: bool = False) -> float:
    """Seconds to wait after the `failures`-th failed attempt (1, 2, ...), with `jitter` in [0, 1).

    "Full jitter" of M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015: uniform
    between nothing and an exponentially growing bound, so that clients which failed together do not
    come back together.
    """
    base = THROTTLED_BASE_S if throttled else BASE_S
    # 2**20 is past the cap already; bounded so that no count of failures overflows a float
    return jitter * min(CAP_S, base * 2.0 ** min(failures - 1, 20))


class Retrying(WrappingStore):
    """Forwards to `store`; a call that fails with a transient StoreError is repeated until its deadline.

    Args:
        store: makes one attempt a call.
        attempt_seconds: the most one attempt may take.
        sleep, random: injected by tests; seconds (None: until the deadline is cancelled), uniform in [0, 1).
        on_retry: called before each repetition with the error and the pause in seconds (log, counter).
    """

    def __init__(
        self,
        store: Store,
        *,
        attempt_seconds: float = ATTEMPT_S,
        sleep: Callable[[float], object] | None = None,
        random: Callable[[], float] = _random.random,
        on_retry: Callable[[StoreError, float], object] | None = None,
    ) -> None:
        super().__init__(store)
        self._attempt_s, self._sleep, self._random = attempt_seconds, sleep, random
        self._on_retry = on_retry

    @property
    def once(self) -> Store:
        return self._store.once

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = 1000,
        deadline: Deadline,
    ) -> Page:
        return self._retry(
            lambda attempt: self._store.list_page(
                prefix, delimiter=delimiter, token=token, start_after=start_after, limit=limit, deadline=attempt
            ),
            prefix,
            deadline,
        )

    def list_versions(self, prefix: str, *, after: Marker | None = None, deadline: Deadline) -> VersionsPage:
        return self._retry(
            lambda attempt: self._store.list_versions(prefix, after=after, deadline=attempt), prefix, deadline
        )

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        return self._retry(lambda attempt: self._store.head(key, deadline=attempt), key, deadline)

    def head_version(self, key: str, version: str, *, deadline: Deadline) -> ObjectStat:
        return self._retry(lambda attempt: self._store.head_version(key, version, deadline=attempt), key, deadline)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        self._retry(lambda attempt: self._store.read(id, start, views, deadline=attempt), id.key, deadline)

    @property
    def begins_reads(self) -> bool:
        return self._store.begins_reads

    def connections_for(self, id: ObjectId, length: int, sharing: int) -> int:
        return self._store.connections_for(id, length, sharing)

    def begin_read(self, read: ShortRead) -> bool:
        return self._store.begin_read(read._replace(deadline=read.deadline.within(self._attempt_s)))

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        return self._retry(lambda attempt: self._store.digests(id, deadline=attempt), id.key, deadline)

    def _retry(self, call: Callable[[Deadline], T], what: str, deadline: Deadline) -> T:
        failures, last = 0, None
        while True:
            subject = f"{self.url}: {what!r}" if what else self.url
            if (why := deadline.over(subject)) is not None:
                raise why if last is None or deadline.cancelled else last  # which says more than that time is over
            left = deadline.left()
            try:
                return call(deadline.within(self._attempt_s))
            except StoreError as error:
                is_over = isinstance(error, TimedOut) and not (deadline.cancelled or deadline.left())
                if is_over and left < SHORT_S and last is not None:
                    raise last from None
                if deadline.cancelled and (why := deadline.over(subject)) is not None:
                    raise why from error
                if not error.transient:
                    raise
                failures, last = failures + 1, error
                deadline.told.retries = failures
                pause = delay(failures, self._random(), throttled=isinstance(error, Throttled))
                if pause >= deadline.left():
                    raise
                if self._on_retry is not None:
                    self._on_retry(error, pause)
            (self._sleep or deadline.sleep)(pause)
