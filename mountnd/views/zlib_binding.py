"""zlib itself, for what Python's module does not offer: to stop where a block ends, and to begin anew there.

Calls release the interpreter's lock while they inflate. Names and numbers are those of zlib.h.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, byref, c_char_p, c_int, c_uint, c_ulong, c_void_p

from ..errors import UsageError

OK, STREAM_END, NEED_DICT, DATA_ERROR, MEM_ERROR, BUF_ERROR = 0, 1, 2, -3, -4, -5
NO_FLUSH, BLOCK = 0, 5
# Of `data_type` after BLOCK: the last block of the stream is under way; a block has just ended; unused bits.
LAST_BLOCK, BLOCK_ENDED, BITS = 64, 128, 7
# Window bits: raw deflate data, and gzip with its header and check sums.
RAW, GZIP = -15, 31
WINDOW = 32768


class Stream(ctypes.Structure):
    """z_stream."""

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


@functools.cache
def library() -> ctypes.CDLL:
    """The system's zlib. Raises UsageError where there is none."""
    try:
        lib = ctypes.CDLL("libz.so.1")
        of = POINTER(Stream)
        for name, arguments in {
            "inflateInit2_": (of, c_int, c_char_p, c_int),
            "inflate": (of, c_int),
            "inflateReset2": (of, c_int),
            "inflatePrime": (of, c_int, c_int),
            "inflateSetDictionary": (of, c_char_p, c_uint),
            "inflateGetDictionary": (of, c_void_p, POINTER(c_uint)),
            "inflateEnd": (of,),
        }.items():
            function = getattr(lib, name)
            function.argtypes, function.restype = arguments, c_int
        lib.zlibVersion.restype = c_char_p
    except (OSError, AttributeError) as e:
        raise UsageError(f"--view needs zlib 1.2.8 or newer (libz.so.1): sudo apt-get install zlib1g ({e})") from None
    return lib


class Inflation:
    """An inflate stream of zlib, from a given state on.

    Attributes:
        stream: its z_stream.
    """

    def __init__(self, bits: int) -> None:
        self._library, self.stream = library(), Stream()
        if self._library.inflateInit2_(
            byref(self.stream), bits, self._library.zlibVersion(), ctypes.sizeof(Stream)
        ):  # nothing but memory can be missing
            raise MemoryError("inflateInit2")

    def __del__(self) -> None:
        if self.stream.state:
            self._library.inflateEnd(byref(self.stream))

    def inflate(self, flush: int) -> int:
        """Inflate from next_in to next_out as far as both go; what zlib returns."""
        return int(self._library.inflate(byref(self.stream), flush))

    def reset(self, bits: int) -> None:
        """Begin a new stream."""
        self._library.inflateReset2(byref(self.stream), bits)

    def begin_within(self, bits: int, value: int, window: bytes) -> None:
        """Begin between two blocks of a raw stream: with `bits` bits that are the upper ones of a byte, and what was
        inflated before."""
        if bits:
            self._library.inflatePrime(byref(self.stream), bits, value)
        if window:
            self._library.inflateSetDictionary(byref(self.stream), window, len(window))

    def window(self) -> bytes:
        """What was inflated last, up to 32 KiB of it."""
        buffer, length = ctypes.create_string_buffer(WINDOW), c_uint()
        self._library.inflateGetDictionary(byref(self.stream), buffer, byref(length))
        return buffer.raw[: length.value]
