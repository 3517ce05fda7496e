"""What is known, how old it is, and what must be asked again: no I/O, no waiting.

One lock for listings, answers and invalidations, since an answer counts only if nothing invalidated it after it was
asked for. Lock order: `MemoryCache._lock` is a leaf; nothing is called with it held but the injected clock.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable

from ...errors import Forbidden, NotFound
from ...stores.base import Renewals
from ..model.answer import Answer, RequestMark
from ..model.entry import Entry
from ..model.keys import PAGE_KEYS
from ..model.listing import Listing
from ..model.permissions import FORBIDDEN_S
from .slot import NO_NAMES, KnownAnswer, KnownListing, Slot

# Answers to look-ups of single names kept: some 400 bytes each, so 20 MB at most.
ANSWERS_MAX = 50_000

# Directories whose lately invalidated names are remembered against requests still under way; far more than can be.
INVALIDATED_MAX = 10_000

# Directories remembered as too large for a first page to hold, and as refusing to be listed.
LARGE_MAX = 10_000


class MemoryCache:
    """Listings and single answers, by key prefix.

    Args:
        source: what goes into the ids of entries.
        ttl: seconds an answer is believed.
        clock: monotonic seconds.
        limit_bytes: listings held, together; the least recently used go first.
        renewals: what was refused or not found with other keys than today's is not believed. What was found with them
            is: keys change every hour, and the names do not.

    Attributes:
        nbytes: what the listings hold.
        used_listings: how many listings have answered something; it only grows.
    """

    def __init__(
        self,
        source: str,
        *,
        ttl: float,
        clock: Callable[[], float],
        limit_bytes: int,
        renewals: Renewals | None = None,
    ) -> None:
        self._source, self._ttl, self._clock, self._limit = source, ttl, clock, limit_bytes
        self._renewals = renewals or Renewals()
        self._renewals_seen, self._renewed = self._renewals.count, 0  # serial: what has a lower one is from old keys
        self._lock = threading.Lock()
        self._serials = itertools.count(1)
        self._listings: OrderedDict[str, Slot] = OrderedDict()
        self._answers: OrderedDict[tuple[str, bytes], KnownAnswer] = OrderedDict()
        self._large: OrderedDict[str, None] = OrderedDict()
        self._unlistable: OrderedDict[str, float] = OrderedDict()
        self._invalidated: OrderedDict[str, dict[bytes, int]] = OrderedDict()  # directory -> name -> serial
        self._invalidated_below: list[tuple[str, int]] = []
        self.nbytes = 0
        self.used_listings = 0

    def mark(self) -> RequestMark:
        """The mark of a request that is sent now."""
        if self._renewals.count != self._renewals_seen:
            with self._lock:
                self._forget_refusals()
        return RequestMark(self._clock(), next(self._serials))

    def is_fresh(self, at: float) -> bool:
        """Whether what was asked for at `at` is still believed."""
        return self._clock() - at < self._ttl

    def answer(self, prefix: str, name: bytes, *, stale: bool = False) -> Answer | None:
        """What is known of one name, None when the store must be asked. `stale`: whatever its age."""
        now = self._clock()
        with self._lock:
            if self._renewals.count != self._renewals_seen:
                self._forget_refusals()
            slot = self._listings.get(prefix)
            if (
                slot
                and name not in slot.names_to_recheck
                and (stale or now - slot.listing.at < self._ttl)
                and (stale or slot.serial >= self._renewed or not self._is_unproven(slot, prefix, name))
            ):
                listing = self._use(prefix, slot)
            else:
                known = self._answers.get((prefix, name))
                return known.answer if known and (stale or now - known.at < min(self._ttl, known.lasts)) else None
        return self.answer_from(listing, prefix, name)

    def answer_from(self, listing: Listing, prefix: str, name: bytes) -> Answer:
        """What a directory's listing says of a name."""
        entry = listing.get(name, prefix, self._source)
        return NotFound() if entry is None else self.with_marker(entry)

    def find(self, prefix: str) -> KnownListing | None:
        """What is known of a directory, whatever its age."""
        now = self._clock()
        with self._lock:
            if self._renewals.count != self._renewals_seen:
                self._forget_refusals()
            slot = self._listings.get(prefix)
            if slot is None:
                return None
            listing = self._use(prefix, slot)
            return KnownListing(listing, slot.names_to_recheck, self._is_listing_fresh(slot, now))

    def peek(self, prefix: str, name: bytes) -> tuple[KnownListing | None, KnownAnswer | None]:
        """The listing of a directory and the answer for one name in it, whatever their age. It counts as no use.

        A listing that does not tell of that name, as it was made with other keys than today's, has it to be asked for.
        """
        now = self._clock()
        with self._lock:
            slot = self._listings.get(prefix)
            if slot is None:
                return None, self._answers.get((prefix, name))
            recheck = slot.names_to_recheck | {name} if self._is_unproven(slot, prefix, name) else slot.names_to_recheck
            known = KnownListing(slot.listing, recheck, self._is_listing_fresh(slot, now))
            return known, self._answers.get((prefix, name))

    def fresh_listing(self, prefix: str) -> Listing | None:
        """A directory's listing, None when unknown or too old. Some of its names may have been invalidated since."""
        now = self._clock()
        with self._lock:
            slot = self._listings.get(prefix)
            if slot is None or not self._is_listing_fresh(slot, now):
                return None
            return self._use(prefix, slot)

    def with_marker(self, entry: Entry) -> Entry:
        """A directory's entry with its marker's stat, where its own listing told it."""
        if not entry.is_dir:
            return entry
        slot = self._listings.get(entry.key)  # one look into a dict needs no lock
        marker = slot.listing.marker if slot else None
        return entry if marker is None else entry._replace(stat=marker)

    def put(self, prefix: str, listing: Listing, serial: int) -> None:
        """A directory is completely known from requests sent since `serial`."""
        with self._lock:
            if self._is_invalid(prefix, serial):
                return
            old = self._listings.pop(prefix, None)
            if old is not None:
                if old.serial > serial:  # a later answer overtook this one
                    self._listings[prefix] = old
                    return
                self.nbytes -= old.listing.nbytes
            names = self._invalidated.get(prefix)  # for nearly no directory: a walk comes here for each of its own
            recheck = frozenset(name for name, when in names.items() if when > serial) if names else NO_NAMES
            self._listings[prefix] = Slot(listing, serial, recheck)
            self.nbytes += listing.nbytes
            if listing.count > PAGE_KEYS:
                self._set_large(prefix)
            while self.nbytes > self._limit and len(self._listings) > 1:
                _, evicted = self._listings.popitem(last=False)
                self.nbytes -= evicted.listing.nbytes

    def put_answer(
        self, prefix: str, name: bytes, answer: Answer, mark: RequestMark, lasts: float = float("inf")
    ) -> Listing | None:
        """The store answered for one name.

        Where the directory's listing is known but for this name, returns it with the answer filled in.

        Args:
            lasts: seconds it is believed, where that is less than the TTL.
        """
        listing = None
        with self._lock:
            if self._is_invalid(prefix, mark.serial) or self._invalidated.get(prefix, {}).get(name, 0) > mark.serial:
                return None
            if mark.serial < self._renewed and not isinstance(answer, Entry):
                return None
            slot = self._listings.get(prefix)
            found = slot and isinstance(answer, Entry) and self._is_unproven(slot, prefix, name)
            lasting = lasts >= self._ttl and not isinstance(answer, Forbidden)
            if slot and (found or (name in slot.names_to_recheck and lasting)):
                listing = slot.listing.replaced(name, answer if isinstance(answer, Entry) else None)
                self.nbytes += listing.nbytes - slot.listing.nbytes
                self._listings[prefix] = Slot(listing, slot.serial, slot.names_to_recheck - {name})
                if self._clock() - listing.at < self._ttl:
                    return listing
            if isinstance(answer, Forbidden):
                lasts = min(lasts, FORBIDDEN_S)
            self._answers[prefix, name] = KnownAnswer(answer, mark.at, lasts)
            self._answers.move_to_end((prefix, name))
            if len(self._answers) > ANSWERS_MAX:
                self._answers.popitem(last=False)
            return listing

    def has(self, prefix: str) -> bool:
        """Whether a listing of the directory is held, whatever its age."""
        return prefix in self._listings  # one look into a dict needs no lock

    def set_large(self, prefix: str) -> None:
        """The directory does not fit one page: its names are asked for one by one."""
        with self._lock:
            self._set_large(prefix)

    def set_unlistable(self, prefix: str) -> None:
        """Listing the directory was refused: for a while its names are asked for one by one, without listing."""
        with self._lock:
            self._unlistable[prefix] = self._clock()
            self._unlistable.move_to_end(prefix)
            if len(self._unlistable) > LARGE_MAX:
                self._unlistable.popitem(last=False)

    def is_unlistable(self, prefix: str) -> bool:
        """Whether listing the directory was refused a short while ago."""
        with self._lock:
            if self._renewals.count != self._renewals_seen:
                self._forget_refusals()
            return self._clock() - self._unlistable.get(prefix, float("-inf")) < FORBIDDEN_S

    def may_be_listed(self, prefix: str) -> bool:
        """Whether anything of a directory was ever listed."""
        with self._lock:
            return prefix in self._listings or prefix in self._large

    def knows_below(self, prefix: str) -> bool:
        """Whether something is known at or below a directory's prefix, whatever its age."""
        with self._lock:
            return any(key.startswith(prefix) and slot.listing.exists for key, slot in self._listings.items()) or any(
                around.startswith(prefix) and isinstance(known.answer, Entry)
                for (around, _), known in self._answers.items()
            )

    def wants_point_query(self, prefix: str, name: bytes) -> bool:
        """Whether this name is better asked for alone: the directory is large, or is believed but for this name."""
        now = self._clock()
        with self._lock:
            slot = self._listings.get(prefix)
            alone = (
                slot is not None
                and (name in slot.names_to_recheck or self._is_unproven(slot, prefix, name))
                and self._is_listing_fresh(slot, now)
            )
            return alone or prefix in self._large

    def invalidate(self, prefix: str, name: bytes) -> None:
        """Believe nothing of this name any more."""
        with self._lock:
            self._invalidated.setdefault(prefix, {})[name] = next(self._serials)
            self._invalidated.move_to_end(prefix)
            if len(self._invalidated) > INVALIDATED_MAX:
                self._invalidated.popitem(last=False)
            self._answers.pop((prefix, name), None)
            if slot := self._listings.get(prefix):
                slot.names_to_recheck |= {name}

    def invalidate_below(self, prefix: str) -> None:
        """Believe nothing at or below a key prefix, nor what requests under way will say of it."""
        with self._lock:
            self._invalidated_below = [(p, s) for p, s in self._invalidated_below if not p.startswith(prefix)]
            self._invalidated_below.append((prefix, next(self._serials)))
            for key in [key for key in self._listings if key.startswith(prefix)]:
                self.nbytes -= self._listings.pop(key).listing.nbytes
            for known in [known for known in self._answers if known[0].startswith(prefix)]:
                del self._answers[known]
            for remembered in (self._large, self._unlistable):
                for key in [key for key in remembered if key.startswith(prefix)]:
                    del remembered[key]

    def _use(self, prefix: str, slot: Slot) -> Listing:
        self._listings.move_to_end(prefix)
        if not slot.used:
            slot.used = True
            self.used_listings += 1
        return slot.listing

    def _forget_refusals(self) -> None:
        """The keys have changed."""
        self._renewals_seen, self._renewed = self._renewals.count, next(self._serials)
        self._unlistable.clear()
        for known in [known for known, kept in self._answers.items() if not isinstance(kept.answer, Entry)]:
            del self._answers[known]

    def _is_unproven(self, slot: Slot, prefix: str, name: bytes) -> bool:
        """Whether the name was absent when the directory was listed with other keys than today's."""
        return slot.serial < self._renewed and slot.listing.get(name, prefix, self._source) is None

    def _is_listing_fresh(self, slot: Slot, now: float) -> bool:
        """Whether a listing is believed; one with other keys than today's only if it found something."""
        return now - slot.listing.at < self._ttl and (slot.serial >= self._renewed or slot.listing.exists)

    def _is_invalid(self, prefix: str, serial: int) -> bool:
        below = self._invalidated_below
        return bool(below) and any(serial < when and prefix.startswith(top) for top, when in below)

    def _set_large(self, prefix: str) -> None:
        self._large[prefix] = None
        self._large.move_to_end(prefix)
        if len(self._large) > LARGE_MAX:
            self._large.popitem(last=False)
