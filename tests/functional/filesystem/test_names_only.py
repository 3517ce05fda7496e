"""Walks that stat nothing, which are told names, numbers and types alone, on a mount of the real kernel.

A thread's first directory comes with attributes in any case, so each test begins with another one.
"""

from __future__ import annotations

import ctypes
import os
import platform
import random
import stat
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.doors import Fresh, KernelDoor
from tests.support.quirky import Quirky

pytestmark = pytest.mark.kernel

ODD = [
    "a b",
    "-rf",
    "né\u0301",
    "x" * 255,
    "x" * 254,
    "\U0001f9e0.nii",
    "new\nline",
    "tab\t",
    "..a",
    "%2F",
    "a+b",
    "q\"'",
]
FLAT = 5_000
Seen = dict[bytes, tuple[int, bool]]


def keys() -> list[str]:
    studies = [f"ds{d:02}/sub-{s:02}/{kind}" for d in range(4) for s in range(5) for kind in ("anat", "func")]
    return (
        [f"{study}/run-{run:02}_bold.nii.gz" for study in studies for run in range(12)]
        + [f"odd/{name}" for name in ODD]
        + [f"odd/{name}-dir/f" for name in ODD if len(name) < 250]
        + [f"flat/{n:05}{'-' * (n % 90)}" for n in range(FLAT)]
        + ["first/file"]
    )


def content(key: str) -> bytes:
    return b"x" * (len(key) % 7)


@pytest.fixture
def door(fresh_kernel: Fresh, quirky: Quirky) -> KernelDoor:
    quirky.hold({key: content(key) for key in keys()})
    door = fresh_kernel(quirky.url, "s3://bkt")
    assert isinstance(door, KernelDoor)
    return door


def walk(top: bytes, *, stats: bool) -> Seen:
    """Number of each name below, and whether it is a directory; `stats`: each is compared with lstat(2) as it comes."""
    seen: Seen = {}
    queue = [top]
    while queue:
        with os.scandir(queue.pop()) as entries:
            for entry in entries:
                is_dir = entry.is_dir(follow_symlinks=False)
                seen[entry.path] = entry.inode(), is_dir
                if stats:
                    found = os.lstat(entry.path)
                    assert (found.st_ino, stat.S_ISDIR(found.st_mode)) == seen[entry.path]
                if is_dir:
                    queue.append(entry.path)
    return seen


def expected(top: bytes) -> dict[bytes, bool]:
    names: dict[bytes, bool] = {}
    for key in keys():
        *above, _ = parts = key.split("/")
        names[os.path.join(top, os.fsencode(key))] = False
        names |= {os.path.join(top, os.fsencode("/".join(parts[: i + 1]))): True for i in range(len(above))}
    return names


def test_a_walk_for_names_sees_what_a_walk_for_attributes_sees(door: KernelDoor) -> None:
    top = door.path()
    with ThreadPoolExecutor(1) as one:  # a reader of its own: nobody has seen it stat
        names = one.submit(walk, top, stats=False).result()
    assert {path: is_dir for path, (_, is_dir) in names.items()} == expected(top)
    assert walk(top, stats=True) == names
    assert walk(top, stats=False) == names
    assert len({number for number, _ in names.values()}) == len(names)


def test_sizes_are_right_after_a_walk_for_names(door: KernelDoor) -> None:
    top = door.path()
    walk(top, stats=False)
    for key in random.Random(1).sample(keys(), 300):
        path = os.path.join(top, os.fsencode(key))
        assert os.stat(path).st_size == len(content(key))
        with open(path, "rb") as file:
            assert file.read() == content(key)


def test_walks_of_both_kinds_side_by_side(door: KernelDoor) -> None:
    top = door.path()
    with ThreadPoolExecutor(8) as pool:
        walks = [pool.submit(walk, top, stats=bool(n % 2)) for n in range(16)]
        first, *others = [one.result() for one in walks]
    assert all(other == first for other in others)
    assert {path: is_dir for path, (_, is_dir) in first.items()} == expected(top)


@pytest.mark.parametrize("size", [300, 1000, 4096, 32 << 10, 1 << 20])
def test_a_large_directory_by_pages_of_any_size(door: KernelDoor, size: int) -> None:
    os.listdir(door.path("first"))
    fd = os.open(door.path("flat"), os.O_RDONLY | os.O_DIRECTORY)
    try:
        rows = read_all(fd, size)
        os.lseek(fd, 0, os.SEEK_SET)
        assert read_all(fd, size) == rows
        for at in random.Random(size).sample(range(1, len(rows)), 20):
            os.lseek(fd, rows[at - 1][3], os.SEEK_SET)
            assert getdents(fd, size)[0] == rows[at]
    finally:
        os.close(fd)
    assert sorted(name for name, *_ in rows) == sorted(
        [b".", b".."] + [os.fsencode(key[5:]) for key in keys() if key.startswith("flat/")]
    )
    assert {kind for name, _, kind, _ in rows if name not in (b".", b"..")} == {8}
    for name, number, *_ in random.Random(size).sample(rows[2:], 20):
        assert os.stat(os.path.join(door.path("flat"), name)).st_ino == number


def test_a_directory_read_by_two_who_seek(door: KernelDoor) -> None:
    """Each handle has its own place, and one that stats in between gets the same names."""
    os.listdir(door.path("first"))
    handles = [os.open(door.path("flat"), os.O_RDONLY | os.O_DIRECTORY) for _ in range(2)]
    try:
        rows: list[list[tuple[bytes, int, int, int]]] = [[], []]
        while part := getdents(handles[0], 4096):
            rows[0] += part
            os.stat(os.path.join(door.path("flat"), part[-1][0]))
            rows[1] += getdents(handles[1], 1024)
        rows[1] += read_all(handles[1], 1 << 16)
    finally:
        for handle in handles:
            os.close(handle)
    assert rows[0] == rows[1]


def read_all(fd: int, size: int) -> list[tuple[bytes, int, int, int]]:
    rows = []
    while part := getdents(fd, size):
        rows += part
    return rows


def getdents(fd: int, size: int) -> list[tuple[bytes, int, int, int]]:
    """What one getdents64(2) of so many bytes gives: (name, inode, type, offset of the next)."""
    number = {"x86_64": 217, "aarch64": 61}.get(platform.machine())
    if number is None:
        pytest.skip(f"the number of getdents64 on {platform.machine()} is not known here")
    libc = ctypes.CDLL(None, use_errno=True)
    buffer, rows, at = ctypes.create_string_buffer(size), [], 0
    count = libc.syscall(number, fd, buffer, size)
    assert count >= 0, os.strerror(ctypes.get_errno())
    raw = buffer.raw[:count]
    while at < count:
        ino, following, length, kind = struct.unpack_from("<QqHB", raw, at)
        rows.append((raw[at + 19 : at + length].partition(b"\0")[0], ino, kind, following))
        at += length
    return rows
