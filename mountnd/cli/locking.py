"""What `mountnd lock` makes: the objects of a source, of a lockfile, or of another tool's list, written into a file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ..config.options import SourceConfig
from ..config.parsers import split_bucket
from ..errors import ConfigError, StoreError, UsageError
from ..lockfile.header import Header
from ..lockfile.record import Locked, is_pinned
from ..lockfile.writing import Lines, Written, refuse_existing, write_pieces
from ..locking.addurls import Table
from ..stores.base import Deadline, Store
from ..stores.one_object import OneObject
from ..version import __version__
from . import streams
from .counting import Counting

# What the source is asked before all of it is listed takes no longer than a mount's probe.
_PROBE_S = 15.0


@dataclass
class Gathered:
    """What a lockfile is made of. `records` come as they are taken, and may raise."""

    header: Header
    records: Iterator[Locked]


def now() -> str:
    """The time, as headers have it."""
    return datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def header_of(source: SourceConfig, store: Store, origin: str) -> Header:
    """How the source's objects are reached, for whoever mounts the lockfile. Raises MountndError."""
    from ..sources import endpoint_of

    url = source.url
    if source.one_object:
        url = url.rpartition("/")[0]
    return Header(
        source=url,
        root=store.root,
        name=source.name,
        preset=source.preset,
        endpoint_url=endpoint_of(source),
        region=source.region or "",
        anonymous=True if source.anonymous else None,
        path_style=source.path_style,
        origin=origin,
        created=now(),
        made_by=f"mountnd {__version__}",
    )


def of_source(source: SourceConfig, seconds: float, *, versions: bool) -> Gathered:
    """What a source has now. Raises StoreError.

    Args:
        seconds: that a request may take.
        versions: whether version ids are asked for, where the bucket keeps some.
    """
    from ..probing import list_root, look, probe_seconds
    from ..sources import open_store

    _check_lockable(source)
    store = open_store(source)
    store.load_libraries()
    deadline = Deadline(probe_seconds(min(seconds, _PROBE_S)))
    found = look(store, deadline, lambda: list_root(store, deadline))
    if found.warning:
        streams.remark(found.warning)
    if found.kind == "object":
        source = replace(source, one_object=True)
        store.close()
        store = open_store(source)
    return Gathered(header_of(source, store, "listing"), _of_store(store, seconds, versions=versions))


def of_lists(source: SourceConfig, lists: Sequence[Path], seconds: float) -> Gathered:
    """The objects of a source that other tools' lists name; what a list does not tell of one, a HEAD does.

    Raises ConfigError for what is wrong in a list, StoreError.
    """
    from ..sources import open_store

    _check_lockable(source)
    store = open_store(source)
    store.load_libraries()
    return Gathered(header_of(source, store, "import"), _of_lists(store, source, lists, seconds))


def _of_lists(store: Store, source: SourceConfig, lists: Sequence[Path], seconds: float) -> Iterator[Locked]:
    from ..locking.completing import completed
    from ..locking.imports.addurls import addresses_in
    from ..locking.imports.reading import rows
    from ..locking.imports.rows import Taken

    bucket = split_bucket(source.url.removeprefix("s3://"))[0] if source.url.startswith("s3://") else ""
    address = addresses_in(source.url, source.endpoint_url or "")
    named = itertools.chain.from_iterable(rows(path, address) for path in lists)
    taken, incomplete, found = Taken(named, bucket, store.root), list[Locked](), 0
    for record in taken:
        found += 1
        if record.size >= 0 and is_pinned(record.version, record.etag):
            yield record
        else:
            incomplete.append(record)
    if not found:
        where = ", ".join(map(str, lists))
        raise ConfigError(f"{where}: of {taken.outside:,} objects there none lies below {store.url}; name their source")
    if taken.outside:
        streams.remark(f"{taken.outside:,} objects of the list lie outside {store.url}, and are left out")
    if incomplete:
        streams.remark(f"{len(incomplete):,} objects have no size, or neither ETag nor version, in the list: asking")
        yield from completed(store, incomplete, seconds)
    store.close()


def counted(records: Iterable[Locked], counting: Counting) -> Iterator[Locked]:
    """The records, as they are counted."""
    for record in records:
        counting.add(1)
        yield record


def check_target(target: Path, overwrite: bool) -> None:
    """Raise UsageError where no file can be written, before a source is asked for its objects."""
    if target.is_dir():
        raise UsageError(f"{target} is a directory; name a file in it")
    if target.exists() and not target.is_file():
        return  # /dev/stdout, a pipe
    refuse_existing(target, overwrite)
    parent = Path(os.path.abspath(target)).parent
    if not os.access(parent, os.W_OK | os.X_OK):
        why = "may not be written" if parent.is_dir() else "is no directory"
        raise UsageError(f"{target} cannot be written: {parent} {why}")


def _check_lockable(source: SourceConfig) -> None:
    if not source.url:
        raise UsageError(f"{source.name} is read by signed links, which end: they are nothing to be written down")


def _of_store(store: Store, seconds: float, *, versions: bool) -> Iterator[Locked]:
    from ..locking.completing import completed
    from ..locking.history import current, keeps_versions
    from ..locking.listing import listed, record

    unshowable: set[str] = set()
    pages: Iterator[list[Locked]]
    if isinstance(store, OneObject):
        page = store.list_page(store.root, deadline=Deadline(seconds))
        pages, ask_each = iter([[record(stat, store.root) for stat in page.objects]]), versions
    else:
        ask_each = versions and store.url.startswith("s3://") and keeps_versions(store, seconds)
        try:
            pages = (current if ask_each else listed)(store, seconds, unshowable.update)
            ask_each = False
        except StoreError as error:
            if error.transient or not ask_each:
                raise
            streams.remark(f"{error}. So each object is asked for its version")
            pages = listed(store, seconds, unshowable.update)
    found = itertools.chain.from_iterable(pages)
    yield from completed(store, found, seconds) if ask_each else found
    store.close()
    if unshowable:
        first = sorted(unshowable)[0]
        streams.say(f"{len(unshowable):,} keys of {store.url} are left out, which cannot be file names: {first}, ...")


def of_lockfile(path: Path) -> Gathered:
    """The objects of a lockfile, to be written in another form. Raises ConfigError, also while records are taken."""
    from ..lockfile.reading import read

    return Gathered(*read(path))


def write(output: str, found: Gathered, counting: Counting, *, overwrite: bool) -> Written:
    """Write what was gathered: a table of URLs where `output` ends in `.csv`, else a lockfile; "-": to stdout.

    Raises UsageError, MountndError, and what taking the records raises; then no file is left, or the one before.
    """
    header, records = found.header, counted(found.records, counting)
    pieces = Table(header, records) if output.endswith(".csv") else Lines(header, records)
    if output == "-":
        for piece in pieces:
            streams.show_bytes(piece)
    else:
        write_pieces(Path(output), pieces, overwrite=overwrite)
    if isinstance(pieces, Table) and pieces.without:
        streams.say(f"{pieces.without:,} objects have no URL without a mount, and are left out")
    return Written(pieces.objects, pieces.bytes)
