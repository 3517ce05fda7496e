"""The memory for the answer to a read: as libfuse expects it, and freed by exactly one of us."""

from __future__ import annotations

import ctypes

import pytest

from mountnd.fuse import reply_buffer
from mountnd.fuse.reply_buffer import ReplyBuffer


class FuseBuf(ctypes.Structure):
    """The first members of libfuse's struct fuse_bufvec, with its first struct fuse_buf."""

    _fields_ = [
        ("count", ctypes.c_size_t),
        ("idx", ctypes.c_size_t),
        ("off", ctypes.c_size_t),
        ("size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("mem", ctypes.c_void_p),
        ("fd", ctypes.c_int),
        ("pos", ctypes.c_int64),
        ("mem_size", ctypes.c_size_t),  # from 3.17 on
    ]


@pytest.fixture
def freed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The addresses that were freed."""
    seen: list[int] = []
    free = reply_buffer._free

    def note(address: int) -> None:
        seen.append(address)
        free(address)

    monkeypatch.setattr(reply_buffer, "_free", note)
    return seen


def handed_over(buffer: ReplyBuffer, size: int) -> FuseBuf:
    pointer = ctypes.c_void_p()
    buffer.hand_over(ctypes.addressof(pointer), size)
    assert pointer.value
    return FuseBuf.from_address(pointer.value)


def release(vector: FuseBuf) -> None:
    """As libfuse does."""
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    free(vector.mem)
    free(ctypes.addressof(vector))


def test_what_libfuse_gets(freed: list[int]) -> None:
    buffer = ReplyBuffer(1000)
    at = buffer.address()
    assert buffer.address() == at
    ctypes.memmove(at, b"bytes", 5)
    vector = handed_over(buffer, 5)
    assert (vector.count, vector.idx, vector.off, vector.size, vector.flags, vector.mem) == (1, 0, 0, 5, 0, at)
    assert (vector.pos, vector.mem_size) == (0, 0)
    assert ctypes.string_at(vector.mem, vector.size) == b"bytes"
    buffer.free()
    assert freed == [], "it is libfuse's now"
    release(vector)


def test_the_end_of_a_file_takes_no_memory(freed: list[int]) -> None:
    vector = handed_over(ReplyBuffer(4096), 0)
    assert (vector.count, vector.size, vector.mem) == (1, 0, None)
    release(vector)
    assert freed == []


def test_what_is_not_handed_over_is_freed_once(freed: list[int]) -> None:
    buffer = ReplyBuffer(1000)
    at = buffer.address()
    buffer.free()
    buffer.free()
    assert freed == [at]


def test_without_memory(freed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = ReplyBuffer(1000)
    at = buffer.address()
    monkeypatch.setattr(reply_buffer, "_calloc", lambda count, size: None)
    pointer = ctypes.c_void_p()
    with pytest.raises(MemoryError):
        buffer.hand_over(ctypes.addressof(pointer), 5)
    assert (freed, pointer.value) == ([at], None)
    monkeypatch.setattr(reply_buffer, "_malloc", lambda size: None)
    with pytest.raises(MemoryError):
        ReplyBuffer(1000).address()
