"""What the cache torture test is made of: files and their source, storms of readers, and ways to damage a cache."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mountnd.blocks.disk import directory as cachedir
from mountnd.blocks.disk.chunk_file import ChunkFile
from mountnd.blocks.geometry import BLOCK, block_size
from tests.mounted import Mounted
from tests.tree import KIB, MIB, Bucket, content

from .lives import ROOT, command

# One of two chunk files, some of one, and many small ones: 36 MiB, of which a cache holds a part.
FILES = {
    "two-chunks.nii": 18 * MIB + 4321,
    **{f"volume-{i}.nii": 3 * MIB + 1000 * i for i in range(5)},
    **{f"part-{i}.tsv": 100 * KIB + 77 * i for i in range(6)},
    **{f"sidecar-{i}.json": 300 + 40 * i for i in range(20)},
}
# A storm that nobody ends (the test failed, and its end failed too) ends by itself.
AT_MOST_S = 60.0
END_S = 30.0


def fill(bucket: Bucket, source: Path) -> None:
    """Put the files into the bucket, and beside, for readers to compare with, into the directory `source`."""
    source.mkdir()
    for name, size in FILES.items():
        body = content(name, size)
        (source / name).write_bytes(body)
        bucket.put(name, body)


class Storm:
    """A process that reads and compares (`storming.py`)."""

    def __init__(self, mnt: Path, source: Path, seed: int) -> None:
        argv = [sys.executable, "-m", "tests.functional.storming", str(mnt), str(source), str(seed), str(AT_MOST_S)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(argv, cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload]

    def wait_until_it_reads(self) -> None:
        assert self.process.stdout.readline() == "ready\n", self.process.communicate(timeout=END_S)

    def end(self) -> dict[str, Any]:
        """Let it come to its end: what it did. Fails when it met a wrong byte or an error."""
        out, err = self.process.communicate(timeout=END_S)
        assert self.process.returncode == 0, f"{out}{err}"
        said: dict[str, Any] = json.loads(out)
        return said

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError, ValueError):
                pipe.close()


@contextlib.contextmanager
def storms(source: Path, *mounts: tuple[Path, Sequence[int]]) -> Iterator[list[Storm]]:
    """For each mountpoint a storm for each of its seeds, all of them reading; ended, or killed, afterwards."""
    made: list[Storm] = []
    try:
        for mnt, seeds in mounts:
            made += [Storm(mnt, source, seed) for seed in seeds]
        for storm in made:
            storm.wait_until_it_reads()
        yield made
    finally:
        for storm in made:
            storm.kill()


def counters(mount: Mounted) -> dict[str, int]:
    """What `mountnd stats --json` says of the whole mount."""
    done = command("stats", mount.path, "--json")
    assert done.returncode == 0, done.stderr
    total: dict[str, int] = json.loads(done.stdout)["total"]
    return total


def read_all(mnt: Path, source: Path) -> None:
    """Read every file once, past the kernel's cache, in a process of its own. Fails at a wrong byte."""
    code = (
        "import os, random, sys; from pathlib import Path; from tests.functional.storming import Storm\n"
        "s = Storm(Path(sys.argv[1]), Path(sys.argv[2]), random.Random(0))\n"
        "for name in s.bodies: s.whole(name, os.O_DIRECT)"
    )
    argv = [sys.executable, "-c", code, str(mnt), str(source)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=AT_MOST_S, check=False)
    assert done.returncode == 0, done.stderr


def taken(blocks: Path) -> int:
    """Bytes on disk of the chunk files below a cache's block directory, half made ones too."""
    total = 0
    for folder, _, names in os.walk(blocks):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total


def chunks(blocks: Path) -> list[Path]:
    """The chunk files, in an order that does not depend on the disk."""
    return sorted(blocks / held.path for held in cachedir.scan(str(blocks)))


def flip(path: Path, at: int, bit: int) -> None:
    """Flip one bit in place."""
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)
        if old:
            file.seek(at)
            file.write(bytes([old[0] ^ 1 << bit]))


def flip_block(path: Path, index: int) -> int:
    """Flip a bit in block `index` of a whole chunk file, counted in the file: the block's size."""
    identity = ChunkFile.open(str(path)).identity
    sizes = [block_size(i, identity.size) for i in range(*identity.span)]
    flip(path, path.stat().st_size - sum(sizes) + index * BLOCK + sizes[index] // 2, index % 8)
    return sizes[index]


def harm(blocks: Path, dice: random.Random) -> str:
    """Damage some file of the cache in some way: which way, "" where there was nothing to damage."""
    paths = chunks(blocks)
    if not paths:
        return ""
    path, other = dice.choice(paths), dice.choice(paths)
    way = dice.choices(["flip", "head", "cut", "unlink", "swap", "rubbish"], [12, 3, 3, 1, 1, 1])[0]
    try:
        size = path.stat().st_size
        if way in ("flip", "head"):
            for _ in range(8):
                flip(path, dice.randrange(max(1, size if way == "flip" else min(size, 4096))), dice.randrange(8))
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


def whole(blocks: Path) -> bool:
    """Whether every chunk file is one, in its place, and every block in it passes its checksum."""
    found = cachedir.verify(str(blocks))
    return not (found.bad_blocks or found.bad_files)


def until_some(blocks: Path, bytes_: int, seconds: float) -> None:
    """Wait until the cache holds so much."""
    end = time.monotonic() + seconds
    while taken(blocks) < bytes_:
        assert time.monotonic() < end, f"the cache did not come to {bytes_} bytes"
        time.sleep(0.005)
