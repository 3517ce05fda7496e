"""The files of the disk cache test, and what can happen to a disk cache: ways to damage it, and to look at it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from pathlib import Path

from mountnd.blocks.disk import contents, directory
from mountnd.blocks.disk.chunk_file import ChunkFile
from mountnd.blocks.geometry import BLOCK, block_size
from tests.support.tree import KIB, MIB, Bucket, content
from tests.support.waiting import wait_until

# One of two chunk files, some of one, and many small ones: 36 MiB, of which a cache holds a part.
FILES = {
    "two-chunks.nii": 18 * MIB + 4321,
    **{f"volume-{i}.nii": 3 * MIB + 1000 * i for i in range(5)},
    **{f"part-{i}.tsv": 100 * KIB + 77 * i for i in range(6)},
    **{f"sidecar-{i}.json": 300 + 40 * i for i in range(20)},
}


def fill(bucket: Bucket, source: Path) -> None:
    """Put the files into the bucket, and beside, for readers to compare with, into the directory `source`."""
    source.mkdir()
    for name, size in FILES.items():
        body = content(name, size)
        (source / name).write_bytes(body)
        bucket.put(name, body)


def disk_usage(blocks: Path) -> int:
    """Bytes on disk of the chunk files below a cache's block directory, half made ones too."""
    total = 0
    for folder, _, names in os.walk(blocks):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total


def chunk_files(blocks: Path) -> list[Path]:
    """The chunk files, in an order that does not depend on the disk."""
    return sorted(blocks / held.path for held in directory.scan(str(blocks)))


def flip_bit(path: Path, at: int, bit: int) -> None:
    """Flip one bit of the byte at offset `at`; nothing where the file is shorter."""
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)
        if old:
            file.seek(at)
            file.write(bytes([old[0] ^ 1 << bit]))


def flip_block(path: Path, index: int) -> int:
    """Flip a bit in block `index` of a complete chunk file, counted from its first. Returns the block's size."""
    identity = ChunkFile.open(str(path)).identity
    sizes = [block_size(i, identity.size) for i in range(*identity.span)]
    flip_bit(path, path.stat().st_size - sum(sizes) + index * BLOCK + sizes[index] // 2, index % 8)
    return sizes[index]


def damage(blocks: Path, dice: random.Random) -> str:
    """Damage some file of the cache in some way. Returns the way, "" where there was nothing to damage."""
    paths = chunk_files(blocks)
    if not paths:
        return ""
    path, other = dice.choice(paths), dice.choice(paths)
    way = dice.choices(["flip", "head", "cut", "unlink", "swap", "overwrite"], [12, 3, 3, 1, 1, 1])[0]
    try:
        size = path.stat().st_size
        if way in ("flip", "head"):
            for _ in range(8):
                flip_bit(path, dice.randrange(max(1, size if way == "flip" else min(size, 4096))), dice.randrange(8))
        elif way == "cut":
            os.truncate(path, dice.randrange(size + 1))
        elif way == "unlink":
            path.unlink()
        elif way == "swap":
            shutil.copy(other, path)  # a good file of somebody else's
        else:
            with path.open("r+b") as file:
                file.write(dice.randbytes(8192))
    except OSError:
        return ""  # evicted under our hands
    return way


def is_intact(blocks: Path) -> bool:
    """Whether every chunk file is valid and in its place, and every block in it passes its checksum."""
    found = contents.verify(str(blocks))
    return not (found.bad_blocks or found.bad_files)


def wait_until_filled(blocks: Path, size: int) -> None:
    """Wait until the cache takes `size` bytes on disk."""
    wait_until(lambda: disk_usage(blocks) >= size, f"{size} bytes in the cache", pause=0.005)
