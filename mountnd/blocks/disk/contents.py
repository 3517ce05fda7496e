"""What the files of a cache directory hold: listed, cleared, checked.

Works beside mounts that use it: files come and go meanwhile, and that is no error. A `root` may be given as a path.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from ...regular_file import Untrusted
from ...stores.base import ObjectId
from ..geometry import BlockRange, block_size
from .chunk_file import ChunkFile, InvalidChunk
from .directory import Root, remove, scan
from .eviction import CacheFile
from .exclusive_lease import ExclusiveLease
from .packs.format import FOLDER, InvalidPack
from .packs.merger import LEASE
from .packs.merging import merge
from .packs.pack_file import PackFile
from .place import CacheDirectory

# How long the end of a merge is waited for, and how often it is looked for.
MERGES_S, PAUSE_S = 10.0, 0.05


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
    """What `verify` looked at, and what of it was damaged: such blocks are marked absent now, such files removed.

    `unread`: files that we may not read, which were not looked at.
    """

    files: int
    blocks: int
    bad_blocks: int
    bad_files: int
    unread: int = 0


class CachedChunk(NamedTuple):
    """One file of the cache, or what a pack has of an object: its path below the cache's directory, bytes of the object
    that it holds, and on disk."""

    path: str
    id: ObjectId
    size: int
    held: int
    disk: int
    used: float


def chunks(root: Root) -> Iterator[CachedChunk]:
    """What each file holds. Raises UntrustedDirectory for `root`."""
    root = CacheDirectory.of(root)
    for found in scan(root):
        yield from _held_in(root, found)


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
    for chunk in chunks(root):
        if chunk.id.source == source:
            n += chunk.held
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
    with _no_merges(root) as go_on:
        for found in scan(root):
            go_on()
            n = found.bytes
            if which is not None:
                asked = [chunk for chunk in _held_in(root, found) if which(chunk.id.source, chunk.id.key)]
                if not asked:
                    continue
                if _is_pack(found.path):
                    n = sum(chunk.disk for chunk in asked)
                    freed += n if _strip(root, found.path, which) else 0
                    continue
            if found.path in keep:
                kept += n
            elif remove(root, found.path):
                freed += n
    return freed, kept


@contextmanager
def _no_merges(root: CacheDirectory) -> Iterator[Callable[[], object]]:
    """While files are looked at one by one, no node merges packs: what is to go would lie in one that nobody has seen.

    Gives what is to be called now and then. Where another merges for longer than `MERGES_S`, it is not waited for.
    """
    lease, is_held, until = ExclusiveLease(root, LEASE), False, time.monotonic() + MERGES_S
    with suppress(OSError):
        root.below(FOLDER)
        while not (is_held := lease.acquire()) and time.monotonic() < until:
            time.sleep(PAUSE_S)

    def go_on() -> None:
        if is_held:
            with suppress(OSError):
                lease.beat()

    try:
        yield go_on
    finally:
        if is_held:
            lease.release()


def _strip(root: CacheDirectory, path: str, which: Callable[[str, str], bool]) -> bool:
    """Make a pack anew without some objects."""
    try:
        done = merge(root.held(), [path], root.now(), keep=lambda of: not which(of.id.source, of.id.key))
    except OSError:
        return False
    return path in done.gone and path not in done.kept


def verify(root: Root) -> VerifyResult:
    """Read everything and check it; what is damaged is removed."""
    files = blocks = bad_blocks = bad_files = unread = 0
    buffer, root = memoryview(bytearray(1 << 20)), CacheDirectory.of(root)
    for held in scan(root):
        files += 1
        try:
            if _is_pack(held.path):
                good, bad = _verify_pack(root, held.path)
            else:
                good, bad = _verify_chunk(root, held.path, buffer)
            blocks += good + bad
            bad_blocks += bad
        except FileNotFoundError:
            continue  # evicted meanwhile
        except (InvalidChunk, InvalidPack, OSError) as e:
            if isinstance(e, PermissionError | BlockingIOError) and not isinstance(e, Untrusted):
                files, unread = files - 1, unread + 1  # another's, or somebody has a lease of it
                continue
            bad_files += 1
            remove(root, held.path)
    return VerifyResult(files, blocks, bad_blocks, bad_files, unread)


def _verify_chunk(root: CacheDirectory, path: str, buffer: memoryview) -> tuple[int, int]:
    """Blocks that are good and bad; those are marked as absent, or the file goes where we may not write it. Raises
    OSError, InvalidChunk."""
    try:
        file, is_ours = _open(root, path, write=True), True
    except Untrusted:
        raise
    except PermissionError:
        file, is_ours = _open(root, path), False
    many_good = many_bad = 0
    span = file.identity.span
    for first in range(span.first, span.stop, 16):
        part = BlockRange(first, min(first + 16, span.stop))
        good, bad = file.read(part, file.views(part, buffer))
        many_good, many_bad = many_good + len(good), many_bad + len(bad)
        if is_ours:
            file.mark_absent(bad)
        elif bad:
            raise InvalidChunk("damaged blocks")
    return many_good, many_bad


def _verify_pack(root: CacheDirectory, path: str) -> tuple[int, int]:
    """Blocks that are good and bad; the pack is made anew without these. Raises OSError, InvalidPack."""
    file = PackFile.open(path, root)
    found = [record is not None for record in file.records()]
    good, bad = found.count(True), found.count(False)
    if not bad or not file.is_linked:  # it was merged or evicted, and so emptied, meanwhile
        return good, 0
    merge(root.held(), [path], root.now())
    return good, bad


def _is_pack(path: str) -> bool:
    return path.startswith(f"{FOLDER}/")


def _held_in(root: CacheDirectory, found: CacheFile) -> Iterator[CachedChunk]:
    """What a file holds: one object's blocks, or those of many where it is a pack; nothing where it is damaged."""
    with suppress(InvalidChunk, InvalidPack, OSError):
        if _is_pack(found.path):
            for head in PackFile.open(found.path, root).heads():
                of = head.identity
                yield CachedChunk(found.path, of.id, of.size, head.data, head.length, found.used)
            return
        file = _open(root, found.path)
        span, (id, size, _) = file.identity.span, file.identity
        n = sum(block_size(i, size) for i, s in zip(range(*span), file.checksums(span), strict=True) if s)
        yield CachedChunk(found.path, id, size, n, found.bytes, found.used)


def _open(root: CacheDirectory, path: str, *, write: bool = False) -> ChunkFile:
    """The chunk file at `path`, which must be where its identity says."""
    file = ChunkFile.open(path, within=root, write=write)
    if file.identity.name != path:
        raise InvalidChunk("not in its place")
    return file
