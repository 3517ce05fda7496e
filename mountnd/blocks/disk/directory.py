"""The disk cache's directory: what lies in it, how much it takes, clearing and checking it.

Works beside mounts that use it: files come and go meanwhile, and that is no error.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...stores.base import ObjectId
from ..geometry import BlockRange, block_size
from . import eviction
from .chunk_file import ChunkFile, InvalidChunk
from .eviction import CacheFile

# A new file has a temporary name for an instant; after an hour the process that made it is dead.
ABANDONED_S = 3600.0
NEW = ".new"


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


def make(root: str, directory: str) -> None:
    """Make `root`, and `directory` below it, for this user only. Raises OSError where `root` is another's."""
    os.makedirs(root, mode=0o700, exist_ok=True)
    info = os.stat(root)
    # What others may write is no cache: the checksums tell damage, not malice.
    if info.st_uid != os.geteuid():
        raise PermissionError(1, f"{root} belongs to another user")
    if stat.S_IMODE(info.st_mode) & 0o077:
        os.chmod(root, 0o700)
    if directory != root:
        os.makedirs(directory, mode=0o700, exist_ok=True)


def scan(root: str) -> Iterator[CacheFile]:
    """All chunk files below `root`, by paths relative to it. Removes what a killed process left unfinished."""
    for folder in _entries(root):
        if len(folder.name) != 2 or not folder.is_dir(follow_symlinks=False):
            continue
        for entry in _entries(folder.path):
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if entry.name.endswith(NEW):
                if time.time() - info.st_mtime > ABANDONED_S:
                    remove(root, f"{folder.name}/{entry.name}")
            elif stat.S_ISREG(info.st_mode):
                yield CacheFile(f"{folder.name}/{entry.name}", info.st_blocks * 512, info.st_mtime)


def remove(root: str, path: str) -> bool:
    """Remove a file; False where that was not possible or somebody else did.

    Its disk space is free at once, although processes may have it open: they find all blocks absent.
    """
    path = os.path.join(root, path)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.unlink(path)
            os.ftruncate(fd, 0)
        finally:
            os.close(fd)
    except OSError:
        return False
    return True


def touch(root: str, path: str) -> None:
    """Mark a file as used now. (The access time would not do: most mounts keep it lazily.)"""
    try:
        os.utime(os.path.join(root, path))
    except OSError:
        pass  # gone, or not ours to mark: then its age stays what it was


def disk_space(root: str) -> tuple[int, int]:
    """Bytes free for us and in all on the disk that holds `root`, or its nearest directory that exists."""
    while not os.path.isdir(root):
        root = os.path.dirname(os.path.abspath(root))
    info = os.statvfs(root)
    return info.f_bavail * info.f_frsize, info.f_blocks * info.f_frsize


def default_limit(root: str) -> int:
    """The limit where nobody set one. What the cache holds already counts as free."""
    free, _ = disk_space(root)
    return eviction.default_limit(free + sum(f.bytes for f in scan(root)))


def objects(root: str) -> list[CachedObject]:
    """The objects in the cache, the one used last first."""
    found: dict[ObjectId, CachedObject] = {}
    for held, file in _chunks(root):
        id, size, _ = file.identity
        span = file.identity.span
        n = sum(block_size(i, size) for i, s in zip(range(*span), file.checksums(span), strict=True) if s)
        old = found.get(id)
        found[id] = CachedObject(
            id.source,
            id.key,
            id.etag,
            size,
            n + (old.held if old else 0),
            held.bytes + (old.disk if old else 0),
            max(held.used, old.used if old else 0.0),
        )
    return sorted(found.values(), key=lambda e: (-e.used, e.source, e.key))


def clear(root: str, which: Callable[[str, str], bool] | None = None) -> int:
    """Remove everything, or the objects for which `which(source, key)` holds. Returns the bytes that this freed."""
    freed = 0
    if which is None:
        for held in scan(root):
            freed += held.bytes if remove(root, held.path) else 0
        return freed
    for held, file in _chunks(root):
        if which(file.identity.id.source, file.identity.id.key) and remove(root, held.path):
            freed += held.bytes
    return freed


def verify(root: str) -> VerifyResult:
    """Read everything and check it; what is damaged is removed."""
    files = blocks = bad_blocks = bad_files = 0
    buffer = memoryview(bytearray(1 << 20))
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


def _chunks(root: str) -> Iterator[tuple[CacheFile, ChunkFile]]:
    for held in scan(root):
        try:
            yield held, _open(root, held.path)
        except (InvalidChunk, OSError):
            continue


def _open(root: str, path: str, *, write: bool = False) -> ChunkFile:
    """The chunk file at `path`, which must be where its identity says."""
    file = ChunkFile.open(os.path.join(root, path), write=write)
    if file.identity.name != path:
        raise InvalidChunk("not in its place")
    return file


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as it:
            return list(it)
    except OSError:
        return []
