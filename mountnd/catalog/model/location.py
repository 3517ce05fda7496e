"""Which store a catalogue is of: what goes into ids, and how a person would name its keys."""

from __future__ import annotations

from typing import NamedTuple


class Location(NamedTuple):
    """One store. The fields are those of `stores.base.Store`."""

    source: str
    root: str
    url: str

    def display(self, key: str) -> str:
        """A key as a person would name it."""
        return f"{self.url.rstrip('/')}/{key.removeprefix(self.root)}"
