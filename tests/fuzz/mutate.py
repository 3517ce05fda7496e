"""Mutations of inputs without coverage, the same for the same seed: what the smoke test has instead of libFuzzer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

# The longest input: large enough for what grows with the square of its length to be seen.
LONGEST = 1 << 16

_SPECIAL = [
    b"\0",
    b"\n",
    b"\xff",
    b"\x1b[2J",
    b"\xed\xb3\xbf",
    b"9" * 20,
    b'"',
    b"{",
    b"[" * 200,
    b"%",
    b"&",
    b"<",
    b"=",
    b"/",
]


def mutated(seeds: Sequence[bytes], words: Sequence[bytes], count: int, random: Random) -> Iterator[bytes]:
    """`count` inputs, each a seed that was changed in a few places."""
    pieces = [*_SPECIAL, *words]
    for _ in range(count):
        data = bytearray(random.choice(seeds))
        for _ in range(random.randint(1, 4)):
            at = random.randint(0, len(data))
            match random.randrange(6):
                case 0:
                    data[at:at] = random.choice(pieces)
                case 1:
                    del data[at : at + random.randint(1, 16)]
                case 2 if data:
                    data[at % len(data)] ^= 1 << random.randrange(8)
                case 3:
                    data[at : at + random.choice((1, 2, 4, 8))] = random.randbytes(random.choice((1, 2, 4, 8)))
                case 4:
                    other = random.choice(seeds)
                    data[at:] = other[random.randint(0, len(other)) :]
                case _:
                    start = random.randint(0, at)
                    data[at:at] = data[start : start + 64] * random.choice((1, 2, 50))
        yield bytes(data[:LONGEST])
