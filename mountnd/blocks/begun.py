"""Reads that were begun and are not waited for yet: so whoever knows many has all of them under way at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from .fetch.flight import Flight
from .fetch.turns import Turn
from .geometry import SHIFT, BlockRange
from .memory import Block


class Reads(Protocol):
    """What a read is begun at (`stream.Stream`)."""

    def finish(self, read: BegunRead, address: Callable[[], int]) -> None: ...
    def abandon(self, read: BegunRead) -> None: ...


class BegunRead:
    """A read of `[offset, offset + size)` of one object. Exactly one of `finish` and `abandon` must be called.

    Attributes:
        stream: what it reads from.
        need: the blocks that it lies in.
        turn: among those who wait for more than memory should hold; None where nothing was missing.
        parts: for each block of `need` itself or the flight that brings it; None before its turn.
    """

    __slots__ = ("need", "offset", "parts", "size", "stream", "turn")

    def __init__(self, stream: Reads, size: int, offset: int) -> None:
        self.stream, self.size, self.offset = stream, size, offset
        self.need = BlockRange(offset >> SHIFT, ((offset + size - 1) >> SHIFT) + 1)
        self.turn: Turn | None = None
        self.parts: Sequence[Block | Flight] | None = None

    @property
    def under_way(self) -> bool:
        """Whether its bytes are here or on their way. Else others come first, and `finish` asks for them."""
        return self.parts is not None

    def flights(self) -> set[Flight]:
        """What brings those blocks that are not here."""
        return {part for part in self.parts or () if isinstance(part, Flight)}

    def finish(self, address: Callable[[], int]) -> None:
        """Wait for the bytes, and copy them to the memory at `address()`. Raises as `Stream.read_into`."""
        self.stream.finish(self, address)

    def abandon(self) -> None:
        """They are not wanted any more."""
        self.stream.abandon(self)
