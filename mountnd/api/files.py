"""An open file of the file system: a buffered reader over a handle of the vfs, which has the only cache there is.

It stays at the version that was opened, as a file of a mount does. In a forked process it opens itself anew, at the
same version or not at all, so that children can read what their parent has opened.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
from typing import Any, NamedTuple, Protocol

from ..errors import Changed, MountndError
from ..stores.base import ObjectId
from .oserrors import os_error
from .reading import new_bytes, read_into
from .trees import OpenTree


class OpenHandle(NamedTuple):
    """A handle of a tree, and the version that it reads."""

    tree: OpenTree
    fh: int
    id: ObjectId
    size: int


class Files(Protocol):
    """The file system that a file is of (`filesystem.MountndFileSystem`)."""

    blocksize: int

    def open_handle(self, path: str) -> OpenHandle: ...
    def info(self, path: str) -> dict[str, Any]: ...
    def unstrip_protocol(self, name: str) -> str: ...


class _RawFile(io.RawIOBase):
    """The unbuffered file. A seek costs nothing, and reads are those of the caller."""

    def __init__(self, fs: Files, path: str) -> None:
        self._fs, self._path, self._pos = fs, path, 0
        self._open: OpenHandle | None = None
        self._open = self._fs.open_handle(path)
        self.size = self._open.size

    @property
    def name(self) -> str:
        return self._path

    @property
    def mode(self) -> str:
        return "rb"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._pos

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._pos, os.SEEK_END: self.size}
        if whence not in bases:
            raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if bases[whence] + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), self._path)
        self._pos = bases[whence] + offset
        return self._pos

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        n = min(len(view), self.size - self._pos)
        if n <= 0:
            self._check_open()
            return 0
        return self._read(ctypes.addressof(ctypes.c_char.from_buffer(view)), n)

    def readall(self) -> bytes:
        n = max(0, self.size - self._pos)
        if not n:
            self._check_open()
            return b""
        data, address = new_bytes(n)
        self._read(address, n)
        return data

    def _read(self, address: int, size: int) -> int:
        handle = self._handle()
        try:
            n = read_into(handle.tree, handle.fh, address, size, self._pos)
        except MountndError as e:
            raise os_error(e, self._path) from e
        self._pos += n
        return n

    def _handle(self) -> OpenHandle:
        self._check_open()
        assert self._open is not None
        if self._open.tree.pid != os.getpid():
            handle = self._fs.open_handle(self._path)
            if handle.id != self._open.id:
                handle.tree.vfs.release(handle.fh)
                raise os_error(Changed("it was replaced after it was opened"), self._path)
            self._open = handle
        return self._open

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")

    def close(self) -> None:
        opened, self._open = self._open, None
        if opened is not None and opened.tree.pid == os.getpid():
            opened.tree.vfs.release(opened.fh)
        super().close()


class MountndFile(io.BufferedReader):
    """What `MountndFileSystem.open` gives for "rb".

    Attributes:
        fs, path: where it is from.
        size: in bytes.
        blocksize: what a loop over it may ask for at a time.
    """

    def __init__(self, fs: Files, path: str) -> None:
        raw = _RawFile(fs, path)
        super().__init__(raw)
        self.fs, self.path, self.size, self.blocksize = fs, path, raw.size, fs.blocksize

    @property
    def loc(self) -> int:
        """Where it is read next, as other files of fsspec call it."""
        return self.tell()

    @property
    def details(self) -> dict[str, Any]:
        """See `MountndFileSystem.info`."""
        return self.fs.info(self.path)

    def info(self) -> dict[str, Any]:
        """See `MountndFileSystem.info`."""
        return self.details

    @property
    def full_name(self) -> str:
        """With its protocol."""
        return self.fs.unstrip_protocol(self.path)

    def __reduce__(self) -> Any:
        return _opened_again, (self.fs, self.path, self.tell())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()


def _opened_again(fs: Files, path: str, position: int) -> MountndFile:
    file = MountndFile(fs, path)
    file.seek(position)
    return file
