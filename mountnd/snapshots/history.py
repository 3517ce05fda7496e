"""What a bucket held at a moment, from all of its versions. Pure.

It is less than a snapshot: who uploads a data set replaces one object after the other, and a moment in between shows
some of the old and some of the new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from ..errors import StoreError, UsageError
from ..lockfile.record import UNVERSIONED, Locked
from ..stores.object_versions import NO_VERSIONS, Marker, Version

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Pages = Iterable[tuple[list[Version], Marker | None]]


def moment_of(text: str, now: datetime) -> datetime:
    """The moment that a person means, in UTC.

    Args:
        text: ISO 8601: a date, which means its end; a date and a time, without a zone in UTC.
        now: in UTC. What lies behind it has not happened.

    Raises UsageError.
    """
    text = text.strip()
    try:
        when = datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1) - timedelta(seconds=1)
        if when.date() == now.date():
            when = now  # of today, what there is of it
    except (ValueError, OverflowError):
        try:
            when = datetime.fromisoformat(text)
            when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        except (ValueError, OverflowError):
            raise UsageError(
                f"--as-of: {text!r} is not a date; write 2024-05-01, 2024-05-01T12:00 or 2024-05-01T12:00:00+02:00"
            ) from None
    if when > now:
        raise UsageError(f"--as-of: {text} has not come yet; what is there now is locked without --as-of")
    return when


def as_of(pages: Pages, when: datetime, root: str, url: str) -> Iterator[Locked]:
    """What was there at that moment, key by key, as the pages come.

    Args:
        pages: all versions below `root`, each page with where the next one begins.
        url: of the source, for messages.

    Raises StoreError at the end, where the bucket has never kept versions: then it knows nothing of the past.
    """
    until = (when - _EPOCH) // timedelta(microseconds=1) * 1000
    kept_versions, any_row, first, shown = False, False, 0, 0
    for rows in _by_key(pages):
        any_row = True
        kept_versions = kept_versions or any(row.version != UNVERSIONED or row.deleted for row in rows)
        begun = min(row.stored_ns for row in rows)
        first = min(first or begun, begun)
        row = _current_at(rows, until)
        if row is None or row.deleted:
            continue
        shown += 1
        yield Locked(row.key[len(root) :], row.key, row.version, row.size, row.etag, row.mtime_ns)
    if any_row and not kept_versions:
        raise StoreError(
            f"{url}: the bucket keeps no versions, so it does not know what was there before; what is there now is "
            "locked without --as-of",
            code=NO_VERSIONS,
        )
    if not any_row:
        raise StoreError(
            f"{url}: nothing lies below this prefix, nor ever did. Check its spelling: keys are case-sensitive; of a "
            "single object, name the directory that it is in",
            code="NoSuchPrefix",
        )
    if not shown:
        known = (_EPOCH + timedelta(seconds=first // 10**9)).isoformat().replace("+00:00", "Z")
        began = f"; the first object came at {known}" if first > until else ""
        raise StoreError(f"{url}: nothing was there at {when.isoformat()[:19]}Z{began}", code="NoSuchPrefix")


def _by_key(pages: Pages) -> Iterator[list[Version]]:
    """The rows of one key after the other's. Some servers list delete markers behind the versions of a page, so a key
    is complete when the next page begins behind it."""
    pending: dict[str, list[Version]] = {}
    for versions, following in pages:
        for row in versions:
            pending.setdefault(row.key, []).append(row)
        if following is None:
            continue
        end = _raw(following.key)
        for key in [key for key in pending if _raw(key) < end]:
            yield pending.pop(key)
    yield from pending.values()


def _current_at(rows: list[Version], until_ns: int) -> Version | None:
    """The newest of a key's rows that was there then. Of several in one second, in which order they came is told by
    the listing, which gives the newest first."""
    newest: Version | None = None
    for row in rows:
        if row.stored_ns > until_ns:
            continue
        if newest is None or row.stored_ns > newest.stored_ns or (row.stored_ns == newest.stored_ns and row.latest):
            newest = row
    return newest


def _raw(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
