"""What is known of a name or of a directory, without asking the store and without counting as a use.

Times are monotonic seconds. The disk is looked at where memory holds nothing, and what lies there stays there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from ..cache.slot import NO_NAMES, KnownListing
from ..cache.tiered import TieredCache
from ..model.answer import Answer
from ..model.keys import Hidden


class Remembered(NamedTuple):
    """What is known of one name.

    Args:
        answer: its entry, or why there is none; None where nothing is known.
        told_by: a listing of the directory, or a look-up of this name alone.
        on_disk: only the disk has it, from an earlier mount or an earlier hour.
        at: when it was asked for; until: when it is believed no more, infinite under an indefinite TTL.
        believed: whether the next look-up is answered by it.
    """

    answer: Answer | None
    told_by: Literal["listing", "look-up"] = "listing"
    on_disk: bool = False
    at: float = float("-inf")
    until: float = float("-inf")
    believed: bool = False


class RememberedListing(NamedTuple):
    """What is known of a directory: how many entries it has, and the rest as in `Remembered`.

    Args:
        hidden: keys that are not shown, and why; `more_hidden`: how many more there are.
    """

    entries: int
    hidden: Sequence[Hidden]
    more_hidden: int
    on_disk: bool
    at: float
    until: float
    believed: bool


def remembered(cache: TieredCache, prefix: str, name: bytes, *, ttl: float, now: float) -> Remembered:
    """What is known of a name in a directory, with the one that counts first: believed, from the listing, alone."""
    memory = cache.memory
    known, alone = memory.peek(prefix, name)
    known, on_disk = _listing(cache, prefix, known, ttl, now)
    found = []
    if known is not None and name not in known.names_to_recheck:
        listing = known.listing
        answer = memory.answer_from(listing, prefix, name)
        believed = now - listing.at < ttl
        found.append(Remembered(answer, "listing", on_disk, listing.at, listing.at + ttl, believed))
    if alone is not None:
        lasts = min(ttl, alone.lasts)
        believed = now - alone.at < lasts
        found.append(Remembered(alone.answer, "look-up", False, alone.at, alone.at + lasts, believed))
    return next((one for one in found if one.believed), found[0] if found else Remembered(None))


def remembered_listing(cache: TieredCache, prefix: str, *, ttl: float, now: float) -> RememberedListing | None:
    """What is known of a directory as a whole, None where it was never listed to its end."""
    known, on_disk = _listing(cache, prefix, cache.memory.peek(prefix, b"")[0], ttl, now)
    if known is None:
        return None
    listing = known.listing
    return RememberedListing(
        listing.count, listing.hidden, listing.more_hidden, on_disk, listing.at, listing.at + ttl, known.usable
    )


def _listing(
    cache: TieredCache, prefix: str, held: KnownListing | None, ttl: float, now: float
) -> tuple[KnownListing | None, bool]:
    """What memory holds, else what the disk does; and whether it was the disk."""
    if held is not None:
        return held, False
    listing = cache.peek_disk(prefix)
    if listing is None:
        return None, False
    return KnownListing(listing, NO_NAMES, now - listing.at < ttl), True
