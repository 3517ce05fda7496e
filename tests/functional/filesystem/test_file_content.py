"""Every byte at every place, through both doors and, by O_DIRECT, past the kernel's page cache."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import tree
from tests.support.children import child
from tests.support.doors import Door, KernelDoor, open_door, read, read_handle
from tests.support.tree import BIG, BIG_SIZE, EDGES, KIB, MIB, around

SOURCE = tree.content(BIG, BIG_SIZE)
OFFSETS = [0, 1, *around(*EDGES, 2 * MIB), *(BIG_SIZE - d for d in (4097, 4096, 2, 1))]
SIZES = [1, 2, *around(4 * KIB, 128 * KIB), 256 * KIB]


@pytest.fixture(
    scope="module", params=["vfs", *(pytest.param(k, marks=pytest.mark.kernel) for k in ("kernel", "direct"))]
)
def place(
    request: pytest.FixtureRequest, dataset: tree.Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """A door of the module's own, whose caches start empty and are smaller than the file."""
    kind = "vfs" if request.param == "vfs" else "kernel"
    with open_door(
        kind,
        tmp_path_factory.mktemp("bytes"),
        dataset.url,
        f"s3://{dataset.name}",
        direct=request.param == "direct",
        memory=8 * MIB,
    ) as door:
        yield door


def test_every_offset_and_size(place: Door) -> None:
    handle = place.open(BIG)
    try:
        for offset in OFFSETS:
            for size in SIZES:
                assert place.pread(handle, size, offset) == SOURCE[offset : offset + size], (offset, size)
    finally:
        place.close(handle)


def test_backwards_and_forwards_through_a_handle(place: Door) -> None:
    handle = place.open(BIG)
    try:
        step = 100_003
        for offset in [*range(0, BIG_SIZE, step), *range(BIG_SIZE - 1, 0, -step)]:
            assert place.pread(handle, 5000, offset) == SOURCE[offset : offset + 5000], offset
    finally:
        place.close(handle)


def test_reads_at_and_beyond_the_end(place: Door) -> None:
    handle = place.open(BIG)
    try:
        assert place.pread(handle, 100, BIG_SIZE) == b""
        assert place.pread(handle, 100, BIG_SIZE + 1) == b""
        assert place.pread(handle, 100, BIG_SIZE + MIB) == b""
        assert place.pread(handle, 100, BIG_SIZE - 1) == SOURCE[-1:]
        assert place.pread(handle, MIB, BIG_SIZE - 17) == SOURCE[-17:]
    finally:
        place.close(handle)


@pytest.mark.parametrize("path", tree.FILES)
def test_a_whole_file_is_its_object(place: Door, path: str) -> None:
    assert read(place, path) == tree.content(path, tree.FILES[path])


def test_an_empty_file_reads_as_nothing(place: Door) -> None:
    handle = place.open("empty/nothing.bin")
    try:
        assert place.pread(handle, 4096, 0) == b""
        assert place.pread(handle, 4096, 4096) == b""
    finally:
        place.close(handle)


def test_many_threads_on_one_handle(place: Door) -> None:
    handle = place.open(BIG)

    def some(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(60):
            offset, size = dice.randrange(BIG_SIZE), dice.randrange(1, 256 * KIB)
            assert place.pread(handle, size, offset) == SOURCE[offset : offset + size], (offset, size)

    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(some, range(8)))
    finally:
        place.close(handle)


def test_many_handles_in_many_threads(place: Door) -> None:
    def some(seed: int) -> None:
        dice = random.Random(seed)
        paths = [*tree.FILES]
        for _ in range(12):
            path = dice.choice(paths)
            offset = dice.randrange(tree.FILES[path] + 1)
            handle = place.open(path)
            try:
                assert read_handle(place, handle, offset) == tree.content(path, tree.FILES[path])[offset:], path
            finally:
                place.close(handle)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(8)))


READER = """
import hashlib, os, random, sys
path, size, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
dice, fd, digest = random.Random(seed), os.open(path, os.O_RDONLY), hashlib.sha256()
for _ in range(100):
    offset, count = dice.randrange(size), dice.randrange(1, 1 << 17)
    while count and (part := os.pread(fd, count, offset)):
        digest.update(part)
        count -= len(part)
        offset += len(part)
print(digest.hexdigest())
"""


@pytest.mark.kernel
def test_many_processes_read_one_file(kernel: KernelDoor) -> None:
    def expected(seed: int) -> str:
        dice, digest = random.Random(seed), hashlib.sha256()
        for _ in range(100):
            offset, count = dice.randrange(BIG_SIZE), dice.randrange(1, 1 << 17)
            digest.update(SOURCE[offset : offset + count])
        return digest.hexdigest()

    def one(seed: int) -> str:
        with child([sys.executable, "-c", READER, kernel.path(BIG), str(BIG_SIZE), str(seed)]) as process:
            return process.communicate(timeout=60)[0].decode().strip()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == [expected(seed) for seed in range(4)]
