"""Which names exist: what vfs asks, answered from memory where that is known and fresh, else by the store.

The one file of the room that others call. It wires up the room, answers look-ups that memory knows, and hands on
everything else; it has no lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import Forbidden, NotADirectory, NotFound, StoreError
from ..private_directory import PrivatePath
from ..shared_directory.place import SharedPlace
from ..stats import Stats
from ..stores.base import ObjectStat, Page, Store
from ..usage.waits import SlowestWaits, Wait
from ..workers import Waiter, Workers
from .cache.disk import ListingDiskCache
from .cache.memory import MemoryCache
from .cache.shared import SharedListings
from .cache.tiered import Measured, TieredCache
from .model.entry import Entry
from .model.keys import PAGE_KEYS, Hidden, classify, segment_of
from .model.listing import listing_of
from .model.location import Location
from .query.directory_stream import DirectoryStream, ListedEntries
from .query.file_sizes import FileSizes
from .query.invalidation import Invalidation
from .query.lookup import Lookup
from .query.open_listings import OpenListings
from .query.point import Name
from .query.remembered import Remembered, RememberedListing, remembered, remembered_listing
from .query.scan import Scanner
from .query.single_flight import SingleFlight
from .query.sized_files import SizedFiles
from .query.stale_fallback import StaleFallback
from .readahead.prefetcher import SubtreePrefetcher
from .requests import Requests
from .waiting import Waiting

T = TypeVar("T")

# Listings held in memory: about a million and a half names of 30 bytes.
LIMIT_BYTES = 128 << 20

# A directory that takes more than this part of the limit is huge: streamed, not kept.
HUGE_PART = 8


class Catalogue:
    """The names of one store.

    Args:
        ttl: seconds an answer, present or absent, is believed; `config.INDEFINITE` for ever.
        workers: where requests run; `waiter`: how the calling thread waits for them.
        timeout: seconds one call may take.
        state_dir: where names are kept across restarts; None keeps them in memory only.
        shared: where several nodes keep them together; None: nowhere.
        clock, wall: monotonic and calendar seconds.
        limit_bytes: listings held in memory, together.
        waits: told of the waits for names, each with `(this catalogue, key)`.

    Attributes:
        root: the tree's top.
        relied: that of the store: an entry's stat with the token that its version goes by now.
        readable: an entry's stat as it is to be read; costs no request where listings tell sizes. known_readable: the
            same without a request; None where it takes one. as_known: the same, or else as it is listed, and nothing
            is begun (`SizedFiles` has all three).
        sizes: finds out how long files are, where listings do not tell; None where they do.

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
        state_dir: PrivatePath | Path | None = None,
        shared: SharedPlace | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        limit_bytes: int = LIMIT_BYTES,
        waits: SlowestWaits | None = None,
    ) -> None:
        self._waits, self._clock = waits or SlowestWaits(), clock
        self.root, self.relied = Entry(b"", store.root, True, None), store.relied
        self._location, self._ttl, self._clock = Location(store.source, store.root, store.url), ttl, clock
        self._requests = Requests(store, workers, stats, timeout=timeout, clock=clock)
        self._memory = MemoryCache(store.source, ttl=ttl, clock=clock, limit_bytes=limit_bytes, renewals=store.renewals)
        disk = ListingDiskCache(state_dir, store.source, clock=clock, wall=wall) if state_dir else None
        of_nodes = SharedListings(shared, store.source, clock=clock) if shared is not None else None
        self._cache = TieredCache(self._memory, disk, stats, self._location, of_nodes)
        self._waiting = waiting = Waiting(waiter, timeout=timeout, clock=clock, url=store.url)
        prefetcher = SubtreePrefetcher(
            self._requests, self._cache, waiting, stats, root=store.root, clock=clock, limit_bytes=limit_bytes
        )
        listings = OpenListings(self._requests, self._cache, prefetcher, keep_bytes=limit_bytes // HUGE_PART)
        flights = SingleFlight()
        fallback = StaleFallback(self._requests, stats, timeout=timeout, clock=clock)
        self._invalidation = Invalidation(self._cache, flights, listings, prefetcher, store.root)
        self._lookup = Lookup(
            self._location, self._requests, self._cache, prefetcher, listings, flights, waiting, fallback
        )
        self._scanner = Scanner(
            self._location,
            self._cache,
            prefetcher,
            self._lookup,
            listings,
            self._invalidation,
            waiting,
            fallback,
            implied=store.flat,
        )
        self.sizes: SizedFiles | None = None
        self.readable: Callable[[ObjectStat], ObjectStat] = store.relied
        self.known_readable: Callable[[ObjectStat], ObjectStat | None] = store.relied
        self.as_known: Callable[[ObjectStat], ObjectStat] = store.relied
        if store.sizes is not None:
            files = FileSizes(store.sizes, self._requests, waiting, clock)
            self.sizes = SizedFiles(files, self._find, self.known, self.forget, self._timed)
            self.readable, self.known_readable = self.sizes.readable, self.sizes.known_readable
            self.as_known = self.sizes.as_known

    def lookup(self, directory: Entry, name: bytes) -> Entry:
        """The entry called `name` in a directory, a file with the size that is shown."""
        entry = self._find(directory, name)
        return entry if self.sizes is None else self.sizes.entry(directory, entry)

    def _find(self, directory: Entry, name: bytes) -> Entry:
        """The entry called `name` in a directory, as listings tell of it."""
        if not directory.is_dir:
            raise NotADirectory(f"{self._location.display(directory.key)} is not a directory")
        prefix, segment = directory.key, segment_of(name)
        if segment is None:
            raise NotFound(f"no {name!r} in {self._location.display(prefix)}")
        answer = self._memory.answer(prefix, name)
        if isinstance(answer, Forbidden) and (task := self._requests.look_for_keys()) is not None:
            answer = None if self._waiting.wait(task.future) else answer
        if answer is None:
            asked = Name(prefix, name, segment)
            answer = self._timed("look-up", asked.key, lambda: self._lookup.find(asked))
        if isinstance(answer, Entry):
            return answer
        if isinstance(answer, Forbidden):
            raise Forbidden(f"{self._location.display(prefix + segment)}: access denied", code=answer.code)
        absent = NotFound(f"no {self._location.display(prefix + segment)}")
        absent.passing = answer.passing
        raise absent

    def below(self, directory: Entry, name: bytes) -> Entry:
        """The directory called `name` in one, taken to be there: when it is not, reading it tells.

        Raises NotFound for a name that no key can have.
        """
        if (segment := segment_of(name)) is None:
            raise NotFound(f"no {name!r} in {self._location.display(directory.key)}")
        return self._memory.with_marker(Entry(name, f"{directory.key}{segment}/", True, None))

    def display(self, key: str) -> str:
        """A key as a person would name it."""
        return self._location.display(key)

    def scan(self, directory: Entry) -> DirectoryStream:
        """A directory's entries, for one opendir. Returns when the first page is there."""
        if not directory.is_dir:
            raise NotADirectory(f"{self._location.display(directory.key)} is not a directory")
        return self._timed("listing", directory.key, lambda: self._scanner.scan(directory.key))

    @property
    def source(self) -> str:
        """The store's identity (`Store.source`)."""
        return self._location.source

    def known(self, directory: Entry) -> ListedEntries | None:
        """A directory's entries without asking the store, None when they are not all known or not to be believed."""
        known = self._cache.find(directory.key)
        if known is None or not known.usable:
            return None
        return ListedEntries(known.listing, directory.key, self._location.source)

    def remembered(self, directory: Entry, name: bytes) -> Remembered:
        """What is known of the entry called `name`, and since when. Asks nobody, and counts as no use."""
        return remembered(self._cache, directory.key, name, ttl=self._ttl, now=self._clock())

    def remembered_listing(self, directory: Entry) -> RememberedListing | None:
        """What is known of a directory's names, and since when; None where it was not listed. As `remembered`."""
        return remembered_listing(self._cache, directory.key, ttl=self._ttl, now=self._clock())

    def refuses_listing(self, directory: Entry) -> bool:
        """Whether listing the directory was refused a short while ago, so that its names are asked for one by one."""
        return self._memory.is_unlistable(directory.key)

    def age(self, at: float) -> float:
        """Seconds since a time that `remembered` told; infinite where that is not known."""
        return self._clock() - at

    def outage(self) -> StoreError | None:
        """Why the store counts as out of reach, None where it answers or nobody has asked."""
        return self._requests.outage()

    def find_known(self, directory: Entry, name: bytes) -> Entry | None:
        """The entry called `name` in a directory as far as that is known, whatever its age: nothing is asked."""
        answer = self._memory.answer(directory.key, name, stale=True)
        if answer is None and self._cache.recall(directory.key):
            answer = self._memory.answer(directory.key, name, stale=True)
        return answer if isinstance(answer, Entry) else None

    def hidden(self, directory: Entry) -> list[Hidden]:
        """Keys in this directory that are not shown under their own name, at most 1,000. Lists it when needed."""
        if (listing := self._memory.fresh_listing(directory.key)) is not None:
            return list(listing.hidden)
        stream = self.scan(directory)
        try:
            for _ in stream.read(0):
                pass
            return stream.hidden()
        finally:
            stream.close()

    def forget(self, key: str) -> None:
        """The store said that `key` is gone or changed: believe nothing of it, also under an indefinite TTL."""
        self._invalidation.name(key)

    def refresh(self, prefix: str) -> None:
        """Believe nothing at or below a key prefix any more (the prefix of a directory ends in "/")."""
        self._invalidation.subtree(prefix)

    def prime_root(self, list_root: Callable[[int], Page]) -> Page:
        """Keep the root's first page, where that is all of it, and return it. Raises what `list_root` does.

        Args:
            list_root: gets that page, of so many keys at most.
        """
        mark, prefix = self._memory.mark(), self.root.key
        if not self._requests.flat:
            return list_root(1)
        try:
            page = list_root(PAGE_KEYS)
        except Forbidden:
            return list_root(1)  # a policy may allow short pages only
        self._requests.root_listed(PAGE_KEYS)
        if page.token is None and (page.objects or page.prefixes):
            contents = classify(prefix, page.objects, page.prefixes, page.unshowable, page.hidden)
            self._cache.put(prefix, listing_of(contents, mark.at), mark.serial)
        return page

    def out_of_reach(self, why: StoreError) -> bool:
        """The store does not answer, as its probe found: what is known is served from now on, until it does.

        Returns whether the top of the tree is known at all, from this mount or an earlier one.
        """
        self._requests.report_outage(why)
        return self.is_kept()

    def is_kept(self) -> bool:
        """Whether the top of the tree is known without asking, whatever its age."""
        self._cache.recall(self.root.key)
        return self._memory.has(self.root.key)

    def measure(self, prefix: str, until: float) -> Measured:
        """How much lies at and below a directory, as far as names are known without asking. Ends at `until` (monotonic
        seconds)."""
        return self._cache.measure(prefix, until)

    def count_kept(self, until: float) -> tuple[int, bool]:
        """Names that are known without asking, and whether all were counted before `until` (monotonic seconds)."""
        return self._cache.count_kept(self.root.key, until)

    def flush(self) -> None:
        """Write now what is kept across restarts."""
        self._cache.flush()

    def _timed(self, what: str, key: str, ask: Callable[[], T]) -> T:
        """What `ask` gives, which may wait for the store."""
        begun, error = self._clock(), ""
        try:
            return ask()
        except StoreError as e:
            error = e.reason
            raise
        finally:
            seconds = self._clock() - begun
            if seconds > self._waits.floor:
                self._waits.note(Wait(0.0, seconds, what, (self, key), error=error))

    def close(self) -> None:
        """Write what is kept across restarts. Idempotent."""
        self._cache.close()
