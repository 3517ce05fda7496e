"""A process that reads a mount in one way and compares everything with the world.

    python -m tests.soak.reader KIND MNT WORLD SEED SECONDS PAUSE

KIND is one of KINDS. Prints `ready`, reads until SECONDS have passed, with PAUSE seconds between operations, and prints
its `tally.Tally` as JSON. A mount that is gone (its daemon was killed) ends it, too.
"""

from __future__ import annotations

import mmap
import os
import random
import sys
import time
from collections.abc import Callable

from .checking import CheckedFile, Mount
from .tally import AFTER_A_KILL, Tally
from .world import World

KIB, MIB = 1 << 10, 1 << 20
STEPS = (64 * KIB, 128 * KIB, 1 * MIB)
SIZES = (1, 348, 4 * KIB, 64 * KIB, 70_000, 300_000)
HANDLES = 1000


class Reader:
    """`dice` decides what is read."""

    def __init__(self, mount: Mount, dice: random.Random) -> None:
        self.mount, self.dice, world = mount, dice, mount.world
        self.volumes, self.small = world.below("volumes"), world.below("small")
        self.replaced, self.walk = world.below("replaced"), world.below("walk")
        self.held: list[CheckedFile] = []
        self._memory = os.memfd_create("soak")

    def sequential(self) -> None:
        """A volume from its start, sometimes all of it."""
        key, step = self.dice.choice(self.volumes), self.dice.choice(STEPS)
        self._run(key, "sequential read", 0, step, self.dice.choice((4, 16, 1000)))

    def random(self) -> None:
        """Scattered reads of one volume, past the kernel's cache, so that the daemon has to answer."""
        key = self.dice.choice(self.volumes)
        if file := self.mount.open(key, "random read", os.O_DIRECT):
            for _ in range(12):
                file.read(self.dice.randrange(self.mount.world.size(key)), self.dice.choice(SIZES))
            file.close()

    def header(self) -> None:
        """The first bytes of a few volumes, as nibabel reads them."""
        for key in self.dice.sample(self.volumes, 3):
            self._run(key, "header read", 0, 348, 1)

    def whole(self) -> None:
        """Small files, from start to end."""
        for key in self.dice.sample(self.small, 5):
            self._run(key, "small file read", 0, 64 * KIB, 3)

    def changing(self) -> None:
        """An object that is replaced while it is read."""
        key = self.dice.choice(self.replaced)
        if file := self.mount.open(key, "replaced object read", self.dice.choice((0, os.O_DIRECT))):
            for _ in range(self.dice.choice((2, 8))):
                file.read(self.dice.randrange(900_000), self.dice.choice(SIZES))
                time.sleep(self.dice.choice((0, 0.2)))
            file.close()

    def mapped(self) -> None:
        """Pages of a mapped volume. write(2) touches them: a page that cannot be had is EFAULT there, not SIGBUS."""
        key = self.dice.choice(self.volumes)
        file = self.mount.open(key, "mapped page")
        if file is None:
            return
        size = self.mount.world.size(key)
        with mmap.mmap(file.fd, size, prot=mmap.PROT_READ) as pages, memoryview(pages) as view:
            for _ in range(16):
                start = self.dice.randrange(size)
                stop = min(size, start + self.dice.choice((1, 4096, 100_000)))
                part = view[start:stop]
                n = self.mount.attempt("mapped page", lambda part=part: os.pwrite(self._memory, part, 0))
                part.release()
                if n:
                    file.check(start, os.pread(self._memory, n, 0), stop - start)
                    self.mount.tally.bytes += n
        file.close()

    def walking(self) -> None:
        """All names below a directory, each with its size; and one that is not there."""
        top = self.dice.choice(["small", "volumes", *sorted({key.rpartition("/anat")[0] for key in self.walk})])
        expected = self.mount.world.below(top)
        found = self._names(top)
        if found is not None and sorted(found) != expected:
            odd = sorted(set(found) ^ set(expected))
            self.mount.tally.wrong("walk", f"{top}: {len(found)} names of {len(expected)}, as {odd[:3]}")
        for key in self.dice.sample(expected, min(5, len(expected))):
            where = os.path.join(self.mount.path, key)
            stat = self.mount.attempt("stat", lambda where=where: os.stat(where), absent=key)
            if stat is not None and stat.st_size != self.mount.world.size(key):
                self.mount.tally.wrong("stat", f"{key}: {stat.st_size} bytes")
        missing = os.path.join(self.mount.path, top, "missing")
        try:
            os.stat(missing)
        except FileNotFoundError:
            self.mount.tally.add("stat of a missing name", "ok", 0.0)
        except OSError:
            self.mount.attempt("stat of a missing name", lambda: os.stat(missing))
        else:
            self.mount.tally.wrong("stat of a missing name", missing)

    def holding(self) -> None:
        """HANDLES files that stay open, read at random; now and then one is closed and another opened."""
        world = self.mount.world
        while len(self.held) < HANDLES:
            key = self.dice.choice(self.volumes if self.dice.random() < 0.5 else self.small)
            if file := self.mount.open(key, "read of 1,000 open files", os.O_DIRECT):
                self.held.append(file)
            elif self.dice.random() < 0.05:
                return  # it will go on the next time
        for file in self.dice.sample(self.held, 10):
            file.read(self.dice.randrange(world.size(file.key)), self.dice.choice(SIZES[:4]))
        self.held.pop(self.dice.randrange(len(self.held))).close()

    def _run(self, key: str, kind: str, start: int, step: int, most: int) -> None:
        if file := self.mount.open(key, kind):
            size = self.mount.world.size(key)
            for offset in range(start, min(size + step, start + most * step), step):
                if not file.read(offset, step):
                    break
            if self.dice.random() < 0.3:
                os.posix_fadvise(file.fd, 0, 0, os.POSIX_FADV_DONTNEED)
            file.close()

    def _names(self, top: str) -> list[str] | None:
        """The keys below `top`; None where some of it could not be listed."""
        found: list[str] = []
        where = os.path.join(self.mount.path, top)
        entries = self.mount.attempt("walk", lambda: [(e.name, e.is_dir()) for e in os.scandir(where)], absent=top)
        if entries is None:
            return None
        for name, is_directory in entries:
            if not is_directory:
                found.append(f"{top}/{name}")
                continue
            below = self._names(f"{top}/{name}")
            if below is None:
                return None
            found += below
        return found


KINDS: dict[str, Callable[[Reader], None]] = {
    "sequential": Reader.sequential, "random": Reader.random, "mapped": Reader.mapped, "header": Reader.header,
    "whole": Reader.whole, "walking": Reader.walking, "changing": Reader.changing, "holding": Reader.holding,
}  # fmt: skip


def main(kind: str, mnt: str, world: str, seed: str, seconds: str, pause: str) -> None:
    tally = Tally()
    reader = Reader(Mount(mnt, World.from_json(world), tally), random.Random(int(seed)))
    end = time.monotonic() + float(seconds)
    print("ready", flush=True)
    while time.monotonic() < end:
        KINDS[kind](reader)
        if any(AFTER_A_KILL & outcomes.keys() for outcomes in tally.counts.values()):
            break
        time.sleep(float(pause))
    print(tally.to_json(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
