"""What a fuzz target is, and how an input is cut into parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from mountnd.errors import MountndError

Run = Callable[[bytes], object]


class Target(NamedTuple):
    """Something that is given foreign bytes.

    Args:
        name: of the target and of its folder of regressions.
        seeds: makes inputs to begin with: good ones, and some with the numbers and lengths that parsers trip over.
        open: what the runs of one process share (a directory, a server); yields the function to be given inputs.
            It may raise MountndError, and asserts what must hold else; everything else is a finding.
        words: fragments for the mutations.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    open: Callable[[], AbstractContextManager[Run]]
    words: Sequence[bytes] = ()


def pure(run: Run) -> Callable[[], AbstractContextManager[Run]]:
    """`Target.open` of a function that needs nothing else."""
    return lambda: nullcontext(run)


def give(run: Run, data: bytes) -> None:
    """Run a target on one input. Raises whatever is not one of the documented errors."""
    try:
        run(data)
    except MountndError as error:
        str(error)


# Numbers that parsers trip over: beyond 64 bits, beyond a float, beyond Python's limit of 4,300 digits; not ASCII.
NUMBERS = [
    b"0",
    b"-1",
    b"1",
    b"18446744073709551616",
    b"9" * 400,
    b"9" * 5000,
    "²".encode(),
    "٣".encode(),
    b"1e400",
    b"NaN",
]
# Dates that no file has, and what is none.
DATES = [
    b"Wed, 21 Oct 2015 07:28:00 GMT",
    b"2020-09-13T12:26:40.000Z",
    b"0001-01-01T00:00:00Z",
    b"9999-12-31T23:59:59-23:59",
    b"Mon, 01 Jan 0001 00:00:00 +9999",
    b"Fri, 31 Dec 9999 23:59:60 -9999",
]


def lines(data: bytes, most: int) -> list[bytes]:
    """The input cut at newlines into at most `most` parts; the last one holds the rest."""
    return data.split(b"\n", most - 1)


def text(data: bytes) -> str:
    """Bytes as a header's text: what http.client makes of them."""
    return data.decode("latin-1")
