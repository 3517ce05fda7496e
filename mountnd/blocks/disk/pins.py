"""Pins: chunk files that eviction passes by, in lists with a name that people gave.

A pin is one or more files `pins/NAME@HEX.pin` below the cache's directory. Each is a line of JSON (version, name, when
it was made, what was asked for), the names of its chunk files, a line each, and the checksum of all that. A file that
is damaged, or not of this form, pins nothing. Whoever adds to a pin writes a file that holds all, and then removes
those that it has read: of two who add at once none loses what the other has pinned.

Every process that shares the directory looks at the files whenever it is about to evict.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

from ...errors import UsageError
from ...private_directory import PrivateDirectory, PrivatePath
from .chunk_file import CHUNK_NAME, FOLDER
from .place import CacheDirectory

log = logging.getLogger(__name__)

FOLDER_OF_PINS = "pins"
PIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FILE = re.compile(rf"({PIN_NAME.pattern})@[0-9a-f]{{8}}\.pin")
_FORMAT = 1
# A million chunk files: 16 TiB of large objects, or a million small ones.
_MOST_BYTES = 64 << 20


class Pin(NamedTuple):
    """One pin.

    Attributes:
        made: when it was last added to, seconds since the epoch.
        asked: what was asked for, as a person typed it.
        chunks: names of its chunk files, whether they are there or not.
        damaged: files of it that are not believed, and pin nothing.
    """

    name: str
    made: float
    asked: tuple[str, ...]
    chunks: frozenset[str]
    damaged: int = 0


class _Part(NamedTuple):
    """One file of a pin. None in place of one: it is damaged."""

    made: float
    asked: tuple[str, ...]
    chunks: frozenset[str]


def check_name(name: str) -> str:
    """`name`, where a pin may be called so. Raises UsageError."""
    if not PIN_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a pin: take up to 64 letters, digits, dots, dashes and underscores"
        )
    return name


class Pins:
    """The pins of one cache directory. Used by one thread at a time; files are read again only when they changed."""

    def __init__(self, root: CacheDirectory | PrivatePath) -> None:
        self._root = CacheDirectory.of(root)
        self._read: dict[str, tuple[tuple[int, int, int], _Part | None]] = {}
        self._said: set[str] = set()

    def chunks(self) -> Collection[str]:
        """The names of all chunk files that are pinned."""
        parts = [part for _, part in self._parts().items() if part is not None]
        if len(parts) == 1:
            return parts[0].chunks
        return frozenset().union(*(part.chunks for part in parts))

    def all(self) -> list[Pin]:
        """The pins, by name."""
        found: dict[str, list[_Part | None]] = {}
        for file, part in sorted(self._parts().items()):
            found.setdefault(_name_of(file), []).append(part)
        return [_joined(name, parts) for name, parts in sorted(found.items())]

    def add(self, name: str, asked: Sequence[str], chunks: Iterable[str]) -> None:
        """Pin `chunks`, beside what is pinned under `name` already. Raises OSError."""
        held = self._root.make().below(FOLDER_OF_PINS, make=True)
        old = {file: part for file, part in self._parts().items() if _name_of(file) == name and part is not None}
        new = frozenset(chunks).union(*(part.chunks for part in old.values()))
        words = tuple(dict.fromkeys([*(word for part in old.values() for word in part.asked), *asked]))
        held.write(f"{name}@{os.urandom(4).hex()}.pin", _encode(name, words, new))
        for file in old:
            held.remove(file)

    def remove(self, name: str) -> bool:
        """Unpin; False where no pin is called so. What was pinned stays cached until it is evicted."""
        try:
            held = self._root.held().below(FOLDER_OF_PINS)
        except OSError:
            return False
        removed = [held.remove(file) for file in self._parts() if _name_of(file) == name]
        return any(removed)

    def _parts(self) -> dict[str, _Part | None]:
        """What each file of a pin holds, None for one that is not believed."""
        try:
            held = self._root.held().below(FOLDER_OF_PINS)
            entries = held.entries()
        except OSError:
            return {}
        now: dict[str, tuple[tuple[int, int, int], _Part | None]] = {}
        for entry in entries:
            if not _FILE.fullmatch(entry.name):
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            state = (info.st_ino, info.st_size, info.st_mtime_ns)
            known = self._read.get(entry.name)
            now[entry.name] = known if known and known[0] == state else (state, self._part(held, entry.name))
        self._read = now
        return {file: part for file, (_, part) in now.items()}

    def _part(self, held: PrivateDirectory, file: str) -> _Part | None:
        try:
            part = _decode(held.read(file, _MOST_BYTES), _name_of(file))
        except FileNotFoundError:
            return _Part(0.0, (), frozenset())  # removed meanwhile
        except OSError as e:
            part, why = None, e.strerror or str(e)
        else:
            why = "it is damaged"
        if part is None and file not in self._said:
            self._said.add(file)
            log.warning("%s/%s pins nothing: %s", held.path, file, why)
        return part


def _name_of(file: str) -> str:
    return file.partition("@")[0]


def _joined(name: str, parts: Sequence[_Part | None]) -> Pin:
    good = [part for part in parts if part is not None]
    return Pin(
        name,
        max((part.made for part in good), default=0.0),
        tuple(dict.fromkeys(word for part in good for word in part.asked)),
        frozenset().union(*(part.chunks for part in good)),
        len(parts) - len(good),
    )


def _encode(name: str, asked: Sequence[str], chunks: Iterable[str]) -> bytes:
    head = json.dumps({"mountnd": _FORMAT, "name": name, "made": time.time(), "asked": list(asked)})
    body = "".join(f"{line}\n" for line in [head, *sorted(chunks)]).encode()
    return body + xxh3_128_hexdigest(body).encode() + b"\n"


def _decode(raw: bytes, name: str) -> _Part | None:
    """What a pin's file says; None where it is not to be believed."""
    body, digest = raw[:-33], raw[-33:]
    if digest != xxh3_128_hexdigest(body).encode() + b"\n":
        return None
    try:
        head, *chunks = body.decode().splitlines()
        said = json.loads(head)
        made, asked = said["made"], said["asked"]
        right = said["mountnd"] == _FORMAT and said["name"] == name and isinstance(made, int | float)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not right or not isinstance(asked, list) or not all(isinstance(word, str) for word in asked):
        return None
    if not all(FOLDER.fullmatch(chunk[:2]) and CHUNK_NAME.fullmatch(chunk[3:]) and chunk[2] == "/" for chunk in chunks):
        return None
    return _Part(float(made), tuple(asked), frozenset(chunks))
