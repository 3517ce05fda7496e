"""From a sorted run of keys, listed without delimiter, to complete directories. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ...stores.base import ObjectStat
from .keys import SLASH, Contents, Hidden, Unshowable, is_plain_name, name_of, sort_key


class OutOfOrder(Exception):
    """The keys did not come in byte order: what lies between two of them is not known."""


class Directory(NamedTuple):
    """A directory's key prefix, and what the keys told of it."""

    prefix: str
    contents: Contents


class _OpenDirectory:
    __slots__ = ("contents", "prefix", "whole")

    def __init__(self, prefix: str, whole: bool) -> None:
        self.prefix, self.whole = prefix, whole
        self.contents = Contents({}, [], None)


class Grouper:
    """Takes all keys of the key range [low, high) in order and tells which directories they complete.

    Args:
        base: key prefix of the directory that the range lies in.
        low: where the range begins; `base` itself for the whole of it.

    Attributes:
        completed: directories completed since it was last emptied.
        partial: after `finish`, directories that reach out of the range.
    """

    def __init__(self, base: str, low: str) -> None:
        self._low, self._last = sort_key(low), b""
        self._stack = [_OpenDirectory(base, self._low <= sort_key(base))]
        self.completed: list[Directory] = []
        self.partial: list[Directory] = []

    def feed(self, objects: Iterable[ObjectStat]) -> None:
        """The next keys. Raises OutOfOrder."""
        top = self._stack[-1]
        for stat in objects:
            key = stat[0][1]  # of its id: by position, since this loop is a good part of a cold walk
            raw = key.encode() if key.isascii() else sort_key(key)
            if raw <= self._last:
                raise OutOfOrder(key)
            self._last = raw
            if key.startswith(top.prefix) and is_plain_name(name := key[len(top.prefix) :]):
                top.contents.rows[name.encode()] = stat
                continue
            while not key.startswith(top.prefix):
                self._pop()
                top = self._stack[-1]
            self._place(top, key, stat)
            top = self._stack[-1]

    def finish(self, high: str | None) -> None:
        """No key up to `high` (None: up to the end of `base`) is left."""
        while self._stack:
            top = self._stack[-1]
            # "0" comes right after "/": all keys below "a/" sort before "a0".
            if top.whole and high is not None and (not top.prefix or sort_key(top.prefix[:-1] + "0") > sort_key(high)):
                top.whole = False
            self._pop()

    def holds(self, prefix: str) -> bool:
        """Whether a directory has begun in this range and not ended yet: the keys to come will complete it."""
        return any(level.whole and level.prefix == prefix for level in self._stack)

    def _pop(self) -> None:
        done = self._stack.pop()
        (self.completed if done.whole else self.partial).append(Directory(done.prefix, done.contents))

    def _place(self, top: _OpenDirectory, key: str, stat: ObjectStat) -> None:
        while True:
            contents = top.contents
            rest = key[len(top.prefix) :]
            segment, slash, _ = rest.partition("/")
            if not rest:
                self._stack[-1] = top
                top.contents = contents._replace(marker=stat)
                if stat.size and top.prefix:
                    contents.hidden.append(Hidden(top.prefix, SLASH))
                return
            try:
                name = name_of(segment)
            except Unshowable as why:
                report = Hidden(top.prefix + segment + slash, str(why))
                if not contents.hidden or contents.hidden[-1] != report:
                    contents.hidden.append(report)
                return
            if not slash:
                contents.rows[name] = stat
                return
            contents.rows[name + b"/"] = None
            prefix = f"{top.prefix}{segment}/"
            top = _OpenDirectory(prefix, self._low <= sort_key(prefix))
            self._stack.append(top)
