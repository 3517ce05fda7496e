"""What `mountnd lock` makes of the past: the files of a snapshot, and what a bucket held at a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from ..config.options import SourceConfig
from ..errors import Forbidden, NotFound, UsageError
from ..lockfile.record import Locked
from ..stores.base import Deadline, Store
from . import streams
from .counting import Counting
from .locking import Gathered, header_of

_FOR_EVER = Deadline(float("inf"))  # Ctrl-C ends it


def of_snapshot(source: SourceConfig, seconds: float) -> Gathered:
    """The files of a snapshot, or of a directory in it. Its service is asked, also where it is known here.

    Args:
        seconds: that an answer may take.

    Raises MountError, StoreError; NotFound where there is no such snapshot, or no such directory in it.
    """
    from ..snapshot_sources import ask, told_of

    snapshot = source.snapshot
    assert snapshot is not None
    counting = Counting("versions in the bucket")
    with counting.shown():
        asked = ask(source, _FOR_EVER, seconds, lambda seen: counting.add(seen - counting.count))
    for line in told_of(asked.resolved, asked.header.name):
        streams.say(line, "warn")
    if not snapshot.below:
        return Gathered(asked.header, iter(asked.resolved.records))
    below = f"{snapshot.below}/"
    records = [
        one._replace(path=one.path[len(below) :]) for one in asked.resolved.records if one.path.startswith(below)
    ]
    if not records:
        raise NotFound(f"{asked.header.name} has no directory {snapshot.below}", code="NoSuchPrefix")
    header = replace(asked.header, source=source.url, root=asked.header.root + below, name=source.name)
    return Gathered(header, iter(records))


def of_moment(source: SourceConfig, text: str, seconds: float) -> Gathered:
    """What a bucket with versions held at a moment, by one pass over all of its versions.

    Args:
        text: the moment, as it was typed.
        seconds: that a page of them may take.

    Raises UsageError for what is no moment, and for sources that keep no versions; StoreError, also while records are
    taken.
    """
    from ..snapshots.history import moment_of
    from ..sources import open_store

    when = moment_of(text, datetime.now(UTC))
    if source.snapshot is not None or source.lockfile is not None:
        what = "a snapshot" if source.snapshot is not None else "a lockfile"
        raise UsageError(f"--as-of: {source.name} is {what}, which is the same at all times")
    if not source.url.startswith("s3://"):
        raise UsageError(f"--as-of: only buckets of S3 keep older versions of their objects, not {source.url}")
    if source.snapshots_url is not None:
        streams.remark("A moment may lie in the middle of an upload. A snapshot does not: SOURCE@TAG")
    store = open_store(source)
    store.load_libraries()
    header = replace(header_of(source, store, "as-of"), as_of=when.isoformat().replace("+00:00", "Z"))
    return Gathered(header, _records(store, when, seconds))


def _records(store: Store, when: datetime, seconds: float) -> Iterator[Locked]:
    from ..snapshots.history import as_of
    from ..snapshots.resolve import pages

    try:
        rows = pages(store, store.root, _FOR_EVER, page_seconds=seconds)
        yield from as_of(rows, when, store.root, store.url)
    except Forbidden as error:
        raise Forbidden(
            f"{error}. To know what was there before, these keys must be allowed to list versions "
            "(s3:ListBucketVersions)",
            code=error.code,
        ) from error
    finally:
        store.close()
