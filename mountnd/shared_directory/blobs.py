"""Bytes by name in a shared directory: what one node has computed of immutable bytes (a seek index), others read.

    DIR/blobs/KIND/HASH      magic, length of the name, xxh3 of all that follows; the name; the bytes

A file is written under another name and renamed: it is whole, or not there. It is believed only where its checksum
holds and the name in it is the one that was asked for: another's bytes do not pass. That tells damage, and not malice:
whoever may write there can write other bytes with a right checksum, so whoever reads them must check what they mean.
"""

from __future__ import annotations

import logging
import os
import re
import struct

from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

from .directory import SharedDirectory
from .place import SharedPlace

log = logging.getLogger(__name__)

FOLDER = "blobs"
KIND = re.compile(r"[a-z0-9-]{1,32}")
BLOB_NAME = re.compile(r"[0-9a-f]{32}")
_MAGIC = b"mountndB"
_HEAD = struct.Struct("<8sIQ")
# Bytes of one, at most: the index of a compressed file of 100 GiB takes some 3 % of it where it is fine.
LIMIT = 1 << 30


class Blobs:
    """Of one shared directory. Safe to use from many threads; nothing of it raises but ValueError for a bad `kind`.

    Every call may take as long as the guard's patience where the file system hangs, and none after that.
    """

    def __init__(self, place: SharedPlace) -> None:
        self._place = place

    def get(self, kind: str, name: str, limit: int = LIMIT) -> bytes | None:
        """The bytes called `name`, at most `limit`; None where there are none to be believed.

        Args:
            kind: what they are, and in which version of their format: "seek-index-1".
            name: what they were made of: an `ObjectId` and all parameters, as text.
        """
        path = _path(kind, name)
        if not self._place.guard.is_on:
            return None
        try:
            return self._place.guard.call(self._read, path, name, limit)
        except OSError as e:
            log.debug("%s/%s: %s", self._place.path, path, e)
            return None

    def put(self, kind: str, name: str, data: bytes) -> None:
        """Keep bytes for others, some time soon; not where that cannot be done."""
        path = _path(kind, name)
        if self._place.may_write and len(data) <= LIMIT:
            self._place.guard.post(self._write, path, name, data)

    def _read(self, path: str, name: str, limit: int) -> bytes | None:
        folder, _, base = path.rpartition("/")
        held = self._folder(folder, make=False)
        try:
            raw = held.read(base, _HEAD.size + len(name.encode("utf-8", "surrogatepass")) + limit)
        except FileNotFoundError:
            return None
        return decoded(raw, name)

    def _write(self, path: str, name: str, data: bytes) -> None:
        folder, _, base = path.rpartition("/")
        try:
            self._folder(folder, make=True).write(base, encoded(name, data))
        except OSError as e:
            log.info("%s/%s: not kept for others: %s", self._place.path, path, e.strerror or e)

    def _folder(self, path: str, *, make: bool) -> SharedDirectory:
        held = self._place.path.open()
        for part in path.split("/"):
            held = held.below(part, make=make)
        assert isinstance(held, SharedDirectory)
        return held


def _path(kind: str, name: str) -> str:
    if not KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is no kind of blobs: take up to 32 small letters, digits and dashes")
    return os.path.join(FOLDER, kind, xxh3_128_hexdigest(f"{kind}\0{name}".encode("utf-8", "surrogatepass")))


def encoded(name: str, data: bytes) -> bytes:
    """What a file holds. Pure."""
    label = name.encode("utf-8", "surrogatepass")
    return _HEAD.pack(_MAGIC, len(label), xxh3_64_intdigest(label + data)) + label + data


def decoded(raw: bytes, name: str) -> bytes | None:
    """The bytes in a file, None where it is damaged or another's. Pure."""
    label = name.encode("utf-8", "surrogatepass")
    if len(raw) < _HEAD.size:
        return None
    magic, length, digest = _HEAD.unpack_from(raw)
    rest = raw[_HEAD.size :]
    if magic != _MAGIC or length != len(label) or rest[:length] != label or xxh3_64_intdigest(rest) != digest:
        return None
    return rest[length:]
