"""Where the reference model is held against mountnd: the vfs over a store in memory, and a mount over a server.

A world is a bucket that can be changed and a `Door` to what mountnd shows of it. Whatever is refused raises OSError.
"""

from __future__ import annotations

import shutil
import stat as modes
import tempfile
from collections.abc import Mapping
from errno import EISDIR
from pathlib import Path
from typing import Protocol

from mountnd.assembly import Mount
from mountnd.blocks.disk.cache import DiskCache
from mountnd.blocks.readahead.window import WindowPolicy
from mountnd.blocks.stream import Blocks
from mountnd.catalog.catalogue import Catalogue
from mountnd.errors import Forbidden
from mountnd.private_directory import PrivatePath
from mountnd.stats import Stats
from mountnd.stores.base import Renewals
from mountnd.stores.memory import Call
from mountnd.vfs.inodes import Ownership
from mountnd.vfs.prefetch.prefetcher import Prefetcher
from mountnd.vfs.tree import Vfs
from mountnd.workers import Waiter, Workers
from tests.support import mounts
from tests.support.doors import Door, VfsDoor
from tests.support.waiting import Clock

from .oracle import File, Refusal
from .small_pages import SmallPages

PAGE = 4096


class World(Protocol):
    """A bucket and what is shown of it.

    Attributes:
        ttl: seconds that a listing is believed; `lag`: that may be added to it, and pass until a refresh is seen.
        door: to what is shown; a new one after a restart.
    """

    ttl: float
    lag: float
    door: Door

    def now(self) -> float: ...
    def set(self, key: str, file: File | None) -> None: ...
    def refuse(self, refusals: list[Refusal]) -> None: ...
    def rotate_keys(self) -> None: ...
    def attributes(self, handle: int) -> tuple[int, int]: ...
    def map(self, path: bytes, handle: int, size: int, offset: int) -> bytes: ...
    def refresh(self, path: bytes) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def restart(self, *, kill: bool) -> None: ...
    def end(self) -> None: ...


class _Store(SmallPages):
    """A store in memory whose requests can be refused, and whose keys change."""

    def __init__(self, root: str) -> None:
        super().__init__(root=root)
        self.renewals = Renewals()
        self.refusals: list[Refusal] = []
        self.fault = self._refuse

    def _refuse(self, call: Call) -> None:
        for refusal in self.refusals:
            listed = refusal.kind == call.op == "list" and call.key.startswith(refusal.key)
            if listed or (refusal.kind == "get" and call.op != "list" and call.key == refusal.key):
                raise Forbidden("refused", code="AccessDenied")


class VfsWorld:
    """Everything in this process, on a clock that only passes when it is told to (and a millisecond a step).

    Args:
        page: keys on a page at most; `flat`: whether keys come in order.
        kept: whether names and bytes are kept on disk.
    """

    ttl, lag = 100.0, 0.0

    def __init__(self, keys: Mapping[str, File], *, root: str, page: int, flat: bool, kept: bool) -> None:
        self._clock, self._kept = Clock(), kept
        self._store = _Store(root)
        self._store.page, self._store.flat = page, flat
        for key, file in keys.items():
            self.set(key, file)
        self._home = Path(tempfile.mkdtemp(prefix="model-"))
        self._lives = 0
        self._start()

    def _start(self) -> None:
        stats, waiter, clock = Stats(), Waiter(), self._clock
        names, data = Workers(3, "model-names"), Workers(3, "model-bytes")
        home = self._home / str(self._lives) if self._kept else None
        cat = Catalogue(
            self._store, ttl=self.ttl, workers=names, waiter=waiter, timeout=20, stats=stats,
            clock=clock, wall=lambda: clock.now + 1e9, state_dir=PrivatePath(home / "names") if home else None,
        )  # fmt: skip
        blocks = Blocks(
            {self._store.source: self._store}, memory=1 << 20, workers=data, waiter=waiter, timeout=20, stats=stats,
            disk=DiskCache(PrivatePath(home / "blocks"), 1 << 30, stats) if home else None, readahead=WindowPolicy,
        )  # fmt: skip
        prefetcher = Prefetcher(blocks, stats)
        prefetcher.add(cat)
        vfs = Vfs({"one": cat}, blocks, Ownership(uid=0, gid=0), stats, prefetcher=prefetcher)
        self._mount = Mount(vfs, stats, {"one": cat}, {"one": self._store}, blocks, (names, data), {}, None, ())
        self.door: Door = VfsDoor(self._mount)

    def now(self) -> float:
        self._clock.now += 0.001
        return self._clock.now

    def set(self, key: str, file: File | None) -> None:
        if file is None:
            self._store.delete(key)
        else:
            self._store.put(key, file.body, mtime_ns=file.mtime * 10**9)

    def refuse(self, refusals: list[Refusal]) -> None:
        self._store.refusals = list(refusals)

    def rotate_keys(self) -> None:
        self._store.renewals.count += 1

    def attributes(self, handle: int) -> tuple[int, int]:
        with mounts.errors_as_errnos():
            got = self._mount.vfs.fstat(handle)
        return got.size, got.mtime_ns

    def map(self, path: bytes, handle: int, size: int, offset: int) -> bytes:
        start = offset // PAGE * PAGE
        return self.door.pread(handle, size + offset - start, start)[offset - start :]

    def refresh(self, path: bytes) -> None:
        with mounts.errors_as_errnos():
            self._mount.vfs.refresh([name for name in path.split(b"/") if name])

    def wait(self, seconds: float) -> None:
        self._clock.now += seconds

    def restart(self, *, kill: bool) -> None:
        old, before = self._mount, self._home / str(self._lives)
        self._lives += 1
        if kill:  # what is on disk at this moment is all that is left
            _copy(before, self._home / str(self._lives))
            old.close()
        else:
            old.close()
            _copy(before, self._home / str(self._lives))
        self._start()

    def end(self) -> None:
        self._mount.close()
        shutil.rmtree(self._home, ignore_errors=True)


def _copy(before: Path, after: Path) -> None:
    if before.exists():
        with_races = shutil.ignore_patterns("*.tmp", "*.new")  # renamed while we look
        try:
            shutil.copytree(before, after, ignore=with_races)
        except shutil.Error:
            pass  # evicted or merged while we copied: less is left


def open_file(door: Door, path: bytes) -> int:
    """Open a file; EISDIR for a directory, which the kernel would open, too."""
    if modes.S_ISDIR(door.stat(path).mode):
        raise IsADirectoryError(EISDIR, "a directory")
    return door.open(path)
