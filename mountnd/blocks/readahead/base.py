"""What a readahead policy is, and where one is plugged in.

A policy decides what is fetched for one open file: it is told of every read and answers with extents. It has no I/O
and no clock, and holds no lock: the caller (`stream.Stream`) calls it under the fetcher's lock, so it must be quick.
A new policy is a file in this folder with a class like this, passed to `stream.Blocks` as `readahead`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from ..fetch.budget import Share
from ..geometry import Extent


class Pattern(NamedTuple):
    """How a handle is read, for a person. Bytes.

    Attributes:
        kind: `unread` so far; `start`: nothing but its beginning (a header); `in order`; `strides`: at equal distances;
            `random`.
        position: where the last read ended.
        distance, length: of strides: from one to the next (below 0: backwards), and of each.
        places: in how many places at once it is read in order.
    """

    kind: Literal["unread", "start", "in order", "strides", "random"]
    position: int = 0
    distance: int = 0
    length: int = 0
    places: int = 1


class ReadaheadPolicy(Protocol):
    """The policy of one handle. Offsets and sizes are in bytes and lie inside the object."""

    def on_open(self, expected: int, trip: int) -> None:
        """Before the first read, where something is known: programs read such a file up to byte `expected`, and a
        connection brings `trip` bytes in one round trip."""
        ...

    def on_miss(self, offset: int, size: int) -> Extent:
        """What to fetch at once for a read that found something missing. Called before `on_read` of the same read."""
        ...

    def on_read(self, offset: int, size: int, share: Share) -> Sequence[Extent]:
        """A read: the extents to fetch ahead that were not returned before, the most urgent first."""
        ...

    def on_cancel(self) -> None:
        """What was returned by `on_read` and has not come yet will not come."""
        ...

    def pattern(self) -> Pattern:
        """How the reads look so far. Changes nothing."""
        ...


# Makes the policy of one handle from the size of its object in bytes.
PolicyFactory = Callable[[int], ReadaheadPolicy]
