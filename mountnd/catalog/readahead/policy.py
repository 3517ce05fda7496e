"""Whether a program walks the tree, and what to list for it: a policy without I/O.

A directory that is not known costs a request. Once a program has come to a few directories side by
side, it will come to their neighbours: then whole subtrees are listed without delimiter, a thousand
keys a request whatever directories they lie in. The policy starts with the subtree that is walked and
moves outward only as the walk leaves it, so that of a bucket of a thousand data sets the one that is
walked is listed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple, TypeVar

T = TypeVar("T")

# This many directories below one, come to within WINDOW_S seconds of the last, are a walk. Two are what
# a person looks at to compare; three cost a walker two round trips before it is noticed.
AFTER = 3
WINDOW_S = 10.0
# And a program that reads a directory and within this time the first one in it is on its way through all of it, as
# find, ls -R, os.walk and rsync go: too quick for a person, and who wants one in particular seldom wants the first.
DESCENT_S = 0.5
# Entries up to which that is believed, so that a bucket of a thousand data sets is not tried all over.
DESCENT_MAX = 400

# Pages granted to a walk at first: more than a usual BIDS data set needs (8,000 keys), and some 3 MB.
FIRST_PAGES = 8
# A subtree estimated up to this many pages is listed whole at once: one second of an idle connection's time.
WHOLE_PAGES = 16
# Most pages granted at once: 256,000 names. And most of a limit on memory: what is listed ahead must not
# push out what was listed ahead before. A page takes up to 150 kB where directories are small.
MOST_PAGES = 256
MOST_PART = 1 / 4
PAGE_BYTES = 150_000
# Pages for one that comes to few of the directories that were listed for it: a reader of single places, not a walker.
FEW_PAGES = 2
# A walk is followed further while at least this part of the listed directories was used.
USED_PART = 0.25

# Directories remembered, some 200 bytes each.
REMEMBERED = 20_000
ANCESTORS = 1_000


class Way(Enum):
    """How a directory that is not known is to be listed."""

    PAGE = "with delimiter"
    FLAT = "without delimiter, the rest of it with delimiter when it does not end on the first page"
    WALK = "as part of the subtree below `base`"
    SAMPLE = "the same, a page of each of a few ranges: all of a small subtree, and of a large one its measure"


class Plan(NamedTuple):
    """What to do. `base`: the subtree's prefix for `Way.WALK` and `Way.SAMPLE`."""

    way: Way
    base: str = ""


class Trail:
    """What was come to lately. Not thread-safe.

    Args:
        root: key prefix of the tree's top.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._came: OrderedDict[str, dict[str, float]] = OrderedDict()  # ancestor -> its children come through, when
        self._scanned: OrderedDict[str, float] = OrderedDict()
        self._fits: OrderedDict[str, bool] = OrderedDict()  # parent -> whether its last child tried fit one flat page
        self._whole: OrderedDict[str, int] = OrderedDict()  # subtrees listed completely -> their keys
        self._measured: OrderedDict[str, float] = OrderedDict()  # those too large for a sample -> keys a child

    def scanned(self, prefix: str, now: float) -> None:
        """A directory was opened for reading, whether it was known or not."""
        _remember(self._scanned, prefix, now, ANCESTORS)

    def outcome(self, prefix: str, keys: int, complete: bool) -> None:
        """A flat page of a subtree came: its keys, and whether these were all."""
        if prefix != self._root:
            _remember(self._fits, parent(prefix), complete, REMEMBERED)
        if complete:
            self.whole(prefix, keys)

    def whole(self, prefix: str, keys: int) -> None:
        """All directories of a subtree were put on the shelf."""
        _remember(self._whole, prefix, keys, REMEMBERED)

    def sampled(self, base: str, keys_a_child: float) -> None:
        """A sample of a subtree was not all of it: that is not tried again."""
        _remember(self._measured, base, keys_a_child, REMEMBERED)

    def is_whole(self, prefix: str) -> bool:
        """Whether a subtree was once listed completely."""
        return prefix in self._whole

    def fits(self, prefix: str) -> bool | None:
        """Whether the directories in `prefix` fit one flat page each, as far as one was tried."""
        return self._fits.get(prefix)

    def keys_a_child(self, base: str) -> float:
        """Keys in a directory below `base`: as sampled, else the mean of those listed, 100 before that is known."""
        if base in self._measured:
            return self._measured[base]
        sizes = [self._whole[child] for child in self._came.get(base, ()) if child in self._whole]
        return sum(sizes) / len(sizes) if sizes else 100.0

    def miss(
        self,
        prefix: str,
        now: float,
        listed: Callable[[str], bool],
        leads: Callable[[str], bool] = lambda _: False,
    ) -> Plan:
        """A directory is wanted that is not known.

        Args:
            listed: whether one is known and believed.
            leads: whether one is the first of those in its parent, which is known and small (`DESCENT_MAX`).
        """
        for base, child in ancestors(prefix, self._root):
            came = self._came.setdefault(base, {})
            self._came.move_to_end(base)
            came[child] = now
            for old in [name for name, when in came.items() if now - when > WINDOW_S]:
                del came[old]
            while len(came) > 4 * AFTER:
                del came[next(iter(came))]
        while len(self._came) > ANCESTORS:
            self._came.popitem(last=False)
        for base, _ in ancestors(prefix, self._root):
            if len(self._came.get(base, ())) >= AFTER and listed(base):
                return Plan(Way.WALK, base)
        if prefix == self._root:
            return Plan(Way.PAGE)
        around = parent(prefix)
        if self._descends(prefix, now) and around not in self._measured and leads(prefix):
            return Plan(Way.SAMPLE, around)
        fits = self._fits.get(around)
        if fits is None:
            fits = now - self._scanned.get(around, float("-inf")) <= WINDOW_S
        return Plan(Way.FLAT if fits else Way.PAGE)

    def _descends(self, prefix: str, now: float) -> bool:
        """Whether both a directory and the one around it were opened for reading just now."""
        return all(now - self._scanned.get(one, float("-inf")) <= DESCENT_S for one in (prefix, parent(prefix)))


def most_pages(limit_bytes: int) -> int:
    """Pages that may be listed ahead where so many bytes of listings are kept."""
    return max(1, min(MOST_PAGES, int(limit_bytes * MOST_PART / PAGE_BYTES)))


def first_grant(pages: float, most: int) -> int:
    """Pages to list at once of a subtree estimated at `pages`; at most `most`."""
    return min(WHOLE_PAGES + 2 if pages <= WHOLE_PAGES else FIRST_PAGES, most)


def next_grant(pages: int, listed: int, used: int, most: int) -> int:
    """Pages to list for a walk that came to the end of the last grant.

    Args:
        pages: listed for it so far.
        listed, used: directories these completed, and how many of them were asked for.
        most: pages granted at most.
    """
    if listed and used < listed * USED_PART:
        return min(FEW_PAGES, most)
    return min(max(FIRST_PAGES, 2 * pages), most)


def parent(prefix: str) -> str:
    """Key prefix of the directory around the one with this prefix."""
    return prefix[: prefix.rfind("/", 0, -1) + 1]


def ancestors(prefix: str, root: str) -> Iterator[tuple[str, str]]:
    """(ancestor, its child on the way to `prefix`), the nearest first, up to the root."""
    child = prefix
    while child != root:
        around = parent(child)
        if len(around) < len(root):
            return
        yield around, child
        child = around


def _remember(where: OrderedDict[str, T], key: str, value: T, most: int) -> None:
    where[key] = value
    where.move_to_end(key)
    if len(where) > most:
        where.popitem(last=False)
