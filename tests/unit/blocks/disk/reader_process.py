"""A process that reads through a disk cache as hard as it can and compares every byte: `... ROOT SEED LIMIT N`.

Prints `ready` when it begins and `ok COUNT` when N reads are done; ends with 1 and a message at the first wrong byte.
"""

from __future__ import annotations

import random
import sys

from mountnd.stats import BYTES_FROM_DISK, DISK_DAMAGED

from ..harness import MIB, Endless, read
from .disk_harness import with_disk

SIZE = 48 * MIB + 777


def main(root: str, seed: int, limit: int, n: int) -> None:
    rng = random.Random(seed)
    store = Endless(SIZE)
    with with_disk(root, store=store, limit=limit, memory=2 * MIB) as harness:  # type: ignore[arg-type]
        print("ready", flush=True)
        stream = harness.blocks.open(store.id, store.size)
        at = 0
        for _ in range(n):
            if rng.random() < 0.3:
                at = rng.randrange(SIZE)
            size = min(rng.choice([4096, 70_000, 300_000]), SIZE - at)
            got = read(stream, at, size)
            if got != store.at(at, size):
                sys.exit(f"wrong bytes at {at}")
            at = (at + size) % SIZE
            if rng.random() < 0.02:
                stream.close()
        harness.quiet()
        print("ok", harness.count(BYTES_FROM_DISK), harness.count(DISK_DAMAGED), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
