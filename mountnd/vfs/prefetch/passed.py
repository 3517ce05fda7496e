"""The files that a walk has passed by, and when that becomes evidence that it does not open such files.

A program that opens one file after the other has decided. Threads open files side by side, a little out of order, and
each at its own pace: of a file that is called as those they open, it shows later whether it was left out.

Pure but for its memory.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable

from .evidence import Evidence
from .names import Path, ending

# Files that end alike and were passed by at one open: so many of them count.
COUNTED = 2
# Files passed by that are remembered: one that is opened after all was no sign.
REMEMBERED = 256
# How many opens a thread may be late, for each file that is open: so many at first, then twice what has been seen.
LATE, LATE_MAX = 2, 8


class Passed:
    """What one walk has passed by lately.

    Attributes:
        late: how many opens after later files a file may still be opened; 0 where files are opened one at a time.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._lately: OrderedDict[Path, bool] = OrderedDict()  # and whether each counts by its name only
        self._pending: OrderedDict[Path, int] = OrderedDict()  # of these, no evidence yet, and since which open
        self._opens = 0
        self.late = 0

    def __contains__(self, path: Path) -> bool:
        return path in self._lately

    def is_pending(self, path: Path) -> bool:
        """Whether it is to be expected that `path` is opened late."""
        return path in self._pending

    def add(self, paths: Iterable[Path], together: int) -> None:
        """One open came after these. A jump says little of each file that it passes by, however many these are."""
        counted: Counter[str] = Counter()
        for path in paths:
            kind = ending(path[-1])
            counted[kind] += 1
            self._lately[path] = counted[kind] > COUNTED
            if together and self._evidence.has_opened(path):
                self._pending[path] = self._opens
            else:
                self._evidence.note(path, False, by_name=self._lately[path])
            if len(self._lately) > REMEMBERED:
                oldest, _ = self._lately.popitem(last=False)
                self._pending.pop(oldest, None)

    def take(self, path: Path) -> int:
        """`path` is opened, and may have been passed by; returns how many opens late it is, 0 where nobody waited."""
        by_name, since = self._lately.pop(path, None), self._pending.pop(path, None)
        if since is not None:
            return self._opens - since
        if by_name is not None:
            self._evidence.take_back(path, by_name=by_name)
        return 0

    def opened(self, together: int, late: int) -> None:
        """The walk has another open, `late` opens late, while so many files are open side by side (0: one at a time).

        What was passed by long enough ago is evidence now.
        """
        self._opens += 1
        self.late = min(LATE_MAX * together, max(LATE * together, self.late, 2 * late))
        while self._pending:
            path, since = next(iter(self._pending.items()))
            if since + self.late > self._opens:
                break
            del self._pending[path]
            self._evidence.note(path, False, by_name=self._lately[path])

    def forget(self) -> None:
        """The walk went another way than was thought."""
        self._lately.clear()
        self._pending.clear()
