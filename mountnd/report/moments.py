"""Times of the document: ISO 8601 with the zone of this machine."""

from __future__ import annotations

from datetime import datetime


def iso(seconds: float) -> str | None:
    """A moment (since the epoch); None for 0, which means never."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds") if seconds else None


def shown(moment: str | None, style: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time of the document for people, by the clock on the wall where it was made; "" for none."""
    return datetime.fromisoformat(moment).strftime(style) if moment else ""
