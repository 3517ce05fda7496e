"""A directory's listing as memory holds it, and as it is given out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..model.answer import Answer
from ..model.listing import Listing

NO_NAMES: frozenset[bytes] = frozenset()


class KnownListing(NamedTuple):
    """What is known of a directory.

    Args:
        listing: all its names.
        names_to_recheck: those that were invalidated since and must be asked for again, whatever the TTL says.
        fresh: whether the TTL has not passed.
    """

    listing: Listing
    names_to_recheck: frozenset[bytes]
    fresh: bool

    @property
    def usable(self) -> bool:
        """Whether it may be believed as it is."""
        return self.fresh and not self.names_to_recheck


@dataclass(slots=True)
class Slot:
    """`serial`: of the first request for the listing. `used`: whether it has answered anything."""

    listing: Listing
    serial: int
    names_to_recheck: frozenset[bytes] = NO_NAMES
    used: bool = False


class KnownAnswer(NamedTuple):
    """`at`: monotonic time it was asked for; `lasts`: seconds it is believed at most."""

    answer: Answer
    at: float
    lasts: float
