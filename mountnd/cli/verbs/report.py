"""`mountnd report DIR -o report.html`: what was read through a mount, as a page, as data, or as provenance."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from ...daemon import control, mounts
from ...errors import MountError, UsageError
from ...regular_file import open_regular, read_all
from ...report import collecting
from ...report.figures import count
from ...report.formats import FORMATS, format_of, write
from .. import running, streams, terminal
from ..flags import MountArgument, TableCommand

# What a daemon may take for a part of the answer: it counts names, and asks for descriptions of datasets.
_ANSWER_S = 60.0
# A report of a quarter of a million files.
_DOCUMENT_BYTES = 1 << 30


@click.command(cls=TableCommand)
@click.argument("directory", metavar="DIR", type=MountArgument())
@click.option("-o", "--output", metavar="FILE", help="Where to write it; its ending tells the format.")
@click.option("--format", "format_", type=click.Choice([*FORMATS]), help="Another format than the ending tells.")
def report(directory: Path, output: str | None, format_: str | None) -> None:
    """Tell what was read through the mount that DIR is or lies inside.

    The page (.html) has all of it, and needs no network: bytes over time, which
    parts of each file were read and fetched, what was saved, the slowest waits,
    requests and their price, and the list of what was read, to be cited. Other
    programs take it as JSON, as BIDS SourceDatasets, as an RO-Crate, as a script
    that gets the same files again, and as a table for datalad addurls:

    \b
      mountnd report DIR -o report.html
      mountnd report DIR -o report.json
      mountnd report DIR --format bids
      mountnd report DIR -o ro-crate-metadata.json
      mountnd report DIR --format aws -o get.sh
      mountnd report DIR -o urls.csv

    Without -o it goes to the standard output. DIR may be a report in JSON, too:
    of an earlier time, or what `mountnd SOURCE DIR --report FILE.json` wrote at the end.
    """
    chosen = _format(output, format_)
    document = _document(directory)
    try:
        data = FORMATS[chosen].write(document)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as e:
        if "mountpoint" not in document or _is_file(directory, running.mount_of(directory)):
            raise UsageError(f"{directory}: it is no whole report: {type(e).__name__} {e}") from e
        raise
    if output is None or output == "-":
        streams.show_bytes(data)
        return
    write(Path(output), data)
    streams.remark(f"{output}: {count(len(document['files']), 'file')}; {FORMATS[chosen].what}")


def _format(output: str | None, format_: str | None) -> str:
    """The format that is meant. Raises UsageError."""
    if format_ is not None:
        return format_
    if output is not None and output != "-":
        return format_of(output)
    if terminal.is_terminal(1):
        raise UsageError(f"say where it is to go (-o report.html), or what to show (--format {'|'.join(FORMATS)})")
    return "html"


def _document(directory: Path) -> dict[str, Any]:
    """The document of a mount, or what a file holds of one. Raises MountError, UsageError."""
    mountpoint = running.mount_of(directory)  # which looks into no mount: it might hang
    if _is_file(directory, mountpoint):
        return _from_file(directory)
    ask = partial(control.request, mountpoint, seconds=_ANSWER_S)
    with streams.waiting(f"Asking {mountpoint}"):
        control.request(
            mountpoint, "stats"
        )  # a daemon that does not answer is noticed sooner than it may take for parts
        return collecting.collect(ask)


def _is_file(path: Path, mountpoint: Path) -> bool:
    """Whether a report in a file is meant, and no mount."""
    return path.suffix == ".json" and mounts.mount_at(mountpoint) is None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = read_all(open_regular(path), _DOCUMENT_BYTES).decode("utf-8")
        return collecting.loaded(text)
    except OSError as e:
        raise MountError(f"{path} cannot be read: {e.strerror}") from e
    except ValueError as e:  # what UnicodeDecodeError is, too
        raise UsageError(f"{path}: {e}") from e
