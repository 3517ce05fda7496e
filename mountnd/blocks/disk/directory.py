"""The disk cache's directory: what lies in it, how much it takes, clearing and checking it.

Works beside mounts that use it: files come and go meanwhile, and that is no error. A `root` may be given as a path.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from ...private_directory import PrivateDirectory, PrivatePath
from ...regular_file import UntrustedDirectory
from ...stores.base import ObjectId
from ..geometry import BlockRange, block_size
from . import eviction
from .chunk_file import CHUNK_NAME, FOLDER, NEW_NAME, ChunkFile, InvalidChunk
from .eviction import CacheFile
from .place import CacheDirectory

# A new file has a temporary name for an instant; after an hour the process that made it is dead.
ABANDONED_S = 3600.0

Root = CacheDirectory | PrivatePath | str | os.PathLike[str]


class CachedObject(NamedTuple):
    """One object in the cache.

    Attributes:
        size: the object's; held: bytes of it that are here; disk: bytes they take on disk.
        used: when it was last used, seconds since the epoch.
    """

    source: str
    key: str
    etag: str
    size: int
    held: int
    disk: int
    used: float


class VerifyResult(NamedTuple):
    """What `verify` looked at, and what of it was damaged: such blocks are marked absent now, such files removed."""

    files: int
    blocks: int
    bad_blocks: int
    bad_files: int


def make(root: Root) -> PrivateDirectory:
    """Make the directory (0700) where it is missing. Raises OSError, UntrustedDirectory where others may write it."""
    return CacheDirectory.of(root).make()


def scan(root: Root) -> Iterator[CacheFile]:
    """All chunk files below `root`, by paths relative to it. Removes what a killed process left unfinished.

    Only names of our own making, and no directory that others could have filled. Raises UntrustedDirectory for `root`.
    """
    try:
        place = CacheDirectory.of(root)
        top = place.held()
        folders = top.entries()
    except UntrustedDirectory:
        raise
    except OSError:
        return
    now = place.now()
    for folder in folders:
        if not FOLDER.fullmatch(folder.name):
            continue
        try:
            held = top.below(folder.name)
            entries = held.entries()
        except OSError:
            continue
        for entry in entries:
            path = f"{folder.name}/{entry.name}"
            new = NEW_NAME.fullmatch(entry.name)
            if not (new or CHUNK_NAME.fullmatch(entry.name)):
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if not stat.S_ISREG(info.st_mode):
                continue
            if not new:
                yield CacheFile(path, info.st_blocks * 512, info.st_mtime)
            elif abs(now - info.st_mtime) > ABANDONED_S:  # also from the future, as a wrong clock left it
                remove(top, path)


def remove(root: Root | PrivateDirectory, path: str) -> bool:
    """Remove a file; False where that was not possible or somebody else did.

    Its disk space is free at once, although processes may have it open: they find all blocks absent.
    """
    try:
        held = root if isinstance(root, PrivateDirectory) else CacheDirectory.of(root).held()
    except OSError:
        return False
    try:
        fd = held.open_file(path, os.O_WRONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return held.remove(path)
    try:
        removed = held.remove(path)
        if not os.fstat(fd).st_nlink:  # it may have a second name, which is not ours
            os.ftruncate(fd, 0)
        return removed
    except OSError:
        return False
    finally:
        os.close(fd)


def touch(root: Root, path: str) -> None:
    """Mark a file as used now. (The access time would not do: most mounts keep it lazily.)"""
    try:
        CacheDirectory.of(root).held().touch(path)
    except OSError:
        pass  # gone, or not ours to mark: then its age stays what it was


def disk_space(root: Root) -> tuple[int, int]:
    """Bytes free for us and in all on the disk that holds `root`, or its nearest directory that exists."""
    root = CacheDirectory.of(root).path
    while not os.path.isdir(root):
        root = os.path.dirname(os.path.abspath(root))
    info = os.statvfs(root)
    return info.f_bavail * info.f_frsize, info.f_blocks * info.f_frsize


def default_limit(root: Root) -> int:
    """The limit where nobody set one. What the cache holds already counts as free."""
    free, _ = disk_space(root)
    return eviction.default_limit(free + sum(f.bytes for f in scan(root)))


class CachedChunk(NamedTuple):
    """One file of the cache: its path below the cache's directory, bytes of the object that it holds, and on disk."""

    path: str
    id: ObjectId
    size: int
    held: int
    disk: int
    used: float


