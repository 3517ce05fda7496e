"""How much of a file programs read: learnt from files that end alike. Pure but for its memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from .names import PACKED, Path, ending, extension

# The start of a file that holds the headers of every format these tools read.
HEAD_BYTES = 64 << 10
# Endings and extensions remembered; a walk uses a handful. Files of each that count.
ENDINGS, FILES = 256, 2
# More than this is fetched ahead only of files that are read whole: what a program skips on its way is not known.
PART_BYTES = 1 << 20


class _Reading(NamedTuple):
    """What was read of one file: whether nearly all of it; up to which byte; how many bytes."""

    whole: bool
    stop: int
    read: int


class Habits:
    """What programs read of the files of one source.

    Args:
        small: bytes up to which a file costs about the same whole as its first block, looked at each time.
    """

    def __init__(self, small: Callable[[], int]) -> None:
        self._small = small
        self._lately: OrderedDict[str, deque[_Reading]] = OrderedDict()

    def closed(self, path: Path, size: int, stop: int, read: int) -> None:
        """A program closed a file of `size` bytes, having read `read` bytes of those up to `stop`."""
        read = min(read, stop)  # some may have been read twice
        reading = _Reading(read >= size - (size >> 4), stop, read)
        for kind in (ending(path[-1]), extension(path[-1])):
            lately = self._lately.setdefault(kind, deque(maxlen=FILES))
            self._lately.move_to_end(kind)
            lately.append(reading)
        while len(self._lately) > ENDINGS:
            self._lately.popitem(last=False)

    def worth(self, path: Path, size: int) -> int:
        """How many bytes the first read of a file of `size` bytes should bring: what is read of such files.

        Of compressed ones of which nothing is known it is as much as costs little: they are read from the start on.
        """
        known = any(len(self._lately.get(kind, ())) == FILES for kind in (ending(path[-1]), extension(path[-1])))
        if known or not path[-1].endswith(tuple(PACKED)):
            return self.wanted(path, size)
        return min(size, self._small())

    def wanted(self, path: Path, size: int) -> int:
        """How many bytes, from the first on, are read of a file of `size` bytes.

        All of it where it is small or the last ones that ended so were read whole; else the start.
        """
        for kind in (ending(path[-1]), extension(path[-1])):
            lately = self._lately.get(kind, ())
            if len(lately) == FILES:
                break
        else:
            return size if size <= self._small() else min(size, HEAD_BYTES)
        if all(reading.whole for reading in lately):
            return size
        if size <= self._small() and any(reading.stop > HEAD_BYTES for reading in lately):
            return size
        return min(size, max(HEAD_BYTES, min(PART_BYTES, *(r.read for r in lately if not r.whole))))
