"""Snapshots that were resolved once, as lockfiles in the cache directory: they never change, so nobody is asked again,
unless files were missing then.

    CACHE_DIR/snapshots/PLACE/ds000001@1.0.2.lock.gz     its files
    CACHE_DIR/snapshots/PLACE/ds000001.tags.json         which tags there were, when somebody asked last

PLACE is made of the service, the bucket and who reads it: one tag may be two things in two places.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from ..errors import BadAnswer, ConfigError
from ..lockfile.header import Header
from ..lockfile.reading import read_pieces
from ..lockfile.record import Locked
from ..lockfile.writing import Lines
from ..private_directory import PrivateDirectory, PrivatePath
from .answers import Tag, tags_of

log = logging.getLogger(__name__)

# The line of a file that no version is known for: neither ETag nor version id.
_UNPINNED = re.compile(rb"^(?:[^\t\n]*\t){3}-\t-(?=[\t\n])", re.MULTILINE)
_END, _TAGS = ".lock.gz", ".tags.json"
# Bytes of a list of tags; the longest have some hundred.
_TAGS_MAX = 1 << 20


class Found(NamedTuple):
    """A snapshot that is kept: its lockfile, of how many files no version was known, and how old that is (seconds)."""

    path: Path
    missing: int
    age: float


class Kept:
    """The snapshots of one service and bucket that are known here.

    Args:
        cache_dir: where they are kept, or to be kept.
        place: whatever tells them from those of other places.
    """

    def __init__(self, cache_dir: PrivatePath, *place: str) -> None:
        name = hashlib.sha256("\0".join(place).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._directory = cache_dir / "snapshots" / name

    def find(self, dataset: str, tag: str) -> Found | None:
        """A snapshot; None where it is not known, or the file is damaged or could be another's."""
        name = f"{dataset}@{tag}{_END}"
        path = Path(self._directory) / name
        try:
            with open(self._directory.open().open_file(name), "rb") as file:
                age = time.time() - os.fstat(file.fileno()).st_mtime
            missing = sum(len(_UNPINNED.findall(piece.text)) for piece in read_pieces(path)[1])
        except FileNotFoundError:
            return None
        except (OSError, ConfigError) as error:
            log.warning("%s is not used: %s", path, getattr(error, "strerror", None) or error)
            return None
        return Found(path, missing, age)

    def keep(self, dataset: str, tag: str, header: Header, records: Iterable[Locked]) -> Path:
        """Write the lockfile of a snapshot. Raises OSError, and MountndError for records that no lockfile can hold."""
        data = text_of(header, records)
        name = f"{dataset}@{tag}{_END}"
        self._directory.open(make=True).write(name, data)
        return Path(self._directory) / name

    def keep_tags(self, dataset: str, tags: Sequence[Tag]) -> None:
        """Remember which snapshots there are; where that cannot be, it is only not remembered."""
        try:
            rows = json.dumps([one._asdict() for one in tags]).encode()
            self._directory.open(make=True).write(f"{dataset}{_TAGS}", rows)
        except OSError as error:
            log.info("%s: which tags there are is not kept: %s", self._directory, error.strerror or error)

    def newest(self, dataset: str) -> str | None:
        """The tag of the newest snapshot that is kept, as far as is known which that is."""
        try:
            directory = self._directory.open()
            there = {entry.name for entry in directory.entries()}
        except OSError:
            return None
        order = [one.tag for one in self._tags(directory, dataset)]
        kept = [tag for tag in order if f"{dataset}@{tag}{_END}" in there]
        return kept[-1] if kept else None

    def _tags(self, directory: PrivateDirectory, dataset: str) -> list[Tag]:
        try:
            return tags_of(json.loads(directory.read(f"{dataset}{_TAGS}", _TAGS_MAX)), dataset)
        except (OSError, ValueError, RecursionError, BadAnswer):
            return []


def text_of(header: Header, records: Iterable[Locked]) -> bytes:
    """A lockfile as it is kept."""
    held = BytesIO()
    with gzip.GzipFile("", "wb", 6, held, mtime=0) as file:
        for chunk in Lines(header, records):
            file.write(chunk)
    return held.getvalue()
