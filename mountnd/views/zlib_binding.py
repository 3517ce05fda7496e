"""zlib itself, for what Python's module does not offer: to stop where a block ends, and to begin anew there.

It is zlib-ng where that is installed. Calls release the interpreter's lock while they inflate. Names and numbers are
those of zlib.h.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_int, c_uint, c_ulong, c_void_p
from importlib.util import find_spec
from typing import Any, NamedTuple

from ..errors import UsageError

OK, STREAM_END, NEED_DICT, DATA_ERROR, MEM_ERROR, BUF_ERROR = 0, 1, 2, -3, -4, -5
NO_FLUSH, BLOCK = 0, 5
# Of `data_type` after BLOCK: the last block of the stream is under way; a block has just ended; unused bits.
LAST_BLOCK, BLOCK_ENDED, BITS = 64, 128, 7
# Window bits: raw deflate data, and gzip with its header and check sums.
RAW, GZIP = -15, 31
WINDOW = 32768


class Stream(ctypes.Structure):
    """z_stream; that of zlib-ng is the same up to `data_type`, and shorter behind it."""

    _fields_ = (
        ("next_in", c_void_p),
        ("avail_in", c_uint),
        ("total_in", c_ulong),
        ("next_out", c_void_p),
        ("avail_out", c_uint),
        ("total_out", c_ulong),
        ("msg", c_char_p),
        ("state", c_void_p),
        ("zalloc", c_void_p),
        ("zfree", c_void_p),
        ("opaque", c_void_p),
        ("data_type", c_int),
        ("adler", c_ulong),
        ("reserved", c_ulong),
    )


class Library(NamedTuple):
    """The functions of one library."""

    init: Callable[[Any, int], int]
    inflate: Callable[[Any, int], int]
    reset: Callable[[Any, int], int]
    prime: Callable[[Any, int, int], int]
    set_dictionary: Callable[[Any, bytes, int], int]
    get_dictionary: Callable[[Any, Any, Any], int]
    end: Callable[[Any], int]


@functools.cache
def library() -> Library:
    """zlib-ng, which takes 0.6 of zlib's time, or the system's zlib. Raises UsageError where there is neither."""
    if (found := zlib_ng()) is not None:
        return found
    try:
        return zlib()
    except (OSError, AttributeError) as e:
        raise UsageError(f"--view needs zlib 1.2.8 or newer (libz.so.1): sudo apt-get install zlib1g ({e})") from None


def zlib_ng() -> Library | None:
    """The library within the extension module of the package `zlib-ng`; None where that is not there, or hides it."""
    try:
        found = find_spec("zlib_ng.zlib_ng")
        if found is None or found.origin is None:
            return None
        lib = ctypes.CDLL(found.origin)
        return _declared(lib, "zng_", _function(lib, "zng_inflateInit2", c_int))
    except (ImportError, OSError, AttributeError):
        return None


def zlib() -> Library:
    """The system's. Raises OSError, AttributeError."""
    lib = ctypes.CDLL("libz.so.1")
    init = _function(lib, "inflateInit2_", c_int, c_char_p, c_int)
    lib.zlibVersion.restype = c_char_p
    version, size = lib.zlibVersion(), ctypes.sizeof(Stream)
    return _declared(lib, "", lambda stream, bits: init(stream, bits, version, size))


def _declared(lib: ctypes.CDLL, prefix: str, init: Callable[[Any, int], int]) -> Library:
    return Library(
        init,
        _function(lib, f"{prefix}inflate", c_int),
        _function(lib, f"{prefix}inflateReset2", c_int),
        _function(lib, f"{prefix}inflatePrime", c_int, c_int),
        _function(lib, f"{prefix}inflateSetDictionary", c_char_p, c_uint),
        _function(lib, f"{prefix}inflateGetDictionary", c_void_p, POINTER(c_uint)),
        _function(lib, f"{prefix}inflateEnd"),
    )


def _function(lib: ctypes.CDLL, name: str, *arguments: Any) -> Callable[..., int]:
    """A function of a stream and more. Raises AttributeError."""
    function: Any = getattr(lib, name)
    function.argtypes, function.restype = (POINTER(Stream), *arguments), c_int
    return function  # type: ignore[no-any-return]


class Inflation:
    """An inflate stream of zlib, from a given state on.

    Attributes:
        stream: its z_stream.
    """

    def __init__(self, bits: int) -> None:
        self._library, self.stream = library(), Stream()
        if self._library.init(byref(self.stream), bits):  # nothing but memory can be missing
            raise MemoryError("inflateInit2")

    def __del__(self) -> None:
        if self.stream.state:
            self._library.end(byref(self.stream))

    def inflate(self, flush: int) -> int:
        """Inflate from next_in to next_out as far as both go; what zlib returns."""
        return int(self._library.inflate(byref(self.stream), flush))

    def reset(self, bits: int) -> None:
        """Begin a new stream."""
        self._library.reset(byref(self.stream), bits)

    def begin_within(self, bits: int, value: int, window: bytes) -> None:
        """Begin between two blocks of a raw stream: with `bits` bits that are the upper ones of a byte, and what was
        inflated before."""
        if bits:
            self._library.prime(byref(self.stream), bits, value)
        if window:
            self._library.set_dictionary(byref(self.stream), window, len(window))

    def window(self) -> bytes:
        """What was inflated last, up to 32 KiB of it."""
        buffer, length = ctypes.create_string_buffer(WINDOW), c_uint()
        self._library.get_dictionary(byref(self.stream), buffer, byref(length))
        return buffer.raw[: length.value]
