"""A lockfile -> its header and records. Every line is looked at before anything is made of it.

A file may come from anywhere, be cut off, or be edited by hand: what is wrong is told with its line. Memory is bounded
by a piece of the file, whatever it inflates to.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from itertools import islice
from operator import lt
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError
from .header import END, Header, header_of
from .inflating import opened
from .record import COLUMNS, LINE, Locked, fault_of, record_of, unescaped_bytes

_PIECE = 1 << 20
# Bytes of a header; of a line (S3's keys have up to 1,024, which may take three times that, twice).
_HEADER_MAX = 64 << 10
_LINE_MAX = 32 << 10

_MAGIC = b"# mountnd lockfile"
_END = re.compile(rb"^" + END.encode() + rb"\r?\n", re.MULTILINE)
_HEADING = "\t".join(COLUMNS).encode() + b"\n"
_PATHS = re.compile(rb"^(?=([^\t]*+))" + LINE + rb"\n", re.MULTILINE)
_LINE = re.compile(LINE)
_COUNT = re.compile(rb"# ([0-9]{1,12}) objects\n?")
_MEND = "mend the line, or make the lockfile anew"


class Piece(NamedTuple):
    """Whole lines of objects: their text, each ending in a newline, and the bytes of their paths, ascending."""

    text: bytes
    paths: list[bytes]


def read(path: Path) -> tuple[Header, Iterator[Locked]]:
    """The header, and the records in order as they are read.

    Raises ConfigError, also while records are taken: the file, the line, what is wrong and what to do.
    """
    header, pieces = read_pieces(path)
    return header, (record_of(line, header.root) for piece in pieces for line in piece.text.splitlines())


def read_header(path: Path) -> Header:
    """The header alone. Raises ConfigError."""
    pieces = _Pieces(path)
    pieces.close()
    return pieces.header


def read_pieces(path: Path) -> tuple[Header, Iterator[Piece]]:
    """As `read`, with the lines as they are."""
    pieces = _Pieces(path)
    return pieces.header, iter(pieces)


def is_lockfile(path: Path) -> bool:
    """Whether what lies there begins as lockfiles do."""
    try:
        with opened(path, "a lockfile") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (ConfigError, OSError, EOFError, zlib.error):
        return False


class _Pieces:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = opened(path, "a lockfile")
        self._line = 1  # the number of the line that `_text` begins with
        self._text = b""
        try:
            self.header = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _read_header(self) -> Header:
        self._more(_HEADER_MAX)
        if not self._text.startswith(_MAGIC):
            raise ConfigError(
                f"{self._path}: not a lockfile of mountnd: its first line does not begin with {_MAGIC.decode()!r}"
            )
        end = _END.search(self._text)
        if end is None:
            raise ConfigError(f"{self._path}: cut off in the header, before the line {END}; fetch or make it anew")
        if b"\r" in end[0]:
            raise ConfigError(f"{self._path}, line 1: lines end as on Windows; convert them (dos2unix {self._path})")
        try:
            header = header_of(self._text[: end.start()].decode(), str(self._path))
        except UnicodeDecodeError as error:
            line = self._text.count(b"\n", 0, error.start) + 1
            raise ConfigError(f"{self._path}, line {line}: not UTF-8; {_MEND}") from None
        self._take(end.end())
        if len(self._text) < len(_HEADING) and _HEADING.startswith(self._text):
            raise ConfigError(f"{self._where()}: cut off; fetch the file anew")
        if not self._text.startswith(_HEADING):
            raise ConfigError(f"{self._where()}: the columns must be {', '.join(COLUMNS)}; {_MEND}")
        self._take(len(_HEADING))
        return header

    def __iter__(self) -> Iterator[Piece]:
        objects, last = 0, b""
        with self._file:
            while True:
                self._more(_PIECE)
                end = self._text.rfind(b"\n") + 1
                if not end:
                    if self._text.startswith(b"# "):  # its newline is missing
                        self._check_end(objects)
                        return
                    break
                count = self._text.rfind(b"\n# ", 0, end) + 1 if not self._text.startswith(b"# ") else 0
                lines, stop = self._text[:end], end
                if self._text.startswith(b"# ", count):
                    lines, stop = self._text[:count], count
                if lines:
                    piece = self._checked(lines, last if objects else None)
                    objects, last = objects + len(piece.paths), piece.paths[-1]
                    yield piece
                self._take(stop)
                if stop < end:
                    self._check_end(objects)
                    return
            raise ConfigError(
                f"{self._where()}: cut off: the last line must count the objects, "
                f"and {objects} come before it; fetch the file anew (or write `# {objects} objects` there)"
            )

    def _more(self, size: int) -> None:
        """Read on until there are `size` bytes of text, or the file ends."""
        try:
            while len(self._text) < size and (read := self._file.read(size)):
                self._text += read
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ConfigError(
                f"{self._where()}: damaged or cut off from here on ({error}); fetch the file anew"
            ) from None
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be read: {error.strerror or error}") from None
        if len(self._text) >= size and self._text.find(b"\n", 0, _LINE_MAX) < 0:
            raise ConfigError(f"{self._where()}: longer than any line of a lockfile; {_MEND}")

    def _take(self, n: int) -> None:
        self._line += self._text.count(b"\n", 0, n)
        self._text = self._text[n:]

    def _where(self) -> str:
        return f"{self._path}, line {self._line}"

    def _checked(self, text: bytes, before: bytes | None) -> Piece:
        paths = _PATHS.findall(text)
        if len(paths) != text.count(b"\n") or not _is_utf8(text):
            raise ConfigError(self._fault(text))
        if b"%" in text:
            paths = list(map(unescaped_bytes, paths))
        if before is not None and paths[0] <= before:
            raise ConfigError(self._disorder(0, paths[0] == before))
        if not all(map(lt, paths, islice(paths, 1, None))):
            at = next(at for at in range(1, len(paths)) if paths[at] <= paths[at - 1])
            raise ConfigError(self._disorder(at, paths[at] == paths[at - 1]))
        return Piece(text, paths)

    def _fault(self, text: bytes) -> str:
        for number, line in enumerate(text.split(b"\n"), self._line):
            where = f"{self._path}, line {number}"
            if line.endswith(b"\r"):
                return f"{where}: the line ends as on Windows; convert the file (dos2unix {self._path})"
            if not _is_utf8(line):
                return f"{where}: not UTF-8; {_MEND}"
            if not _LINE.fullmatch(line):
                return f"{where}: {fault_of(line)}; {_MEND}"
        return f"{self._where()}: it cannot be read; {_MEND}"

    def _disorder(self, at: int, same: bool) -> str:
        where = f"{self._path}, line {self._line + at}"
        if same:
            return f"{where}: a second line for one path; remove one of them"
        return f"{where}: paths must be in the order of their bytes (LC_ALL=C sort); {_MEND}"

    def _check_end(self, objects: int) -> None:
        """The rest of the text is the line that counts."""
        self._more(_PIECE)
        said = _COUNT.fullmatch(self._text)
        if said is None:
            raise ConfigError(
                f"{self._where()}: only the last line begins with `# `, and it must be `# {objects} objects`; {_MEND}"
            )
        if int(said[1]) != objects:
            raise ConfigError(
                f"{self._where()}: it counts {int(said[1])} objects, but {objects} are there: the file was edited, "
                f"or lines are missing; if it is meant so, write `# {objects} objects`"
            )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
