"""What a view keeps of stored versions, across restarts: a protocol, and one that keeps nothing.

What is given back was once put, whole, or it is nothing: whoever keeps it has checked that. It may still be of an
earlier format.
"""

from __future__ import annotations

from typing import Protocol


class Blobs(Protocol):
    """Names are 16 bytes that name a stored version. Thread-safe; no method raises for a disk that is full or gone."""

    def note(self, name: bytes) -> bytes | None:
        """A few bytes (`NOTE_BYTES`); None where there are none."""
        ...

    def keep_note(self, name: bytes, note: bytes) -> None: ...

    def get(self, name: bytes) -> bytes | None:
        """Some hundred kilobytes; None where there are none."""
        ...

    def put(self, name: bytes, blob: bytes) -> None: ...


# What a note has, exactly.
NOTE_BYTES = 16


class NoBlobs:
    """Keeps nothing."""

    def note(self, name: bytes) -> bytes | None:
        return None

    def keep_note(self, name: bytes, note: bytes) -> None:
        pass

    def get(self, name: bytes) -> bytes | None:
        return None

    def put(self, name: bytes, blob: bytes) -> None:
        pass
