"""Which node of a ring has what: rendezvous hashing ("highest random weight"). Pure.

Each node has a weight for each thing, made of both names; the heaviest has it, the next heaviest is next when that one
is gone. Who knows the same names comes to the same answer, in whatever order they are listed; a node that leaves gives
its own things to the others, evenly, and one of N that joins takes 1/N of each one's.

Source: D. G. Thaler, C. V. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on
Networking 6 (1), 1998. Weights are XXH3 (64 bits) of the thing's hash, seeded by the node's.
"""

from __future__ import annotations

from collections.abc import Sequence

from xxhash import xxh3_64_digest, xxh3_64_intdigest


def seed(node: str) -> int:
    """A node's part of its weights, from its name."""
    return xxh3_64_intdigest(node.encode())


def thing(key: str, slice_: int) -> bytes:
    """A slice's part of the weights: 8 bytes, from the key (surrogates for bytes that are not UTF-8) and its number."""
    return xxh3_64_digest(b"%d\0" % slice_ + key.encode("utf-8", "surrogateescape"))


def ranked(seeds: Sequence[int], what: bytes) -> list[int]:
    """The indexes of all nodes, the one that has `what` first, then whoever has it when that one is gone, and so on."""
    weights = [xxh3_64_intdigest(what, each) for each in seeds]
    return sorted(range(len(seeds)), key=lambda i: (weights[i], seeds[i]), reverse=True)
