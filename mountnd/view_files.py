"""What views keep of stored versions, in the cache directory: notes of a few bytes, and blobs (seek points).

    views/notes-XX      records of 40 bytes: a name, its note, a checksum; by the first byte of the name. Appended to
    views/blob-NAME     a blob, with a checksum

All mounts of this user that have the same cache directory share them. Whatever goes wrong here is as if nothing were
kept. No lock: each file is whole at every moment, and a record is appended by one write(2).
"""

from __future__ import annotations

import itertools
import logging
import os
import re

import xxhash

from .private_directory import PrivateDirectory, PrivatePath
from .regular_file import UntrustedDirectory

log = logging.getLogger(__name__)

NAME_BYTES = NOTE_BYTES = 16
_RECORD = NAME_BYTES + NOTE_BYTES + 8
# Of one file of notes; beyond it, the older half is dropped. All of them together: 1.6 million versions.
NOTES_MAX = 6_500 * _RECORD
# Of one blob, and where nobody says it, of all blobs.
BLOB_MAX, BLOBS_BYTES = 64 << 20, 512 << 20
# Blobs written between two looks at how much they take.
LOOK_EVERY = 8
_BLOB_NAME = re.compile(r"blob-[0-9a-f]{32}")
_OURS = re.compile(r"blob-[0-9a-f]{32}|notes-[0-9a-f]{2}")


class ViewFiles:
    """As `views.blobs.Blobs`. `limit`: bytes that blobs may take."""

    def __init__(self, place: PrivatePath, limit: int = BLOBS_BYTES) -> None:
        self._place, self._limit = place, limit
        self._held: PrivateDirectory | None = None
        self._puts = itertools.count()
        self._said = False

    def note(self, name: bytes) -> bytes | None:
        """The note of a name, the last that was kept."""
        data = self._read(_notes_of(name), NOTES_MAX + (1 << 20))
        at = len(data)
        while (at := data.rfind(name, 0, at)) >= 0:
            record = data[at : at + _RECORD]
            if at % _RECORD == 0 and len(record) == _RECORD and record == _record(name, record[NAME_BYTES:-8]):
                return record[NAME_BYTES:-8]
        return None

    def keep_note(self, name: bytes, note: bytes) -> None:
        """Keep a note of `NOTE_BYTES`."""
        if (directory := self._directory(make=True)) is None:
            return
        file = _notes_of(name)
        try:
            try:
                fd = directory.open_file(file, os.O_WRONLY | os.O_APPEND)
            except FileNotFoundError:
                directory.write(file, _record(name, note))
                return
            try:
                size = os.fstat(fd).st_size
                if size % _RECORD == 0 and size < NOTES_MAX:
                    os.write(fd, _record(name, note))
                    return
            finally:
                os.close(fd)
            kept = directory.read(file, NOTES_MAX + (1 << 20))
            whole = len(kept) - len(kept) % _RECORD
            directory.write(
                file, kept[max(0, whole - NOTES_MAX // 2 // _RECORD * _RECORD) : whole] + _record(name, note)
            )
        except OSError as e:
            self._say(e)

    def get(self, name: bytes) -> bytes | None:
        """The blob of a name."""
        file = f"blob-{name.hex()}"
        data = self._read(file, BLOB_MAX + 8)
        if len(data) < 8 or xxhash.xxh3_64_digest(data[8:]) != data[:8]:
            return None
        try:
            if (directory := self._directory()) is not None:
                directory.touch(file)
        except OSError:
            pass  # evicted since
        return data[8:]

    def put(self, name: bytes, blob: bytes) -> None:
        """Keep a blob; those that were not used for longest give way."""
        if len(blob) > min(BLOB_MAX, self._limit) or (directory := self._directory(make=True)) is None:
            return
        try:
            directory.write(f"blob-{name.hex()}", xxhash.xxh3_64_digest(blob) + blob)
            if next(self._puts) % LOOK_EVERY == 0:
                self._evict(directory)
        except OSError as e:
            self._say(e)

    def _evict(self, directory: PrivateDirectory) -> None:
        blobs = []
        for entry in directory.entries():
            if _BLOB_NAME.fullmatch(entry.name):
                try:
                    info = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                blobs.append((info.st_mtime, info.st_size, entry.name))
        left = sum(size for _, size, _ in blobs) - self._limit
        for _, size, name in sorted(blobs):
            if left <= 0:
                return
            if directory.remove(name):
                left -= size

    def _read(self, file: str, limit: int) -> bytes:
        """What a file holds; b"" where there is none, or it cannot be read."""
        try:
            directory = self._directory()
            return b"" if directory is None else directory.read(file, limit)
        except OSError:
            return b""

    def _directory(self, *, make: bool = False) -> PrivateDirectory | None:
        held = self._held
        if held is not None and held.info.st_nlink:
            return held
        try:
            self._held = held = self._place.open(make=make)
        except OSError as e:
            if make:
                self._say(e)
            return None
        return held

    def _say(self, error: OSError) -> None:
        """Once: it is tried again whenever something is learnt."""
        if not self._said:
            self._said = True
            log.warning("%s: what is learnt of compressed files is not kept: %s", self._place, error.strerror or error)


def clear(place: PrivatePath) -> int:
    """Remove all that views keep; the bytes that it took. Raises UntrustedDirectory."""
    freed = 0
    try:
        directory = place.open()
        entries = directory.entries()
    except UntrustedDirectory:
        raise
    except OSError:
        return 0
    for entry in entries:
        if _OURS.fullmatch(entry.name):
            try:
                size = entry.stat(follow_symlinks=False).st_blocks * 512
            except OSError:
                continue
            freed += size if directory.remove(entry.name) else 0
    return freed


def _notes_of(name: bytes) -> str:
    return f"notes-{name[:1].hex()}"


def _record(name: bytes, note: bytes) -> bytes:
    return name + note + xxhash.xxh3_64_digest(name + note)
