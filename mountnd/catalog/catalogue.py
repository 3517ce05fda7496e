"""Which names exist: what vfs asks, answered from memory where that is known and fresh, else by the store.

Lock order of the room: `lister._TURN`; `Walker._lock`; `Pagers._lock`; `Flights._lock`, `Pager._lock`, `Lister._lock`;
`Shelf._lock`, `Keeper._lock`, `Persist._lock`, `Requests._lock`, and the workers' own; each may be taken
while one named before it is held. No lock is held while the store is asked, a future waited for, or a
file read or written (but `Persist._writing`, which is there for that).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from ..errors import Forbidden, NotADirectory, NotFound, StoreError, TimedOut
from ..stats import Stats
from ..stores.base import Deadline, Page, Store
from ..workers import Waiter, Workers
from .cache.disk import Persist
from .cache.memory import Shelf
from .cache.tiered import Keeper
from .model.entry import Entry
from .model.keys import Hidden, segment_of, sort_out
from .model.listing import Listing, complete
from .query.directory_stream import Entries, Scan
from .query.lookup import Asker
from .query.open_listings import Pagers
from .query.paged_listing import Pager
from .readahead.policy import Way
from .readahead.prefetcher import Walker
from .requests import OUTAGES, Requests

T = TypeVar("T")

# Listings held in memory: about a million and a half names of 30 bytes.
LIMIT_BYTES = 128 << 20

# A directory that takes more than this part of the limit is huge: streamed, not kept.
HUGE_PART = 8

# Seconds a store may take before what is known from before is served instead, however old: long enough for any server
# that answers at all, short enough for a person who looks at a directory while the network is gone.
PATIENCE_S = 10.0

# Names to be asked for again, up to which a scan asks for them one by one; with more it lists anew.
HOLES_MAX = 8


class Catalogue:
    """The names of one store.

    Args:
        ttl: seconds an answer, present or absent, is believed; `config.INDEFINITE` for ever.
        workers: where requests run; `waiter`: how the calling thread waits for them.
        timeout: seconds one call may take.
        state_dir: where names are kept across restarts; None keeps them in memory only.
        clock, wall: monotonic and calendar seconds.
        limit_bytes: listings held in memory, together.
        offline: ask the store nothing; what is known is believed whatever its age.

    Attributes:
        root: the tree's top.

    Every method may be called from any thread. `lookup` and `scan` raise NotADirectory, NotFound,
    Forbidden and every other StoreError, Interrupted, and TimedOut.
    """

    def __init__(
        self,
        store: Store,
        *,
        ttl: float,
        workers: Workers,
        waiter: Waiter,
        timeout: float,
        stats: Stats,
        state_dir: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        limit_bytes: int = LIMIT_BYTES,
        offline: bool = False,
    ) -> None:
        self.root = Entry(b"", store.root, True, None)
        self._store, self._waiter, self._timeout, self._stats = store, waiter, timeout, stats
        self._clock, self._waits = clock, threading.local()
        self._requests = Requests(store, workers, stats, timeout=timeout, clock=clock, offline=offline)
        self._shelf = Shelf(store.source, ttl=ttl, clock=clock, limit_bytes=limit_bytes, offline=offline)
        persist = Persist(state_dir, store.source, clock=clock, wall=wall) if state_dir else None
        self._keeper = Keeper(self._shelf, persist, stats, say=self._say)
        keep, wait = self._keeper.keep, self._wait
        self._walker = Walker(
            self._requests, self._shelf, wait=wait, keep=keep, clock=clock, stats=stats, limit_bytes=limit_bytes
        )
        self._pagers = Pagers(
            self._requests, self._shelf, keep=keep, tried=self._walker.tried, keep_bytes=limit_bytes // HUGE_PART
        )
        self._asker = Asker(
            self._requests, self._shelf, self._pagers, self._walker, wait=wait, keep=keep, mended=self._keeper.save
        )

    def lookup(self, directory: Entry, name: bytes) -> Entry:
        """The entry called `name` in a directory."""
        if not directory.is_dir:
            raise NotADirectory(f"{self._say(directory.key)} is not a directory")
        prefix, segment = directory.key, segment_of(name)
        if segment is None:
            raise NotFound(f"no {name!r} in {self._say(prefix)}")
        answer = self._shelf.answer(prefix, name)
        if answer is None and self._keeper.recall(prefix):
            answer = self._shelf.answer(prefix, name)
        if answer is None:
            answer = self._or_stale(
                lambda: self._asker.ask(prefix, name, segment), lambda: self._shelf.answer(prefix, name, stale=True)
            )
        if isinstance(answer, Entry):
            return answer
        if isinstance(answer, Forbidden):
            raise Forbidden(f"{self._say(prefix + segment)}: access denied", code=answer.code)
        raise NotFound(f"no {self._say(prefix + segment)}")

    def below(self, directory: Entry, name: bytes) -> Entry:
        """The directory called `name` in one, taken to be there: when it is not, reading it tells.

        Raises NotFound for a name that no key can have.
        """
        if (segment := segment_of(name)) is None:
            raise NotFound(f"no {name!r} in {self._say(directory.key)}")
        return self._shelf.marked(Entry(name, f"{directory.key}{segment}/", True, None))

    def scan(self, directory: Entry) -> Scan:
        """A directory's entries, for one opendir. Returns when the first page is there."""
        if not directory.is_dir:
            raise NotADirectory(f"{self._say(directory.key)} is not a directory")
        prefix = directory.key
        self._walker.scanned(prefix)
        self._keeper.recall(prefix)
        if (scan := self._known_scan(prefix)) is not None:
            return scan
        return self._or_stale(lambda: self._ask(prefix), lambda: self._stale(prefix))

    def forget(self, key: str) -> None:
        """The store said that `key` is gone or changed: believe nothing of it, also under an indefinite TTL."""
        self._drop(*_cut(key))

    def refresh(self, prefix: str) -> None:
        """Believe nothing at or below a key prefix any more (the prefix of a directory ends in "/")."""
        self._keeper.refresh(prefix)
        self._asker.clear()
        self._pagers.clear()
        self._walker.clear()
        if prefix != self._store.root:
            self._drop(*_cut(prefix.removesuffix("/")))

    def known(self, directory: Entry) -> Sequence[Entry] | None:
        """A directory's entries without asking the store, None when they are not all known or not to be believed."""
        self._keeper.recall(directory.key)
        got = self._shelf.listing(directory.key)
        if got is None or got[1]:
            return None
        return Entries(got[0], directory.key, self._store.source)

    def top(self, ask: Callable[[], Page]) -> None:
        """Keep the root's first page, which `ask` gets, where that is all of it. Raises what `ask` does."""
        sent, prefix = self._shelf.sent(), self.root.key
        page = ask()
        if self._store.flat and page.token is None and (page.objects or page.prefixes):
            found = sort_out(prefix, page.objects, page.prefixes, page.unshowable)
            self._keeper.keep(prefix, complete(prefix, found, sent.at), sent.stamp)

    def out_of_reach(self, why: StoreError) -> bool:
        """The store does not answer, as its probe found: what is known is served from now on, until it does.

        Returns whether the top of the tree is known at all, from this mount or an earlier one.
        """
        self._requests.lost(why)
        self._keeper.recall(self.root.key)
        return self._shelf.has(self.root.key)

    def hidden(self, directory: Entry) -> list[Hidden]:
        """Keys in this directory that are not shown under their own name, at most 1,000. Lists it when needed."""
        got = self._shelf.listing(directory.key)
        if got is not None:
            return list(got[0].hidden)
        scan = self.scan(directory)
        try:
            for _ in scan.read(0):
                pass
            return scan.hidden()
        finally:
            scan.close()

    def close(self) -> None:
        """Write what is kept across restarts. Idempotent."""
        self._keeper.close()

    def _ask(self, prefix: str) -> Scan:
        self._asker.settle(prefix)
        got = self._shelf.listing(prefix)
        if got is not None and len(got[1]) <= HOLES_MAX:
            for name in got[1]:
                self._asker.ask_point(prefix, name, segment_of(name) or "")
            if (scan := self._known_scan(prefix)) is not None:
                return scan
        way = self._walker.arrive(prefix)
        if (scan := self._known_scan(prefix)) is not None:
            return scan
        pager, _ = self._pagers.join(prefix, flat=way is Way.FLAT)
        try:
            if (task := pager.fetch(0)) is not None:
                self._wait(task.future)
            if pager.listing is not None:
                self._check(prefix, pager.listing)
        except BaseException:
            self._pagers.leave(pager)
            raise
        return self._scan(pager, prefix, lambda: self._pagers.leave(pager))

    def _known_scan(self, prefix: str) -> Scan | None:
        got = self._shelf.listing(prefix)
        if got is None or got[1]:
            return None
        self._check(prefix, got[0])
        return self._scan(got[0], prefix)

    def _stale(self, prefix: str) -> Scan | None:
        got = self._shelf.listing(prefix, stale=True)
        return None if got is None else self._scan(got[0], prefix)

    def _scan(self, what: Listing | Pager, prefix: str, closed: Callable[[], None] = lambda: None) -> Scan:
        return Scan(
            what,
            prefix,
            self._store.source,
            marked=self._shelf.marked,
            wait=lambda task: self._wait(task.future),
            closed=closed,
        )

    def _check(self, prefix: str, listing: Listing) -> None:
        """In an object store a directory below which no key lies is gone, and its parent does not know yet."""
        if not listing.exists and self._store.flat and prefix != self._store.root:
            self._drop(*_cut(prefix.removesuffix("/")))
            raise NotFound(f"no {self._say(prefix)}")

    def _drop(self, prefix: str, segment: str) -> None:
        self._keeper.drop(prefix, segment.encode("utf-8", "surrogateescape"))
        self._asker.forget(prefix + segment)
        self._pagers.forget(prefix)

    def _or_stale(self, ask: Callable[[], T], stale: Callable[[], T | None]) -> T:
        """`ask()`, all its waits within one time-out; with the store out of reach what is known, whatever its age."""
        why: StoreError | None = self._requests.down()
        if why is None:
            begun = self._clock()
            patience = self._timeout if stale() is None else min(self._timeout, PATIENCE_S)
            self._waits.until = Deadline(patience, self._clock)
            try:
                return ask()
            except OUTAGES as e:
                why = e
                if isinstance(e, TimedOut):
                    self._requests.lost(e, begun)
            finally:
                self._waits.until = None
        answer = stale()
        if answer is None:
            raise why
        self._stats.add("names.stale.answers")
        return answer

    def _wait(self, future: Future[Any]) -> Any:
        until: Deadline | None = getattr(self._waits, "until", None)
        try:
            return self._waiter(future, self._timeout if until is None else until.left())
        except TimedOut:
            if future.done():
                raise  # the store's own
            raise TimedOut(f"{self._store.url}: no answer within {self._timeout:g} s") from None

    def _say(self, key: str) -> str:
        return f"{self._store.url.rstrip('/')}/{key.removeprefix(self._store.root)}"


def _cut(key: str) -> tuple[str, str]:
    """(prefix of the directory around it, segment) of a key."""
    around, slash, segment = key.rpartition("/")
    return around + slash, segment
