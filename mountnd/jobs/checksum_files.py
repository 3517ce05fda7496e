"""The checksum files of a tree: found while it is listed, read before the files that they name.

Those in the directories above what is verified count, too. Used by one thread until `read` has returned; then read by
any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ..catalog.catalogue import Catalogue
from ..catalog.model.entry import Entry
from ..checks.digest import Digest
from ..checks.kinds import MANIFEST
from ..checks.manifests import LONGEST, Line, lines_of, named
from ..errors import Cancelled, MountndError
from ..stores.base import ObjectStat
from .paths import Parts, shown, text

# What no name of a checksum file is without: most names are none.
_LIKELY = re.compile(rb"sum|md5|sha|b2|blake", re.IGNORECASE)
# Lines that cannot be used, shown of each file; the rest are counted.
_ODD_SHOWN = 3


class Found(NamedTuple):
    """A checksum file: the directory that it is in, and what is known of it."""

    directory: Parts
    catalogue: Catalogue
    entry: Entry

    @property
    def path(self) -> str:
        return shown((*self.directory, text(self.entry.name)))

    def stat(self) -> ObjectStat:
        """Its version, by the token that it goes by now."""
        assert self.entry.stat is not None
        return self.catalogue.relied(self.entry.stat)


class ChecksumFiles:
    """All of them.

    Attributes:
        files: how many were found.
        remarks: what of them cannot be used, in words.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Parts, bytes], Found] = {}
        self._digests: dict[str, list[Digest]] = {}
        self.remarks: list[str] = []

    def listed(self, directory: Parts, catalogue: Catalogue, entries: Sequence[Entry]) -> None:
        """A directory was listed."""
        for entry in entries:
            if entry.is_dir or not _LIKELY.search(entry.name) or named(text(entry.name)) is None:
                continue
            self._found[directory, entry.name] = Found(directory, catalogue, entry)

    @property
    def files(self) -> int:
        return len(self._found)

    def read(self, content: Callable[[ObjectStat], bytes], failed: Callable[[str, str], object]) -> None:
        """Read all that were found.

        Args:
            content: the bytes of a file. Raises MountndError.
            failed: told of one that cannot be read, and why.
        """
        for found in self._found.values():
            stat = found.stat()
            if stat.size > LONGEST:
                self.remarks.append(f"{found.path} is too long for a checksum file, and is not read as one.")
                continue
            try:
                self._take(found, content(stat))
            except Cancelled:
                return
            except MountndError as e:
                failed(found.path, f"its checksums cannot be read: {e}")
        self._found.clear()

    def of(self, path: str) -> tuple[Digest, ...]:
        """What they say of a file."""
        return tuple(self._digests.get(path, ()))

    def absent(self, tops: Collection[Parts], is_there: Collection[str]) -> list[tuple[str, str]]:
        """Files below `tops` that are named and not there, and where they are named. `is_there`: all that are.

        What a view shows inflated (`x.nii` of `x.nii.gz`) is there, under another name and with other bytes.
        """
        gone = (path for path in self._digests if path not in is_there and _below(path, tops))
        gone = (path for path in gone if _inflated(path) not in is_there)
        return [(path, self._digests[path][0].by) for path in sorted(gone)]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def _take(self, found: Found, data: bytes) -> None:
        about = named(text(found.entry.name))
        assert about is not None
        odd = []
        for line in lines_of(data, "/".join(found.directory), about):
            if isinstance(line, Line):
                digest = Digest(MANIFEST, line.algorithm, line.value, f"{found.path}, line {line.number}")
                self._digests.setdefault(line.path, []).append(digest)
            else:
                odd.append(line)
        self.remarks += [f"{found.path}, line {line.number}: {line.why}." for line in odd[:_ODD_SHOWN]]
        if len(odd) > _ODD_SHOWN:
            self.remarks.append(f"{found.path}: {len(odd) - _ODD_SHOWN:,} more of its lines cannot be used.")


def _inflated(path: str) -> str:
    ending = path[-4:].lower()
    return path[:-1] + "h" if ending == ".mgz" else path[:-3] if ending[1:] == ".gz" else path


def _below(path: str, tops: Collection[Parts]) -> bool:
    parts = tuple(path.split("/"))
    return any(parts[: len(top)] == top for top in tops)
