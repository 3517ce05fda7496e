"""A snapshot of a data set -> its files, each as a version of an object: one query, and one pass over all versions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from ..errors import Forbidden, NotFound, ServerFault, StoreError, Throttled
from ..lockfile.record import Locked
from ..stores.base import Deadline, ObjectId, Store
from ..stores.facts import UNKNOWN_MTIME_NS
from ..stores.object_versions import NO_VERSIONS, Marker, Version, VersionsPage
from ..workers import Workers
from .annex import is_blob
from .answers import SnapshotFile
from .join import Chosen, Joined, Missing, Undecided, join

log = logging.getLogger(__name__)

T = TypeVar("T")

# Requests made at once: HEADs, and reads of git blobs. They are small: what counts is the round trip.
_AT_ONCE = 16

# Seconds that a page may take, repeated attempts included.
PAGE_S = 60.0

# Told how many versions were seen.
Progress = Callable[[int], object]


class Resolved(NamedTuple):
    """All files of a snapshot.

    Attributes:
        records: one each, also of those that are missing: these have neither version nor ETag.
        missing: what no version is known for, and why.
        by_size: paths of which only their size told the version.
    """

    records: list[Locked]
    missing: list[Missing]
    by_size: list[str]


def resolve(
    files: list[SnapshotFile],
    store: Store,
    root: str,
    deadline: Deadline,
    progress: Progress = lambda _: None,
    *,
    page_seconds: float = PAGE_S,
) -> Resolved:
    """Find the version that each file is.

    Args:
        files: of the snapshot, as the service gives them.
        store: of the bucket that holds the data set.
        root: key prefix of the data set, ending in "/".
        progress: is told how many versions were seen.
        page_seconds: that a page of them, or a request for an object, may take.

    Raises StoreError; NotFound where the bucket has none of the files.
    """
    wanted = {root + file.path for file in files}
    try:
        held = _by_key(pages(store, root, deadline, progress, page_seconds=page_seconds), wanted)
    except StoreError as error:
        if not isinstance(error, Forbidden) and error.code != NO_VERSIONS:
            raise
        log.info("%s; what the service names, and what is there now, has to do", error)
        few = _current(store, root, wanted, deadline, page_seconds)
        for one in _named(files, store, root, deadline, page_seconds):
            few.setdefault(one.key, []).append(one)
        joined = join(files, root, few, whole=False)
    else:
        joined = join(files, root, held)
    _decide(joined, store, deadline, page_seconds)
    if files and len(joined.missing) == len(files):
        first = joined.missing[0]
        raise NotFound(
            f"{store.url}: the bucket has none of the {len(files):,} files of the snapshot "
            f"({first.file.path}: {first.why}): is it the bucket that the service speaks of?",
            code="NoSuchPrefix",
        )
    return _resolved(joined, root)


def pages(
    store: Store,
    prefix: str,
    deadline: Deadline,
    progress: Progress = lambda _: None,
    *,
    page_seconds: float = PAGE_S,
) -> Iterator[tuple[list[Version], Marker | None]]:
    """All versions and delete markers below a prefix, page by page, each with where the next one begins.

    Raises StoreError.
    """
    after: Marker | None = None
    seen = 0
    while True:
        page = _page(store, prefix, after, deadline.within(page_seconds))
        for key in page.unshowable:
            log.warning("%s: left out: %s", store.url, key)
        seen += len(page.versions)
        progress(seen)
        yield page.versions, page.next
        if page.next is None:
            return
        after = page.next


def _page(store: Store, prefix: str, after: Marker | None, deadline: Deadline) -> VersionsPage:
    """The first one without retries: a refused connection or an unknown host is a mistake to be reported at once."""
    if after is None:
        try:
            return store.once.list_versions(prefix, deadline=deadline)
        except (Throttled, ServerFault):
            pass
    return store.list_versions(prefix, after=after, deadline=deadline)


def _by_key(pages: Iterable[tuple[list[Version], Marker | None]], wanted: set[str]) -> Mapping[str, list[Version]]:
    held: dict[str, list[Version]] = {}
    for versions, _ in pages:
        for one in versions:
            if one.key in wanted and not one.deleted:
                held.setdefault(one.key, []).append(one)
    return held


def _current(store: Store, root: str, wanted: set[str], deadline: Deadline, seconds: float) -> dict[str, list[Version]]:
    """What is there now of what is wanted. It has no version id: its ETag pins it."""
    found: dict[str, list[Version]] = {}
    token: str | None = None
    while True:
        page = store.list_page(root, delimiter="", token=token, deadline=deadline.within(seconds))
        for stat in page.objects:
            if stat.id.key in wanted:
                id = stat.id
                found[id.key] = [Version(id.key, "", stat.size, id.etag, stat.mtime_ns, latest=True)]
        if page.token is None:
            return found
        token = page.token


def _named(files: list[SnapshotFile], store: Store, root: str, deadline: Deadline, seconds: float) -> Iterator[Version]:
    """The versions that the service names and that are there, by a HEAD for each."""

    def asked(key: str, version: str, size: int) -> Version | None:
        try:
            stat = store.head_version(key, version, deadline=deadline.within(seconds))
        except Forbidden:
            return Version(key, version, size, "", UNKNOWN_MTIME_NS)  # it is there, and whoever opens it is told
        except StoreError as error:
            if error.transient:
                raise
            return None  # gone, or of another bucket
        if stat.id.version not in ("", version):
            return None  # a server that does not know versions
        return Version(key, version, stat.size, stat.id.etag, stat.mtime_ns)

    keys = {file.path: root + file.path for file in files}
    wanted = [(keys[file.path], url.version, file.size) for file in files for url in file.urls]
    for found in _side_by_side(asked, wanted):
        if found is not None:
            yield found


def _decide(joined: Joined, store: Store, deadline: Deadline, seconds: float) -> None:
    """Read what cannot be told apart otherwise."""
    for found in _side_by_side(_decided, [(one, store, deadline, seconds) for one in joined.undecided]):
        if isinstance(found, Chosen):
            joined.chosen.append(found)
        else:
            joined.missing.append(found)
    joined.undecided.clear()


def _side_by_side(call: Callable[..., T], of: list[tuple[Any, ...]]) -> Iterator[T]:
    """`call` with each of these arguments, so many at once; in their order. Raises the first error."""
    workers = Workers(_AT_ONCE, "snapshots")
    try:
        tasks = [workers.submit(call, *arguments) for arguments in of]
        for task in tasks:
            yield task.future.result()
    finally:
        workers.close()


def _decided(one: Undecided, store: Store, deadline: Deadline, seconds: float) -> Chosen | Missing:
    refused = ""
    for version in one.versions:
        data = bytearray(version.size)
        id = ObjectId(store.source, version.key, version.etag, version.version, version.size)
        try:
            if data:
                store.read(id, 0, [memoryview(data)], deadline=deadline.within(seconds))
        except StoreError as error:
            if error.transient:
                raise
            if isinstance(error, Forbidden):
                refused = f"; reading {version.version or 'what is there now'} is refused ({error.code or '403'})"
            continue
        if is_blob(one.file.digest, bytes(data)):
            return Chosen(one.file, version)
    return Missing(one.file, f"no version is named, and none that can be read has its hash{refused}")


def _resolved(joined: Joined, root: str) -> Resolved:
    records = [
        Locked(file.path, root + file.path, one.version, one.size, one.etag, one.mtime_ns, file.digest)
        for file, one, _ in joined.chosen
    ]
    records += [
        Locked(file.path, root + file.path, "", file.size, "", UNKNOWN_MTIME_NS, file.digest)
        for file, _ in joined.missing
    ]
    by_size = sorted(one.file.path for one in joined.chosen if one.by_size)
    return Resolved(records, sorted(joined.missing, key=lambda one: one.file.path), by_size)
