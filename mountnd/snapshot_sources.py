"""Sources that name a snapshot become sources that show its lockfile: the one that is kept here, or one made now."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from .config import presets
from .config.options import SourceConfig
from .config.parsers import did_you_mean
from .config.snapshot_names import LATEST, SnapshotName, is_tag
from .errors import BadAnswer, MountError, NotFound, StoreError
from .lockfile.header import Header
from .lockfile.reading import read_pieces
from .private_directory import PrivatePath
from .snapshots.kept import Found, Kept, text_of
from .snapshots.resolve import Progress, Resolved, resolve
from .snapshots.service import SILENCE_S, UNAVAILABLE, UNKNOWN, Service
from .sources import endpoint_of, open_store
from .stores.base import Deadline, Store
from .version import __version__

log = logging.getLogger(__name__)

# What a mount waits for a snapshot to be resolved, at most: `daemon.run.SNAPSHOT_S` of its parent, less a little.
RESOLVE_S = 590.0
# After so many seconds files that were missing in the bucket are looked for again: they may have been on their way.
AGAIN_S = 6 * 3600.0
# Names of files that a warning shows.
_SHOWN = 5


class Asked(NamedTuple):
    """A snapshot as it was found out just now. The header says which it is, of `latest`, too."""

    header: Header
    resolved: Resolved


@contextmanager
def pinned(
    sources: Sequence[SourceConfig], cache_dir: Path | None, *, offline: bool = False, timeout: float = SILENCE_S
) -> Iterator[tuple[SourceConfig, ...]]:
    """The sources, in which snapshots have lockfiles, until these have been read, in the block.

    Makes requests only where a snapshot is not known here, and for `latest`.

    Args:
        cache_dir: where they are kept; None: nowhere.
        offline: no requests are made at all.
        timeout: seconds that one answer may take; all of them together have `RESOLVE_S`.

    Raises MountError and StoreError.
    """
    with ExitStack() as after:
        yield tuple(
            source if source.snapshot is None else _pinned(source, cache_dir, offline, timeout, after)
            for source in sources
        )


def _pinned(
    source: SourceConfig, cache_dir: Path | None, offline: bool, timeout: float, after: ExitStack
) -> SourceConfig:
    assert source.snapshot is not None
    deadline = Deadline(RESOLVE_S)
    with _opened(source, timeout) as (store, service):
        kept = _kept(source, service, store, cache_dir)
        snapshot = source.snapshot
        if snapshot.tag == LATEST:
            snapshot = snapshot._replace(tag=_latest(snapshot, service, kept, offline, deadline))
        known = kept.find(snapshot.dataset, snapshot.tag) if kept else None
        if known is None and offline:
            raise MountError(
                f"{source.url}: the snapshot {snapshot} is not known here, so there is nothing to show offline. "
                "Mount it once without --offline"
            )
        if known is not None and (offline or not known.missing or known.age < AGAIN_S):
            if known.missing:
                _tell_missing(snapshot, known)
            found = known.path
        else:
            log.info("%s: asking %s which files the snapshot has", snapshot, source.snapshots_url)
            try:
                asked = _ask(replace(source, snapshot=snapshot), store, service, deadline, timeout)
            except StoreError as error:
                if known is None:
                    raise
                log.warning("%s", error)
                _tell_missing(snapshot, known)
                found = known.path
            else:
                _tell(asked, snapshot)
                found = _written(asked, snapshot, kept, after)
    if not snapshot.below:
        return replace(source, snapshot=snapshot, lockfile=found)
    _check_directory(found, snapshot)
    return replace(source, snapshot=snapshot, lockfile=found, below=f"{snapshot.below}/")


def ask(source: SourceConfig, deadline: Deadline, timeout: float, progress: Progress = lambda _: None) -> Asked:
    """Find out which files a snapshot has, whether it is kept or not. Raises StoreError.

    The records are those of all of the data set. `timeout`: seconds that one answer may take.
    """
    with _opened(source, timeout) as (store, service):
        snapshot = source.snapshot
        assert snapshot is not None
        if snapshot.tag == LATEST:
            snapshot = snapshot._replace(tag=_newest(snapshot.dataset, service, None, deadline))
        return _ask(replace(source, snapshot=snapshot), store, service, deadline, timeout, progress)


def _check_directory(lockfile: Path, snapshot: SnapshotName) -> None:
    """Raise NotFound unless the snapshot has the directory that is to be shown."""
    wanted = snapshot.below.encode("utf-8", "surrogateescape")
    beside: set[str] = set()
    above, _, name = snapshot.below.rpartition("/")
    start = f"{above}/".encode("utf-8", "surrogateescape") if above else b""
    for piece in read_pieces(lockfile)[1]:
        for path in piece.paths:
            if path.startswith(wanted + b"/"):
                return
            if path == wanted:
                raise NotFound(
                    f"{snapshot}: {snapshot.below} is a file; mount the directory that it is in: "
                    f"{snapshot}{'/' if above else ''}{above}",
                    code="NoSuchPrefix",
                )
            if path.startswith(start) and b"/" in path[len(start) :]:
                beside.add(path[len(start) :].partition(b"/")[0].decode("utf-8", "surrogateescape"))
    hint = did_you_mean(name, beside)
    raise NotFound(f"{snapshot} has no directory {snapshot.below}{hint}", code="NoSuchPrefix")


@contextmanager
def _opened(source: SourceConfig, timeout: float) -> Iterator[tuple[Store, Service]]:
    """The store of the whole data set, and the service that knows its snapshots."""
    assert source.snapshot is not None
    if source.snapshots_url is None:
        raise MountError(f"{source.name}: whom to ask for snapshots is not known: name the service by --snapshots-url")
    store = open_store(replace(source, url=_dataset_url(source.url, source.snapshot), snapshot=None))
    service = Service(source.snapshots_url, silence=timeout)
    try:
        yield store, service
    finally:
        service.close()
        store.close()


def _ask(
    source: SourceConfig,
    store: Store,
    service: Service,
    deadline: Deadline,
    timeout: float,
    progress: Progress = lambda _: None,
) -> Asked:
    snapshot = source.snapshot
    assert snapshot is not None
    store.load_libraries()
    files = service.files(snapshot.dataset, snapshot.tag, deadline)
    try:
        resolved = resolve(files, store, store.root, deadline, progress, page_seconds=timeout)
    except StoreError as error:
        raise type(error)(f"{snapshot}: {error}", code=error.code) from error
    preset = presets.find(source.preset) if source.preset else None
    doi = preset.snapshot_doi.format(dataset=snapshot.dataset, tag=snapshot.tag) if preset else ""
    header = Header(
        source=_dataset_url(source.url, snapshot),
        root=store.root,
        name=str(snapshot),
        preset=source.preset,
        endpoint_url=endpoint_of(source),
        region=source.region or "",
        anonymous=True if source.anonymous else None,
        path_style=source.path_style,
        origin="snapshot",
        tag=snapshot.tag,
        doi=doi,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        made_by=f"mountnd {__version__}",
    )
    return Asked(header, resolved)


def _dataset_url(url: str, snapshot: SnapshotName) -> str:
    return url.removesuffix(f"/{snapshot.below}") if snapshot.below else url


def _kept(source: SourceConfig, service: Service, store: Store, cache_dir: Path | None) -> Kept | None:
    return Kept(PrivatePath(cache_dir), service.url, store.source, store.root) if cache_dir is not None else None


def _latest(snapshot: SnapshotName, service: Service, kept: Kept | None, offline: bool, deadline: Deadline) -> str:
    """The newest tag; of those that are known here where nobody answers."""
    if not offline:
        try:
            return _newest(snapshot.dataset, service, kept, deadline)
        except StoreError as error:
            known = kept.newest(snapshot.dataset) if kept and error.code != UNKNOWN else None
            if known is None:
                raise
            log.warning("%s: %s. Shown is %s, the newest that is known here", snapshot, error, known)
            return known
    known = kept.newest(snapshot.dataset) if kept else None
    if known is None:
        raise MountError(
            f"{snapshot}: no snapshot of {snapshot.dataset} is known here, so there is nothing to show offline. Mount "
            "it once without --offline"
        )
    log.warning("%s: offline: shown is %s, the newest that is known here", snapshot, known)
    return known


def _newest(dataset: str, service: Service, kept: Kept | None, deadline: Deadline) -> str:
    tags = service.tags(dataset, deadline)
    if not tags:
        raise NotFound(
            f"{dataset} has no snapshots yet; without @{LATEST} it is what the bucket shows now", code=UNKNOWN
        )
    if not is_tag(tags[-1].tag):
        raise BadAnswer(f"{service.url}: the newest snapshot of {dataset} is called {tags[-1].tag!r}", code=UNAVAILABLE)
    if kept is not None:
        kept.keep_tags(dataset, tags)
    log.warning("%s@%s is %s", dataset, LATEST, tags[-1].tag)  # until the mount is ready, at the terminal
    return tags[-1].tag


def _tell(asked: Asked, snapshot: SnapshotName) -> None:
    """Warn of what is not as it should be: until the mount is ready warnings go to the terminal."""
    for line in told_of(asked.resolved, str(snapshot)):
        log.warning("%s", line)


def _tell_missing(snapshot: SnapshotName, known: Found) -> None:
    log.warning(
        "%s: %s files were missing in the bucket %.1f hours ago, and reading them answers "
        '"Stale file handle"; they are looked for again %.0f hours after that',
        snapshot, f"{known.missing:,}", known.age / 3600, AGAIN_S / 3600,
    )  # fmt: skip


def told_of(resolved: Resolved, snapshot: str) -> Iterator[str]:
    """What a person should know of a snapshot's files, a line each."""
    total = len(resolved.records)
    if resolved.missing:
        named = "; ".join(f"{one.file.path} ({one.why})" for one in resolved.missing[:_SHOWN])
        more = f"; and {len(resolved.missing) - _SHOWN:,} more" if len(resolved.missing) > _SHOWN else ""
        yield (
            f"{snapshot}: {len(resolved.missing):,} of {total:,} files are missing in the bucket, and reading them "
            f'answers "Stale file handle": {named}{more}'
        )
    if resolved.by_size:
        named = ", ".join(resolved.by_size[:_SHOWN]) + (", ..." if len(resolved.by_size) > _SHOWN else "")
        yield (
            f"{snapshot}: the versions of {len(resolved.by_size):,} files are told by their size alone: {named}; "
            "`mountnd verify` compares their bytes"
        )


def _written(asked: Asked, snapshot: SnapshotName, kept: Kept | None, after: ExitStack) -> Path:
    """Where the lockfile of a snapshot lies: kept for the next mount, else until it was read."""
    if kept is not None:
        try:
            return kept.keep(snapshot.dataset, snapshot.tag, asked.header, asked.resolved.records)
        except OSError as error:
            log.warning("%s: not kept for the next mount: %s", snapshot, error.strerror or error)
    directory = tempfile.mkdtemp(prefix="mountnd-")
    remove: Callable[..., object] = shutil.rmtree
    after.callback(remove, directory, ignore_errors=True)
    path = Path(directory) / "snapshot.lock.gz"
    path.write_bytes(text_of(asked.header, asked.resolved.records))
    return path
