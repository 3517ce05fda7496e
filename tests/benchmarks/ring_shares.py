"""How evenly a ring shares: the product's own hash over a million slices, for rings of several sizes.

    python -m tests.benchmarks ring --slices 1000000 --only 1000

A node's share follows a binomial distribution: of s slices over n nodes s/n, with a standard deviation of
sqrt(s/n (1 - 1/n)). The fullest of n nodes lies some sqrt(2 ln n) of these above.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from xxhash import xxh3_64_intdigest

from mountnd.stores.via import rendezvous

SIZES = (2, 4, 8, 16, 64)


def first_of(seeds: Sequence[int], what: bytes) -> int:
    """The node that has it: the first of `rendezvous.ranked`, without ranking the others."""
    weights = [xxh3_64_intdigest(what, each) for each in seeds]
    return weights.index(max(weights))


def counted(nodes: int, slices: int) -> Counter[int]:
    """How many of the slices of one object each node has."""
    seeds = [rendezvous.seed(f"http://node{number}:8090") for number in range(nodes)]
    for at in range(100):
        what = rendezvous.thing("bucket/key", at)
        assert first_of(seeds, what) == rendezvous.ranked(seeds, what)[0]
    return Counter(first_of(seeds, rendezvous.thing("bucket/key", at)) for at in range(slices))


def run(slices: int, sizes: Sequence[int] = SIZES) -> None:
    """Print a table."""
    print(f"| nodes | of {slices:,} slices each has | standard deviation | expected | fullest | emptiest |")
    print("|--:|--:|--:|--:|--:|--:|")
    for nodes in sizes:
        held = counted(nodes, slices)
        mean = slices / nodes
        deviation = math.sqrt(sum((held[n] - mean) ** 2 for n in range(nodes)) / nodes)
        expected = math.sqrt(mean * (1 - 1 / nodes))
        most, least = max(held.values()), min(held[n] for n in range(nodes))
        print(
            f"| {nodes:,} | {mean:,.0f} | {deviation / mean:.2%} | {expected / mean:.2%} | {most / mean - 1:+.2%} | "
            f"{least / mean - 1:+.2%} |",
            flush=True,
        )
