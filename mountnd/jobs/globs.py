"""Patterns of paths, as .gitignore and rsync have them. Pure.

A pattern with a "/" is of the path from the directory that is prefetched; one without is of a name, at any depth. `*`
and `?` stand for anything but "/", `[...]` for one of its characters, `**` as a component for any number of
directories. A pattern that fits a directory fits all below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

from ..errors import UsageError

# What each component must be; None: "**".
_Parts = Sequence[re.Pattern[str] | None]


def check_pattern(text: str) -> None:
    """Raises UsageError for a pattern that can fit nothing."""
    _compiled(text)


class Globs:
    """Some patterns, of which one must fit."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_compiled(text) for text in patterns]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def fit(self, path: Sequence[str]) -> bool:
        """Whether a pattern fits this path, or a directory that it lies in."""
        return any(_progress(pattern, path)[0] for pattern in self._patterns)

    def may_fit_below(self, directory: Sequence[str]) -> bool:
        """Whether a pattern may fit something in this directory, or fits all of it."""
        return any(any(_progress(pattern, directory)) for pattern in self._patterns)


def _compiled(text: str) -> _Parts:
    parts = [part for part in text.strip().split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise UsageError(f"{text!r} is no pattern of a path below the one that is prefetched")
    if "/" not in text.strip().rstrip("/"):
        parts = ["**", *parts]
    return [None if part == "**" else re.compile(translate(part)) for part in parts]


def _progress(parts: _Parts, path: Sequence[str]) -> tuple[bool, bool]:
    """Whether `parts` fit all of `path` or a beginning of it; and whether they may fit something longer."""
    open_at = _closed_over({0}, parts)
    for name in path:
        if len(parts) in open_at:
            return True, True
        following = set()
        for at in open_at:
            if at == len(parts):
                continue
            part = parts[at]
            if part is None:
                following.add(at)
            elif part.match(name):
                following.add(at + 1)
        open_at = _closed_over(following, parts)
        if not open_at:
            return False, False
    return len(parts) in open_at and bool(path), True


def _closed_over(states: set[int], parts: _Parts) -> set[int]:
    """`states` with those that they reach where a "**" stands for no directory."""
    found = set(states)
    for at in sorted(states):
        while at < len(parts) and parts[at] is None:
            at += 1
            found.add(at)
    return found
