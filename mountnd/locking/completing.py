"""One object asked for by a HEAD: what is missing of its record, or whether it is still what its record says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Literal, NamedTuple

from ..errors import Changed, Forbidden, NoSuchBucket, NotFound
from ..lockfile.record import UNKNOWN_MTIME_NS, UNVERSIONED, Locked, is_pinned
from ..stores.base import Deadline, ObjectStat, Store
from ..stores.locked import is_of_object
from ..stores.object_versions import Marker
from .gathering import SIDE_BY_SIDE, Asker, Shared, gathered

Fate = Literal["ok", "changed", "gone", "refused", "unknown"]


class Verdict(NamedTuple):
    """What became of an object. `why`: a line, "" where it is all right."""

    record: Locked
    fate: Fate
    why: str = ""


def completed(store: Store, records: Iterable[Locked], seconds: float) -> Iterator[Locked]:
    """Records with the version id, size, ETag and time that HEADs tell, in any order; what a record says is pinned.

    Raises NotFound, Changed, Forbidden for an object that is not as its record says, and what HEADs raise.
    """
    todo = Shared(records)

    def job(asker: Asker) -> Iterator[Locked]:
        for record in todo:
            stat = store.head_version(record.key, record.version, deadline=asker.deadline())
            if (record.size >= 0 and record.size != stat.size) or (
                record.etag and not _same_token(store, record, stat)
            ):
                raise Changed(f"{record.key!r}: the bucket has other bytes by now than the list says")
            if (why := _other_version(record, stat)) is not None:
                raise Changed(f"{record.key!r}: {why}")
            yield record._replace(
                version=record.version or stat.id.version,
                size=stat.size,
                etag=record.etag or stat.id.etag,
                mtime_ns=stat.mtime_ns if record.mtime_ns == UNKNOWN_MTIME_NS else record.mtime_ns,
            )

    return gathered([job] * SIDE_BY_SIDE, seconds)


def with_versions(store: Store, records: Iterable[Locked], seconds: float) -> Iterator[Locked]:
    """Records with the version ids of what they pin by ETag, in any order: of the current version, or of an older one
    with the same size and ETag. Those of which none is found stay as they are. Raises what HEADs raise."""
    todo = Shared(records)

    def job(asker: Asker) -> Iterator[Locked]:
        for record in todo:
            yield record._replace(version=record.version or _version_of(store, record, asker))

    return gathered([job] * SIDE_BY_SIDE, seconds)


def _version_of(store: Store, record: Locked, asker: Asker) -> str:
    with suppress(NotFound, Forbidden):
        stat = store.head_version(record.key, "", deadline=asker.deadline())
        if stat.size == record.size and _same_token(store, record, stat):
            return stat.id.version
    marker: Marker | None = None
    with suppress(Forbidden):
        while True:
            page = store.list_versions(record.key, after=marker, deadline=asker.deadline())
            for row in page.versions:
                if row.key == record.key and row.size == record.size and row.etag == record.etag and not row.deleted:
                    return row.version
            marker = page.next
            if marker is None or marker.key != record.key:
                break
    return ""


def judged(store: Store, record: Locked, deadline: Deadline) -> Verdict:
    """What became of one object. Raises StoreError where that says nothing of the object."""
    if not is_pinned(record.version, record.etag):
        return Verdict(record, "unknown", "the lockfile says neither its version nor its ETag")
    try:
        stat = store.head_version(record.key, record.version, deadline=deadline)
    except NoSuchBucket:
        raise
    except NotFound:
        return Verdict(record, "gone", f"version {record.version} is gone" if record.version else "it was deleted")
    except Forbidden as error:
        if not is_of_object(error):
            raise
        return Verdict(record, "refused", str(error))
    if stat.size != record.size:
        return Verdict(record, "changed", f"it has {stat.size:,} bytes, not {record.size:,}")
    if record.etag and not _same_token(store, record, stat):
        return Verdict(record, "changed", f"its ETag is {stat.id.etag or 'none'}, not {record.etag}")
    if not record.etag and (why := _other_version(record, stat)) is not None:
        return Verdict(record, "changed", why)
    return Verdict(record, "ok")


def _other_version(record: Locked, stat: ObjectStat) -> str | None:
    """Why the answer about the version of a record need not be of it; None where it is. A server that does not know
    versions answers with what is there now."""
    if record.version in ("", UNVERSIONED, stat.id.version) or (record.etag and not stat.id.version):
        return None
    return f"the server answers with {stat.id.version or 'a version that it does not name'}, not {record.version}"


def _same_token(store: Store, record: Locked, stat: ObjectStat) -> bool:
    return record.etag in (stat.id.etag, store.relied(stat).id.etag)
