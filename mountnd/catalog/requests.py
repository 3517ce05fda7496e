"""The only place in the names room that speaks to the store: counted, inside a deadline, on the workers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import BadAnswer, ServerFault, StoreError, Throttled, TimedOut, Unreachable
from ..stats import Stats
from ..stores.base import Deadline, ObjectStat, Page, Store
from ..workers import Task, Workers

T = TypeVar("T")

# After a request that got no answer with all its retries, while no other got one either, the store
# counts as gone for this many seconds: what is known is served whatever its age and the rest fails at
# once, so that nothing waits a whole time-out for each name. Then the next request finds out.
DOWN_S = 5.0

# Until one is answered again, a request that finds out whether it is back gets no longer than this many seconds.
TRIAL_S = 5.0

# What these errors say is not about the name that was asked for, but about the store or the way to it:
# then what is known from before is served.
OUTAGES = (Unreachable, TimedOut, ServerFault, Throttled)


class Requests:
    """One store's listings and HEADs.

    Args:
        timeout: seconds one request may take, retries included.
        offline: ask nothing; every request raises Unreachable.

    Lock order: `_lock` is a leaf.
    """

    def __init__(
        self,
        store: Store,
        workers: Workers,
        stats: Stats,
        *,
        timeout: float,
        clock: Callable[[], float],
        offline: bool = False,
    ) -> None:
        self.store, self.timeout, self.offline = store, timeout, offline
        self._workers, self._stats, self._clock = workers, stats, clock
        self._lock = threading.Lock()
        self._answered = self._down_until = float("-inf")
        self._lost = False
        self._why: StoreError = Unreachable("offline")

    def down(self) -> StoreError | None:
        """Why the store is not to be asked now, None when it may be."""
        if self.offline:
            return Unreachable(f"{self.store.url}: offline, and this name is not in the catalogue")
        with self._lock:
            return self._why if self._clock() < self._down_until else None

    def lost(self, why: StoreError, since: float = float("inf")) -> None:
        """The store is out of reach, unless it answered anything after `since` (monotonic seconds)."""
        with self._lock:
            if self._answered < since:
                self._lost, self._down_until, self._why = True, self._clock() + DOWN_S, why

    def submit(self, call: Callable[..., T], *args: Any, demand: bool = True) -> Task[T]:
        """Have `call` made on a worker. Raises Unreachable when the workers are closed."""
        try:
            return self._workers.submit(call, *args, demand=demand)
        except RuntimeError:
            raise Unreachable(f"{self.store.url}: the mount is being closed") from None

    def promote(self, task: Task[Any]) -> None:
        """Somebody waits for it now."""
        self._workers.promote(task)

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, start_after: str = "", limit: int = 1000
    ) -> Page:
        """One page (on a worker's thread). Raises what `Store.list_page` raises."""
        self._stats.add("names.list.requests")
        page = self._guard(
            lambda deadline: self.store.list_page(
                prefix, delimiter=delimiter, token=token, start_after=start_after, limit=limit, deadline=deadline
            )
        )
        if token is not None and page.token == token:
            raise BadAnswer(f"{self.store.url}: the listing of {prefix!r} does not come on")
        self._stats.add("names.list.keys", len(page.objects) + len(page.prefixes))
        return page

    def head(self, key: str) -> ObjectStat:
        """What a key is now (on a worker's thread). Raises what `Store.head` raises."""
        self._stats.add("names.head.requests")
        return self._guard(lambda deadline: self.store.head(key, deadline=deadline))

    def _guard(self, ask: Callable[[Deadline], T]) -> T:
        if why := self.down():
            raise why
        begun = self._clock()
        try:
            result = ask(Deadline(min(self.timeout, TRIAL_S) if self._lost else self.timeout))
        except (Unreachable, TimedOut) as e:
            self.lost(e, begun)
            raise
        except StoreError:
            self._found()
            raise
        self._found()
        return result

    def _found(self) -> None:
        with self._lock:
            self._lost, self._answered, self._down_until = False, self._clock(), float("-inf")
