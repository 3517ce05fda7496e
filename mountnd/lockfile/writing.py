"""A header and records -> a lockfile, whole or not at all.

Records are turned into their lines as they come, so that a million of them take some 200 MB and not four times that.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from operator import lt
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from ..errors import MountndError, UsageError
from .header import END, Header, text_of
from .record import COLUMNS, Locked, line_of, path_of

# Lines that are written with one call.
_TOGETHER = 10_000


class SupportsWrite(Protocol):
    def write(self, data: bytes, /) -> int: ...


class Written(NamedTuple):
    """`bytes`: of the objects, in sum."""

    objects: int
    bytes: int


def write(target: Path, header: Header, records: Iterable[Locked], *, overwrite: bool = False) -> Written:
    """Write the lockfile `target`. Records come in any order.

    Raises as `write_pieces`, and MountndError for two records of one path and for what no lockfile can hold.
    """
    refuse_existing(target, overwrite)
    lines = Lines(header, records)
    write_pieces(target, lines, overwrite=overwrite)
    return Written(lines.objects, lines.bytes)


def write_pieces(target: Path, pieces: Iterable[bytes], *, overwrite: bool = False) -> None:
    """Make the file `target`, gzipped where its name ends in `.gz`. What is no regular file is written to as it is.

    Raises UsageError where it exists and `overwrite` is not set, MountndError where it cannot be written; then, and
    when interrupted, `target` is as it was.
    """
    target = Path(os.path.realpath(target))  # through a symbolic link to the file that is meant
    try:
        if target.exists() and not target.is_file():  # /dev/stdout, a pipe
            with open(target, "wb") as file:
                _fill(file, pieces, target.name)
        else:
            _write_anew(target, pieces, overwrite)
    except FileExistsError:
        refuse_existing(target, overwrite)
        raise
    except OSError as error:
        raise MountndError(f"{target}: cannot be written: {error.strerror or error}") from None


def _write_anew(target: Path, pieces: Iterable[bytes], overwrite: bool) -> None:
    refuse_existing(target, overwrite)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            _fill(file, pieces, target.name)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(temporary, target)
        else:
            _move_anew(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _fill(file: IO[bytes], pieces: Iterable[bytes], name: str) -> None:
    with _compressing(file, name) as out:
        for piece in pieces:
            out.write(piece)


def refuse_existing(target: Path, overwrite: bool) -> None:
    """Raises UsageError where `target` is there and must not be overwritten."""
    if not overwrite and os.path.lexists(target):
        raise UsageError(f"{target} exists already: choose another name, or overwrite it with --force")


class Lines:
    """The text of a lockfile in pieces.

    Attributes:
        objects, bytes: how many there are and their sizes' sum.

    Raises MountndError for two records of one path.
    """

    def __init__(self, header: Header, records: Iterable[Locked]) -> None:
        self._head = f"{text_of(header)}{END}\n" + "\t".join(COLUMNS) + "\n"
        self.bytes = 0
        self._lines = [line_of(record, header.root) for record in self._summed(records)]
        self.objects = len(self._lines)
        paths = list(map(path_of, self._lines))
        if not all(map(lt, paths, islice(paths, 1, None))):
            del paths
            self._lines.sort(key=path_of)
            paths = list(map(path_of, self._lines))
            twice = next((one for one, other in zip(paths, islice(paths, 1, None), strict=False) if one == other), None)
            if twice is not None:
                raise MountndError(
                    f"{twice.decode('utf-8', 'surrogateescape')!r} is there twice: a lockfile has one object for a path"
                )

    def _summed(self, records: Iterable[Locked]) -> Iterator[Locked]:
        for record in records:
            self.bytes += record.size
            yield record

    def __iter__(self) -> Iterator[bytes]:
        yield self._head.encode()
        for at in range(0, len(self._lines), _TOGETHER):
            yield b"\n".join(self._lines[at : at + _TOGETHER]) + b"\n"
        yield f"# {self.objects} objects\n".encode()


def _compressing(raw: IO[bytes], name: str) -> AbstractContextManager[SupportsWrite]:
    if name.endswith(".gz"):
        # no name and no time: the same objects make the same bytes
        return gzip.GzipFile("", "wb", 6, raw, mtime=0)
    return contextlib.nullcontext(raw)


def _move_anew(temporary: Path, target: Path) -> None:
    """Raises FileExistsError where somebody has made `target` meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError from None
        os.replace(temporary, target)
