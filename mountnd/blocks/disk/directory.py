"""The disk cache's directory: its files, how much they take, removing some.

Works beside mounts that use it: files come and go meanwhile, and that is no error. A `root` may be given as a path.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator

from ...private_directory import PrivateDirectory, PrivatePath
from ...regular_file import UntrustedDirectory
from . import eviction
from .chunk_file import CHUNK_NAME, FOLDER, NEW_NAME
from .eviction import CacheFile
from .packs import format as pack_format
from .place import CacheDirectory

# A new file has a temporary name for an instant; after an hour the process that made it is dead.
ABANDONED_S = 3600.0

Root = CacheDirectory | PrivatePath | str | os.PathLike[str]


def make(root: Root) -> PrivateDirectory:
    """Make the directory (0700) where it is missing. Raises OSError, UntrustedDirectory where others may write it."""
    return CacheDirectory.of(root).make()


def scan(root: Root) -> Iterator[CacheFile]:
    """All chunk files and packs below `root`, by paths relative to it. Removes what a killed process left unfinished.

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
        if folder.name == pack_format.FOLDER:
            whole, unfinished = pack_format.PACK_NAME, pack_format.NEW_NAME
        elif FOLDER.fullmatch(folder.name):
            whole, unfinished = CHUNK_NAME, NEW_NAME
        else:
            continue
        try:
            held = top.below(folder.name)
            entries = held.entries()
        except OSError:
            continue
        for entry in entries:
            path = f"{folder.name}/{entry.name}"
            new = unfinished.fullmatch(entry.name)
            if not (new or whole.fullmatch(entry.name)):
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
