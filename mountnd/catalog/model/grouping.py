"""From a sorted run of keys, listed without delimiter, to complete directories. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

from ...stores.base import ObjectStat
from .keys import SLASH, Found, Hidden, Unshowable, name_of, order


class Disorder(Exception):
    """The keys did not come in byte order: what lies between two of them is not known."""


class _Open:
    __slots__ = ("found", "prefix", "whole")

    def __init__(self, prefix: str, whole: bool) -> None:
        self.prefix, self.whole = prefix, whole
        self.found = Found({}, [], None)


class Fold:
    """Takes all keys of the key range [low, high) in order and tells which directories they complete.

    Args:
        base: key prefix of the directory that the range lies in.
        low: where the range begins; `base` itself for the whole of it.

    Attributes:
        closed: (prefix, what is in it) of directories completed since it was last emptied.
        partial: the same, after `finish`, of directories that reach out of the range.
    """

    def __init__(self, base: str, low: str) -> None:
        self._low, self._last = order(low), b""
        self._stack = [_Open(base, self._low <= order(base))]
        self.closed: list[tuple[str, Found]] = []
        self.partial: list[tuple[str, Found]] = []

    def feed(self, objects: Iterable[ObjectStat]) -> None:
        """The next keys. Raises Disorder."""
        for stat in objects:
            key = stat.id.key
            raw = order(key)
            if raw <= self._last:
                raise Disorder(key)
            self._last = raw
            top = self._stack[-1]
            while not key.startswith(top.prefix):
                self._pop()
                top = self._stack[-1]
            self._place(top, key, stat)

    def finish(self, high: str | None) -> None:
        """No key up to `high` (None: up to the end of `base`) is left."""
        while self._stack:
            top = self._stack[-1]
            # "0" comes right after "/": all keys below "a/" sort before "a0".
            if top.whole and high is not None and (not top.prefix or order(top.prefix[:-1] + "0") > order(high)):
                top.whole = False
            self._pop()

    def holds(self, prefix: str) -> bool:
        """Whether a directory has begun in this range and not ended yet: the keys to come will complete it."""
        return any(level.whole and level.prefix == prefix for level in self._stack)

    def _pop(self) -> None:
        done = self._stack.pop()
        (self.closed if done.whole else self.partial).append((done.prefix, done.found))

    def _place(self, top: _Open, key: str, stat: ObjectStat) -> None:
        while True:
            found = top.found
            rest = key[len(top.prefix) :]
            segment, slash, _ = rest.partition("/")
            if not rest:
                self._stack[-1] = top
                top.found = found._replace(marker=stat)
                if stat.size and top.prefix:
                    found.hidden.append(Hidden(top.prefix, SLASH))
                return
            try:
                name = name_of(segment)
            except Unshowable as why:
                report = Hidden(top.prefix + segment + slash, str(why))
                if not found.hidden or found.hidden[-1] != report:
                    found.hidden.append(report)
                return
            if not slash:
                found.rows[name] = stat
                return
            found.rows[name + b"/"] = None
            prefix = f"{top.prefix}{segment}/"
            top = _Open(prefix, self._low <= order(prefix))
            self._stack.append(top)