def chunks(root: Root) -> Iterator[CachedChunk]:
    """What each file holds. Raises UntrustedDirectory for `root`."""
    for found, file in _chunks(CacheDirectory.of(root)):
        span, (id, size, _) = file.identity.span, file.identity
        n = sum(block_size(i, size) for i, s in zip(range(*span), file.checksums(span), strict=True) if s)
        yield CachedChunk(found.path, id, size, n, found.bytes, found.used)


def objects(root: Root) -> list[CachedObject]:
    """The objects in the cache, the one used last first."""
    found: dict[ObjectId, CachedObject] = {}
    for chunk in chunks(root):
        id, old = chunk.id, found.get(chunk.id)
        found[id] = CachedObject(
            id.source,
            id.key,
            id.etag,
            chunk.size,
            chunk.held + (old.held if old else 0),
            chunk.disk + (old.disk if old else 0),
            max(chunk.used, old.used if old else 0.0),
        )
    return sorted(found.values(), key=lambda e: (-e.used, e.source, e.key))


def held_bytes(root: Root, source: str, until: float) -> tuple[int, bool]:
    """Bytes that the cache holds of one source, and whether all were counted before `until` (monotonic seconds)."""
    n = 0
    for _, file in _chunks(CacheDirectory.of(root)):
        if file.identity.id.source == source:
            span, size = file.identity.span, file.identity.size
            n += sum(block_size(i, size) for i, s in zip(range(*span), file.checksums(span), strict=True) if s)
        if time.monotonic() > until:
            return n, False
    return n, True


def clear(
    root: Root, which: Callable[[str, str], bool] | None = None, *, keep: Collection[str] = ()
) -> tuple[int, int]:
    """Remove everything, or the objects for which `which(source, key)` holds, but for the files `keep`.

    Returns the bytes on disk that this freed, and those of what was kept.
    """
    freed, kept, root = 0, 0, CacheDirectory.of(root)
    if which is None:
        found = ((file.path, file.bytes) for file in scan(root))
    else:
        found = ((chunk.path, chunk.disk) for chunk in chunks(root) if which(chunk.id.source, chunk.id.key))
    for path, n in found:
        if path in keep:
            kept += n
        elif remove(root, path):
            freed += n
    return freed, kept


def collect(root: Root, limit: int, keep: Collection[str] = ()) -> tuple[int, int]:
    """Remove what was used longest ago until the rest is within `limit`, but for the files `keep`; and what killed
    processes left. Bytes on disk that are taken then, and that came free."""
    root = CacheDirectory.of(root)
    files = list(scan(root))
    taken, freed = sum(file.bytes for file in files), 0
    for victim in eviction.victims(files, taken - limit, root.now(), keep):
        if remove(root, victim.path):
            freed += victim.bytes
    return taken - freed, freed


def verify(root: Root) -> VerifyResult:
    """Read everything and check it; what is damaged is removed."""
    files = blocks = bad_blocks = bad_files = 0
    buffer, root = memoryview(bytearray(1 << 20)), CacheDirectory.of(root)
    for held in scan(root):
        files += 1
        try:
            file = _open(root, held.path, write=True)
            span = file.identity.span
            for first in range(span.first, span.stop, 16):
                part = BlockRange(first, min(first + 16, span.stop))
                views = file.views(part, buffer)
                good, bad = file.read(part, views)
                blocks += len(good) + len(bad)
                bad_blocks += len(bad)
                file.mark_absent(bad)
        except FileNotFoundError:
            continue  # evicted meanwhile
        except (InvalidChunk, OSError):
            bad_files += 1
            remove(root, held.path)
    return VerifyResult(files, blocks, bad_blocks, bad_files)


def _chunks(root: CacheDirectory) -> Iterator[tuple[CacheFile, ChunkFile]]:
    for held in scan(root):
        try:
            yield held, _open(root, held.path)
        except (InvalidChunk, OSError):
            continue


def _open(root: CacheDirectory, path: str, *, write: bool = False) -> ChunkFile:
    """The chunk file at `path`, which must be where its identity says."""
    file = ChunkFile.open(path, within=root, write=write)
    if file.identity.name != path:
        raise InvalidChunk("not in its place")
    return file
