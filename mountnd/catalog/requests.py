"""The only place in the catalogue that speaks to the store: counted, inside a deadline, on the workers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from ..errors import BadAnswer, Cancelled, Forbidden, ServerFault, StoreError, Throttled, TimedOut, Unreachable
from ..stats import HEADS, LISTED_KEYS, LISTS, Stats
from ..stores.base import Deadline, ObjectStat, Page, Store
from ..workers import Task, Workers, cancels
from .model.keys import PAGE_KEYS, inside
from .model.permissions import ListingPermissions

T = TypeVar("T")

# A circuit breaker: after a request that got no answer with all its retries, while no other got one either, the store
# counts as out of reach for this many seconds: what is known is served whatever its age and the rest fails at
# once, so that nothing waits a whole time-out for each name. Then the next request finds out.
OUTAGE_S = 5.0

# Until one is answered again, a request that finds out whether it is back gets no longer than this many seconds.
TRIAL_S = 5.0

# What these errors say is not about the name that was asked for, but about the store or the way to it:
# then what is known from before is served.
OUTAGES = (Unreachable, TimedOut, ServerFault, Throttled)

# Empty pages in a row that a listing may have: where all that they held was deleted, they are legal, a page for each
# 1,000 keys. The deadline comes first wherever a page takes 6 ms and more.
EMPTY_PAGES_MAX = 10_000

# Keys that cannot be shown, of pages which have no others, that are reported with the next one that has.
UNSHOWABLE_MAX = 2000

# A refusal that is remembered has the store look whether there are other keys now, at most once in this many seconds,
# and for no longer than `TRIAL_S`: meanwhile the name is waited for.
LOOK_S = 3.0

# The code of a refusal by `stores.offline.Offline`: no request was made, and no outage was met.
OFFLINE = "Offline"


class Requests:
    """One store's listings and HEADs.

    Args:
        timeout: seconds one request may take, retries included.
        clock: monotonic seconds.

    Attributes:
        flat: see `Store.flat`.
        knows_names: see `Store.knows_names`. Its answers are no requests, and not counted as such.

    Lock order: `_lock` is a leaf.
    """

    def __init__(
        self, store: Store, workers: Workers, stats: Stats, *, timeout: float, clock: Callable[[], float]
    ) -> None:
        self.flat, self.knows_names = store.flat, store.knows_names
        self._store, self._timeout = store, timeout
        self._workers, self._stats, self._clock = workers, stats, clock
        self._lock = threading.Lock()
        self._permissions_of_keys = ListingPermissions()  # guarded by the lock, as is:
        self._renewals_seen = store.renewals.count
        self._last_answer = self._outage_until = self._looked = float("-inf")
        self._on_trial = False
        self._outage: StoreError = Unreachable(store.url)

    def outage(self) -> StoreError | None:
        """Why the store is not to be asked now, None when it may be."""
        with self._lock:
            return self._outage if self._clock() < self._outage_until else None

    def report_outage(self, why: StoreError, since: float = float("inf")) -> None:
        """The store is out of reach, unless it answered anything after `since` (monotonic seconds)."""
        if why.code == OFFLINE:
            return
        with self._lock:
            if self._last_answer < since:
                self._on_trial, self._outage_until, self._outage = True, self._clock() + OUTAGE_S, why

    def submit(self, call: Callable[..., T], *args: Any, demand: bool = True) -> Task[T]:
        """Have `call` made on a worker. Raises Unreachable when the workers are closed."""
        try:
            return self._workers.submit(call, *args, demand=demand)
        except RuntimeError:
            raise Unreachable(f"{self._store.url}: the mount is being closed") from None

    def look_for_keys(self) -> Task[bool] | None:
        """Have the store look whether there are other keys than those that were refused; None when it just has."""
        with self._lock:
            if self._clock() - self._looked < LOOK_S:
                return None
            self._looked = self._clock()
        return self.submit(self._renew)

    def _renew(self) -> bool:
        deadline = Deadline(min(self._timeout, TRIAL_S))
        cancels(deadline.cancel)
        return self._store.renew(deadline=deadline)

    def promote(self, task: Task[Any]) -> None:
        """Somebody waits for it now."""
        self._workers.promote(task)

    def list(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = PAGE_KEYS,
    ) -> Page:
        """One page (on a worker's thread) with names in it, unless the listing ends. Raises what the store does.

        Where pages of so many keys are refused, it may hold fewer than `limit`, and not be the last.
        """
        begun, seen = self._clock(), {token}
        unshowable: tuple[str, ...] = ()
        hidden: tuple[tuple[str, str], ...] = ()
        while True:
            page = self._list_permitted(prefix, delimiter, token, start_after, limit)
            if page.token is not None and page.token in seen:
                raise BadAnswer(f"{self._store.url}: the listing of {prefix!r} makes no progress")
            unshowable = (unshowable + page.unshowable)[:UNSHOWABLE_MAX]
            hidden = (hidden + page.hidden)[:UNSHOWABLE_MAX]
            if page.token is None or page.objects or page.prefixes:
                return page._replace(unshowable=unshowable, hidden=hidden)
            if len(seen) > EMPTY_PAGES_MAX:
                raise BadAnswer(f"{self._store.url}: the listing of {prefix!r} has only empty pages")
            if self._clock() - begun >= self._timeout:
                raise TimedOut(f"{self._store.url}: only empty pages of {prefix!r} within {self._timeout:g} s")
            token = page.token
            seen.add(token)

    def may_list_flat(self, prefix: str) -> bool:
        """Whether listing the keys that begin with `prefix` without delimiter is worth trying: it saves requests, and
        was not refused."""
        if self.knows_names:
            return False
        with self._lock:
            return self._permissions().may_list_flat(prefix, self._clock())

    def root_listed(self, limit: int) -> None:
        """A page of up to `limit` keys was got past this object."""
        with self._lock:
            self._permissions().allowed(limit, flat=False)

    def _permissions(self) -> ListingPermissions:
        """What was learnt with today's keys. Call it with the lock held."""
        if self._renewals_seen != self._store.renewals.count:
            self._renewals_seen = self._store.renewals.count
            self._permissions_of_keys = ListingPermissions()
        return self._permissions_of_keys

    def head(self, key: str) -> ObjectStat:
        """What a key is now (on a worker's thread). Raises what `Store.head` raises."""
        return self._guard(HEADS, lambda deadline: self._store.head(key, deadline=deadline))

    def size(self, call: Callable[..., ObjectStat], stat: ObjectStat) -> ObjectStat:
        """`call(stat, deadline=...)` of the store's `Sizes` (on a worker's thread). Raises what that raises."""
        if why := self.outage():
            raise why
        begun, deadline = self._clock(), Deadline(self._timeout)
        cancels(deadline.cancel)
        try:
            found = call(stat, deadline=deadline)
        except Unreachable as e:
            self.report_outage(e, begun)
            raise
        return found

    def _list_permitted(self, prefix: str, delimiter: str, token: str | None, start_after: str, limit: int) -> Page:
        """One page, of fewer keys where a policy refuses whole ones."""
        with self._lock:
            limit = min(limit, self._permissions().most_keys(self._clock()))
        try:
            return self._list_once(prefix, delimiter, token, start_after, limit)
        except Forbidden as refused:
            with self._lock:
                if not delimiter:  # whoever asked falls back to listings with one
                    self._permissions().flat_refused(prefix, self._clock())
                    raise
                # Where keys are missing or a link has expired, the number of keys is not the reason.
                fewer = self._permissions().fewer_keys(limit, self._clock()) if type(refused) is Forbidden else ()
            for most in fewer:
                with suppress(Forbidden):
                    page = self._list_once(prefix, delimiter, token, start_after, most)
                    with self._lock:
                        self._permissions().only_fewer(most, self._clock())
                    return page
            raise refused

    def _list_once(self, prefix: str, delimiter: str, token: str | None, start_after: str, limit: int) -> Page:
        page = self._guard(
            LISTS,
            lambda deadline: self._store.list_page(
                prefix, delimiter=delimiter, token=token, start_after=start_after, limit=limit, deadline=deadline
            ),
        )
        with self._lock:
            self._permissions().allowed(limit, flat=not delimiter)
        if not self.knows_names:
            self._stats.add(LISTED_KEYS, len(page.objects) + len(page.prefixes))
        return inside(prefix, page)

    def _guard(self, counter: str, ask: Callable[[Deadline], T]) -> T:
        if self.knows_names:
            return ask(Deadline(self._timeout))
        if why := self.outage():
            raise why
        begun = self._clock()
        try:
            deadline = Deadline(min(self._timeout, TRIAL_S) if self._on_trial else self._timeout)
            cancels(deadline.cancel)
            result = ask(deadline)
        except StoreError as e:
            if e.code == OFFLINE or isinstance(e, Cancelled):
                raise
            self._stats.add(counter)
            if isinstance(e, (Unreachable, TimedOut)):
                self.report_outage(e, begun)
            else:
                self._answered()
            raise
        except BaseException:
            self._stats.add(counter)
            raise
        self._stats.add(counter)
        self._answered()
        return result

    def _answered(self) -> None:
        with self._lock:
            self._on_trial, self._last_answer, self._outage_until = False, self._clock(), float("-inf")
