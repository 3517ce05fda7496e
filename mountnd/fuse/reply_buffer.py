"""The memory for the answer to a read, made when its bytes are there.

libfuse's `read` gets a buffer as long as the request before anybody knows when it can be filled: with hundreds of
readers that wait, as many megabytes, which malloc then keeps. Its `read_buf` lets us make it ourselves.
"""

from __future__ import annotations

import ctypes
import struct

# Without releasing the interpreter: each takes less time than that.
_libc = ctypes.PyDLL(None)
_malloc, _calloc, _free = _libc.malloc, _libc.calloc, _libc.free
_malloc.restype = _calloc.restype = ctypes.c_void_p
_malloc.argtypes = [ctypes.c_size_t]
_calloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
_free.argtypes = [ctypes.c_void_p]

# struct fuse_bufvec of fuse_common.h: count, idx, off, then one fuse_buf: size, flags, mem; what follows is of
# descriptors, and longer from 3.17 on. All of it zero but count, size and mem.
_HEAD = struct.Struct("@NNNNiP")
_BUFVEC_BYTES = 128


class ReplyBuffer:
    """Up to `size` bytes to answer a read with. `address` makes it."""

    __slots__ = ("_at", "_size")

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def address(self) -> int:
        """Where the bytes are to lie; the same at each call. Raises MemoryError."""
        if not self._at:
            self._at = _malloc(self._size) or 0
            if not self._at:
                raise MemoryError(f"{self._size} bytes for the answer to a read")
        return self._at

    def hand_over(self, bufvec: int, size: int) -> None:
        """Answer with the first `size` bytes: libfuse frees them. `bufvec`: where it looks for them (the address of
        its `struct fuse_bufvec *`). Raises MemoryError."""
        vector = _calloc(1, _BUFVEC_BYTES)
        if not vector:
            self.free()
            raise MemoryError("for the answer to a read")
        _HEAD.pack_into((ctypes.c_char * _HEAD.size).from_address(vector), 0, 1, 0, 0, size, 0, self._at)
        ctypes.c_void_p.from_address(bufvec).value = vector
        self._at = 0

    def free(self) -> None:
        """It is not used. May be called again, and after `hand_over`."""
        if self._at:
            _free(self._at)
            self._at = 0
