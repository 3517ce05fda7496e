"""The formats of a report: by name, and by the ending of the file that one is written to."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import MountError, UsageError
from . import downloads, provenance

Document = Mapping[str, Any]


class Format(NamedTuple):
    """One format.

    Attributes:
        what: it, for the help.
        endings: of files that are of it where nothing else is said; whole names, too.
        write: the document as a file's bytes. May raise UsageError where a library is missing.
    """

    what: str
    endings: tuple[str, ...]
    write: Callable[[Document], bytes]


def _page(document: Document) -> bytes:
    from .page.document import page

    return page(document)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# By name. The ending that fits first counts, so whole names come before `.json`.
FORMATS: Mapping[str, Format] = {
    "html": Format("a page that needs no network", (".html", ".htm"), _page),
    "bids": Format(
        "SourceDatasets for a dataset_description.json",
        ("dataset_description.json",),
        lambda document: _json(provenance.bids(document)),
    ),
    "rocrate": Format("an RO-Crate", ("ro-crate-metadata.json",), lambda document: _text(provenance.rocrate(document))),
    "json": Format("everything, for programs", (".json",), _json),
    "datalad": Format("a table for datalad addurls", (".csv",), lambda document: _text(downloads.datalad(document))),
    "aws": Format("a script of aws s3 cp", (), lambda document: _text(downloads.aws(document))),
    "rclone": Format("a script of rclone copyto", (), lambda document: _text(downloads.rclone(document))),
}


def format_of(path: str) -> str:
    """The format of a file, by its ending. Raises UsageError where that does not tell."""
    name = os.path.basename(path).lower()
    for called, one in FORMATS.items():
        if name.endswith(one.endings):
            return called
    endings = ", ".join(ending for one in FORMATS.values() for ending in one.endings)
    raise UsageError(f"{path}: its ending does not say in which format; it may end in {endings}, or add --format")


def check(path: Path, mountpoint: Path) -> None:
    """Raise UsageError where no report can be written to a file when the mount at `mountpoint` has ended."""
    path = Path(os.path.abspath(path))
    format_of(str(path))
    if path.is_relative_to(os.path.abspath(mountpoint)):
        raise UsageError(f"{path} lies in the mount, which is read-only; name a file elsewhere")
    if path.is_dir():
        raise UsageError(f"{path} is a directory; name a file in it")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        why = "may not be written" if path.parent.is_dir() else "is no directory"
        raise UsageError(f"the report cannot be written to {path}: {path.parent} {why}")


def write(path: Path, data: bytes) -> None:
    """Make or replace a file; it is whole at every moment. Raises MountError, which says why it cannot be."""
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        if path.is_dir():
            raise MountError(f"{path} is a directory; name a file in it")
        if path.exists() and not path.is_file():  # /dev/stdout, a pipe
            path.write_bytes(data)
            return
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as e:
        raise MountError(f"{path} cannot be written: {e.strerror}") from e
