"""The tree: look-ups, attributes, open files and directories, over catalogues (names) and blocks (bytes).

Every door (the kernel's, fsspec's, a test's) calls exactly this. Methods are thread-safe, block
while the network answers, and raise `errors.StoreError` or `errors.VfsError`; errnos are the door's
business.

No lock: a dict's single operations are atomic.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..blocks.begun import BegunRead
from ..blocks.stream import Blocks, Stream
from ..catalog.catalogue import Catalogue
from ..catalog.model.entry import Entry
from ..errors import Changed, IsADirectory, NotFound, StaleHandle, StoreError
from ..stats import OPENS, Stats
from ..stores.base import ObjectId
from ..usage.files import OpenFile
from .explain import Explainer
from .failures import FailureLog
from .handles import Handle, Handles
from .inodes import Attributes, Inode, Ownership
from .namespace import Namespace
from .open_directories import OpenDirectories
from .prefetch.prefetcher import Prefetcher

log = logging.getLogger(__name__)


class Vfs:
    """One mounted tree.

    Args:
        sources: catalogue of each source by name. One source: its content is the root; several: a directory each.
        blocks: where the bytes come from.
        owner: uid, gid and modes shown.
        single: whether the one source is the root (a mount of one may still be shown as a directory).
        prefetcher: readahead across files; None for none.

    Attributes:
        root: the tree's root.
        lookup, resolve, resolve_directory, sources: those of `Namespace`, without a call between.
        children, opendir, readdir, read_names, ended, subdirectory, releasedir: those of `OpenDirectories`.
        explain: that of `Explainer`.
    """

    def __init__(
        self,
        sources: Mapping[str, Catalogue],
        blocks: Blocks,
        owner: Ownership,
        stats: Stats,
        *,
        single: bool = True,
        prefetcher: Prefetcher | None = None,
    ) -> None:
        self._owner, self._stats, self._prefetcher = owner, stats, prefetcher
        self._failures = FailureLog()
        self._namespace = Namespace(sources, single=single, failures=self._failures)
        self.root = self._namespace.root
        self.lookup = self._namespace.lookup
        self.resolve, self.resolve_directory = self._namespace.resolve, self._namespace.resolve_directory
        self.sources = self._namespace.sources
        self._handles = Handles(blocks)
        self.explain = Explainer(self._namespace, self._handles, self._failures, blocks).explain
        blocks.usage.path_of = self._namespace.path
        listed = prefetcher.listed if prefetcher is not None else None
        directories = OpenDirectories(self._namespace, owner, self._handles, self._failures, listed)
        self.children, self.opendir, self.releasedir = directories.children, directories.opendir, directories.releasedir
        self.readdir, self.read_names = directories.readdir, directories.read_names
        self.ended, self.subdirectory = directories.ended, directories.subdirectory
        # Called with the number of a handle that moved to another version before it gave a byte: other attributes.
        self.moved: Callable[[int], object] = lambda fh: None

    # -- names
    def getattr(self, inode: Inode) -> Attributes:
        """Attributes of `inode`: those of the version that open handles hold it at, else the newest known."""
        entry = inode.entry
        meta = None if entry.is_dir else self._handles.settled(inode.number)
        return self._owner.attributes(inode.number, entry.is_dir, meta or entry.stat)

    def refresh(self, names: Sequence[bytes]) -> None:
        """Believe nothing below the path of these components any more, nor of the path itself.

        If the path is missing, only that is forgotten. Raises what `lookup` raises, NotFound only for a source.
        """
        self._namespace.refresh(names)

    # -- files
    def open(self, inode: Inode, *, alone: bool = False) -> tuple[int, bool]:
        """Open a file for reading. Returns (handle, whether the kernel's pages of it are still valid).

        Costs no request. Raises IsADirectory.

        Args:
            alone: it says nothing of what is opened next, as where many are read that somebody has named.
        """
        if inode.entry.is_dir or inode.entry.stat is None:
            raise IsADirectory(f"{inode.entry.key}: is a directory")
        assert inode.catalogue is not None
        opened = self._handles.add(inode, inode.catalogue.relied(inode.entry.stat))
        self._stats.add(OPENS)
        handle = self._handles.get(opened[0])
        stream = handle.stream
        stream.usage.opened(inode, handle.pin.meta.mtime_ns)
        if self._prefetcher is not None and not alone:
            stream.expect(self._prefetcher.opened(inode))
        return opened

    def begin_read(self, fh: int, size: int, offset: int) -> BegunRead | None:
        """Ask for what `read_into` is to copy, without waiting: pass the result to it, or `abandon` it.

        None: there is nothing to ask for, or nobody to ask, of which `read_into` tells.
        """
        try:
            handle = self._handles.get(fh)
            size = min(size, handle.size - offset)
            return handle.stream.begin(size, offset) if size > 0 else None
        except (KeyError, StoreError):
            return None

    def read_into(
        self, fh: int, address: Callable[[], int], size: int, offset: int, begun: BegunRead | None = None
    ) -> int:
        """Copy up to `size` bytes from `offset` to memory; returns how many (0 at the end).

        Args:
            address: gives where that memory lies. Called when the bytes are there, perhaps more than once.
            begun: what `begin_read` gave for the same bytes.

        Raises Changed once the pinned version is gone (also when the object was deleted), StaleHandle, and
        what stores raise.
        """
        try:
            handle = self._handles.get(fh)
        except KeyError:
            raise StaleHandle(f"handle {fh} is not open") from None
        size = min(size, handle.size - offset)
        if size <= 0:
            return 0
        handle.flushed = False
        handle.read_bytes += size
        if offset + size > handle.read_end:
            handle.read_end = offset + size
        while True:
            stream = handle.stream
            if begun is not None and begun.stream is not stream:  # the handle moved to another version
                begun.abandon()
                begun = None
            try:
                if begun is None:
                    stream.read_into(address, size, offset)
                else:
                    asked, begun = begun, None
                    asked.finish(address)
            except (Changed, NotFound) as e:
                if not self._move(handle, stream):
                    raise self._gone(handle, e) from e
                self.moved(fh)
            except StoreError as e:
                if not handle.reported:  # the kernel asks again page by page, and programs again and again
                    handle.reported = True
                    path = self._namespace.path(handle.inode)
                    self._failures.read_failed(path, e, catalogue=handle.inode.catalogue)
                raise
            else:
                # Once bytes were given, the stream stays; before, another thread may have moved it meanwhile.
                if (handle.pin.given and handle.stream is stream) or self._handles.give(handle, stream):
                    return size

    def read(self, fh: int, size: int, offset: int) -> bytes:
        """As `read_into`, into bytes of its own."""
        buffer = ctypes.create_string_buffer(max(size, 1))
        n = self.read_into(fh, lambda: ctypes.addressof(buffer), size, offset)
        return ctypes.string_at(buffer, n)

    def fstat(self, fh: int) -> Attributes:
        """Attributes of an open file: its own version's."""
        try:
            handle = self._handles.get(fh)
        except KeyError:
            raise StaleHandle(f"handle {fh} is not open") from None
        return self._owner.attributes(handle.inode.number, False, handle.pin.meta)

    def version(self, fh: int) -> ObjectId:
        """Which version an open file is of. Raises StaleHandle."""
        try:
            return self._handles.get(fh).pin.meta.id
        except KeyError:
            raise StaleHandle(f"handle {fh} is not open") from None

    def flush(self, fh: int) -> None:
        """close(2) was called on a descriptor of this handle: what waits to be fetched ahead for it is cancelled."""
        try:
            handle = self._handles.get(fh)
        except KeyError:
            return
        handle.flushed = True
        handle.stream.close()

    def release(self, fh: int) -> bool:
        """The last descriptor is closed. True: the kernel should drop pages and attributes of the inode."""
        try:
            handle, drop = self._handles.remove(fh)
        except KeyError:
            return False
        handle.stream.close()
        if self._prefetcher is not None:
            self._prefetcher.closed(handle.inode, handle.size, handle.read_end, handle.read_bytes)
        return drop

    def stale(self, fh: int) -> bool:
        """Whether this handle's version turned out to be gone."""
        try:
            return self._handles.get(fh).pin.stale
        except KeyError:
            return False

    # -- what is open
    def count_open_files(self) -> int:
        """How many handles on files are open."""
        return len(self._handles)

    def failures(self) -> dict[str, Any]:
        """What programs saw fail, as `FailureLog.summary` has it."""
        return self._failures.summary()

    def open_files(self) -> dict[int, OpenFile]:
        """All open files by handle. What was read of them by now is in the log of usage then."""
        return {number: handle.stream.usage.now() for number, handle in self._handles.all()}

    def path(self, catalogue: Catalogue, key: str) -> str:
        """The path of a key from the mount's root, for people."""
        return self._namespace.path(Inode(0, catalogue, Entry(b"", key, True, None)))

    # -- within
    def _move(self, handle: Handle, stream: Stream) -> bool:
        """The store no longer has the version of `stream`: whether the handle can read the one there is now."""
        inode, pin = handle.inode, handle.pin
        if pin.given or pin.stale:
            return False
        catalogue, key = inode.catalogue, inode.entry.key
        assert catalogue is not None
        catalogue.forget(key)
        around, slash, _ = key.rpartition("/")
        try:
            entry = catalogue.lookup(Entry(b"", around + slash, True, None), inode.entry.name)
        except StoreError:
            return False
        if entry.is_dir or entry.stat is None:
            return False
        moved = self._handles.repin(handle, stream, catalogue.relied(entry.stat))
        if moved:
            handle.stream.usage.opened(inode, handle.pin.meta.mtime_ns)
        return moved

    def _gone(self, handle: Handle, why: Exception) -> Changed:
        """The store no longer has the pinned version: forget its name, so that the next open asks."""
        catalogue, key = handle.inode.catalogue, handle.inode.entry.key
        assert catalogue is not None
        if not handle.pin.stale:
            handle.pin.stale = True
            changed = Changed(f"its readers get ESTALE ({why})", code="Version")
            path = self._namespace.path(handle.inode)
            what = "changed or was deleted while it was open"
            self._failures.read_failed(path, changed, why=what, catalogue=catalogue)
        catalogue.forget(key)
        return Changed(f"{key}: the version that was opened is gone")
