"""Names put into libfuse's own page: only where it is found to lie as expected, and never past its end."""

from __future__ import annotations

import ctypes
import platform

import pytest

from mountnd.fuse import directory_page
from mountnd.fuse.directory_page import DirectoryPage
from mountnd.fuse.direntries import packed, packed_plus
from mountnd.vfs.open_directory import NameRow

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="names go one by one on other machines"
)

HANDLE = 7
NAMES: list[NameRow] = [(b"%04d.nii.gz" % i, 1000 + i, False, i + 2) for i in range(100)]


class Libfuse:
    """A struct fuse_dh as libfuse 3.10 to 3.18 have it, and a filler that does what libfuse's does.

    Args:
        room: bytes that the kernel asked for.
        shift: bytes by which its members lie further behind than they do.
    """

    def __init__(self, room: int = 32768, *, plus: bool = True, shift: int = 0) -> None:
        self._plus = plus
        self._contents = ctypes.create_string_buffer(b"\xee" * (2 * room))
        members = [("contents", ctypes.c_void_p), ("first", ctypes.c_void_p), ("last", ctypes.c_void_p)]
        members += [(name, ctypes.c_uint) for name in ("len", "size", "needlen", "filled")]
        members += [("fh", ctypes.c_uint64), ("error", ctypes.c_int)]
        front = [("front", ctypes.c_char * (directory_page._MUTEX_BYTES + 16 + shift))]
        self.dh = type("Dh", (ctypes.Structure,), {"_fields_": front + members})()
        self.dh.needlen, self.dh.fh = room, HANDLE
        self.calls = 0

    def page(self) -> DirectoryPage:
        return DirectoryPage(ctypes.addressof(self.dh), self.fill, HANDLE, self._plus)

    def fill(self, buffer: int, name: bytes, stat: int, following: int, flags: int) -> int:
        self.calls += 1
        row = (name, 1000 + following - 2, False, following)
        entry, _ = (packed_plus if self._plus else packed)(iter([row]), 1024)
        self.dh.contents, self.dh.size = ctypes.addressof(self._contents), max(self.dh.size, self.dh.needlen)
        if self.dh.len + len(entry) > self.dh.needlen:
            return 1
        ctypes.memmove(self.dh.contents + self.dh.len, entry, len(entry))
        self.dh.len += len(entry)
        return 0

    @property
    def sent(self) -> bytes:
        return self._contents.raw[: self.dh.len]

    @property
    def behind(self) -> set[int]:
        """The bytes that lie behind the room."""
        return set(self._contents.raw[self.dh.needlen : -1])


@pytest.mark.parametrize("plus", [False, True])
def test_a_page_holds_the_same_as_by_one_call_for_each_name(plus: bool) -> None:
    libfuse = Libfuse(plus=plus)
    page, names = libfuse.page(), iter(NAMES)
    assert page.put(next(names), 0, 0)
    assert page.packs
    assert page.put_packed(names) is None
    assert libfuse.calls == 1
    assert libfuse.sent == (packed_plus if plus else packed)(iter(NAMES), 1 << 20)[0]


@pytest.mark.parametrize("room", [200, 1000, 4096])
def test_nothing_is_written_past_what_the_kernel_asked_for(room: int) -> None:
    libfuse = Libfuse(room)
    page, names = libfuse.page(), iter(NAMES)
    assert page.put(next(names), 0, 0)
    assert page.put_packed(names) is None
    assert libfuse.dh.len <= room
    assert libfuse.behind == {0xEE}
    assert libfuse.sent == packed_plus(iter(NAMES), room)[0]


def test_a_directory_goes_through_libfuse_and_files_behind_it_do_not() -> None:
    libfuse = Libfuse()
    rows = [*NAMES[:3], (NAMES[3][0], NAMES[3][1], True, NAMES[3][3]), *NAMES[4:]]
    page, names = libfuse.page(), iter(rows)
    assert page.put(next(names), 0, 0)
    assert page.put_packed(names) == rows[3]
    assert page.put(rows[3], 0, 0)
    assert page.put_packed(names) is None
    assert libfuse.calls == 2
    assert libfuse.sent == packed_plus(iter(NAMES), 1 << 20)[0]


@pytest.mark.parametrize("shift", [8, 16, -8])
def test_a_page_that_lies_otherwise_is_left_alone(shift: int) -> None:
    libfuse = Libfuse(shift=shift)
    page = libfuse.page()
    assert page.put(NAMES[0], 0, 0)
    assert page.packs is False


@pytest.mark.parametrize("member", ["fh", "len", "filled", "needlen"])
def test_a_page_with_a_wrong_member_is_left_alone(member: str) -> None:
    libfuse = Libfuse()
    fill = libfuse.fill

    def otherwise(*args: int) -> int:
        done = fill(*args)  # type: ignore[arg-type]
        setattr(libfuse.dh, member, getattr(libfuse.dh, member) + (1 << 20))
        return done

    page = DirectoryPage(ctypes.addressof(libfuse.dh), otherwise, HANDLE, True)
    assert page.put(NAMES[0], 0, 0)
    assert page.packs is False


def test_a_page_with_another_entry_is_left_alone() -> None:
    libfuse = Libfuse()
    page = libfuse.page()
    name, number, is_dir, following = NAMES[0]
    assert page.put((name, number + 1, is_dir, following), 0, 0)
    assert page.packs is False
