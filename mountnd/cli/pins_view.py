"""The pins of a cache as `mountnd cache ls` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..blocks.disk import contents
from ..blocks.disk.pins import Pin, Pins
from ..private_directory import PrivatePath
from ..report.figures import minute, size
from . import tables
from .streams import show


class PinAmounts(NamedTuple):
    """A pin, and what the cache has of it.

    Attributes:
        files: objects of which anything is there; held: bytes of them, disk: on disk.
        missing: chunk files that are not there: it was stopped, or has failed.
    """

    pin: Pin
    files: int
    held: int
    disk: int
    missing: int

    def as_json(self) -> dict[str, Any]:
        """The keys of `mountnd cache ls --json`; they stand in help/commands.md."""
        pin = self.pin
        return {"name": pin.name, "made": pin.made, "asked": list(pin.asked), "files": self.files, "held": self.held,
                "on_disk": self.disk, "missing": self.missing, "damaged": pin.damaged}  # fmt: skip


def amounts(root: PrivatePath) -> list[PinAmounts]:
    """The pins, by name."""
    pins = Pins(root).all()
    if not pins:
        return []
    there = {chunk.path: chunk for chunk in contents.chunks(root)}
    found = []
    for pin in pins:
        held = [there[path] for path in pin.chunks if path in there]
        files = len({chunk.id for chunk in held})
        sums = sum(chunk.held for chunk in held), sum(chunk.disk for chunk in held)
        found.append(PinAmounts(pin, files, *sums, len(pin.chunks) - len(held)))
    return found


def show_pins(pins: Sequence[PinAmounts]) -> None:
    """A line for each."""
    if not pins:
        return
    rows: list[tables.Row] = [
        [one.pin.name, f"{one.files:,}", size(one.held), minute(one.pin.made) if one.pin.made else "?", _state(one)]
        for one in pins
    ]
    tables.show(["Pin", "Files", "Held", "Since", "State"], rows, right={1, 2}, whole={3})
    show("", "To give one back: mountnd cache unpin NAME", "")


def _state(one: PinAmounts) -> tables.Cell:
    if one.pin.damaged:
        return tables.Cell("damaged: it pins less than it did; prefetch it again", "bad")
    if one.missing:
        return tables.Cell(f"{one.missing:,} parts are missing: prefetch it again", "warn")
    return tables.Cell("complete", "ok")
