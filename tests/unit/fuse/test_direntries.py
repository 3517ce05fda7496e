"""Packed directory entries: byte for byte what libfuse makes of the same names, one call each."""

from __future__ import annotations

import ctypes
import stat

from hypothesis import given
from hypothesis import strategies as st

from mountnd.fuse import binding
from mountnd.fuse.direntries import PLUS_BYTES, packed, packed_plus
from mountnd.vfs.open_directory import NameRow

names = st.binary(min_size=1, max_size=255).map(lambda name: name.replace(b"\0", b"?").replace(b"/", b"_"))
numbers = st.integers(1, 2**63 - 1)


def rows(kinds: st.SearchStrategy[bool]) -> st.SearchStrategy[list[NameRow]]:
    return st.lists(st.tuples(names, numbers, kinds, st.integers(1, 2**40)), max_size=20)


class EntryParam(ctypes.Structure):
    """libfuse's struct fuse_entry_param."""

    _fields_ = [
        ("ino", ctypes.c_uint64),
        ("generation", ctypes.c_uint64),
        ("attr", binding.Stat),
        ("attr_timeout", ctypes.c_double),
        ("entry_timeout", ctypes.c_double),
    ]


def by_libfuse(row: NameRow, *, plus: bool) -> bytes:
    """One entry as libfuse packs it."""
    name, number, is_dir, following = row
    entry = EntryParam()
    binding.fill_stat(entry.attr, number, stat.S_IFDIR if is_dir else stat.S_IFREG, 0, 0, 0, 0, 0)
    entry.attr.st_blksize = 0
    add = binding.lib.fuse_add_direntry_plus if plus else binding.lib.fuse_add_direntry
    add.restype = ctypes.c_size_t
    add.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_longlong]
    buffer = ctypes.create_string_buffer(1024)
    about = ctypes.addressof(entry) if plus else ctypes.addressof(entry.attr)
    length = add(None, buffer, len(buffer), name, about, following)
    return buffer.raw[:length]


@given(rows(st.booleans()))
def test_a_page_is_what_libfuse_makes_of_each_name(page: list[NameRow]) -> None:
    assert packed(iter(page), 1 << 20) == (b"".join(by_libfuse(row, plus=False) for row in page), None)


@given(rows(st.just(False)))
def test_a_page_of_files_is_what_libfuse_makes_of_each_without_a_node(page: list[NameRow]) -> None:
    assert packed_plus(iter(page), 1 << 20) == (b"".join(by_libfuse(row, plus=True) for row in page), None)


@given(rows(st.booleans()))
def test_with_attributes_to_tell_a_run_of_files_ends_before_a_directory(page: list[NameRow]) -> None:
    files, stopped = packed_plus(left := iter(page), 1 << 20)
    first = next((i for i, row in enumerate(page) if row[2]), len(page))
    assert (files, stopped) == (packed_plus(iter(page[:first]), 1 << 20)[0], next(iter(page[first:]), None))
    assert list(left) == page[first + 1 :]


@given(rows(st.just(False)), st.integers(0, 2000), st.booleans())
def test_only_whole_entries_that_fit_are_packed(page: list[NameRow], room: int, plus: bool) -> None:
    pack = packed_plus if plus else packed
    whole, used = b"", 0
    for row in page:
        entry, _ = pack(iter([row]), 1024)
        used += len(entry)
        if used > room:
            break
        whole += entry
    assert pack(iter(page), room) == (whole, None)


def test_plus_bytes_is_what_the_second_form_adds() -> None:
    row = (b"a", 7, False, 3)
    assert packed_plus(iter([row]), 1024)[0][PLUS_BYTES:] == packed(iter([row]), 1024)[0]
