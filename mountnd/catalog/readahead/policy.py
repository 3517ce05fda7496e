"""Whether a program walks the tree, and what to list for it: a policy without I/O.

A directory that is not known costs a request. Once a program has visited a few directories side by
side, it will visit their neighbours: then whole subtrees are listed without delimiter, a thousand
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

# This many directories below one, visited within WINDOW_S seconds of the last, are a walk. Two are what
# a person looks at to compare; three cost a walker two round trips before it is noticed.
AFTER = 3
WINDOW_S = 10.0
# And a program that reads a directory and within this time the first one in it is on its way through all of it, as
# find, ls -R, os.walk and rsync go: too quick for a person, and who wants one in particular seldom wants the first.
DESCENT_S = 0.5
# Entries up to which that is believed, so that a bucket of a thousand data sets is not listed on a guess.
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
# Pages for one that visits few of the directories that were listed for it: a reader of single places, not a walker.
FEW_PAGES = 2
# A walk is followed further while at least this part of the listed directories was used.
USED_PART = 0.25

# Directories remembered, some 200 bytes each.
REMEMBERED = 20_000
ANCESTORS = 1_000


class ListingMode(Enum):
    """How a directory that is not known is to be listed."""

    DELIMITED = "by itself, with delimiter"
    FLAT = "by itself, without delimiter, the rest of it with delimiter when it does not end on the first page"
    SUBTREE = "as part of the subtree below `base`"
    SAMPLE = "the same, a page of each of a few ranges: all of a small subtree, and of a large one its measure"


class Plan(NamedTuple):
    """What to do. `base`: the subtree's prefix for `SUBTREE` and `SAMPLE`."""

    mode: ListingMode
    base: str = ""


class AccessHistory:
    """Which directories were wanted lately. Not thread-safe.

    Args:
        root: key prefix of the tree's top.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._visits: OrderedDict[str, dict[str, float]] = OrderedDict()  # ancestor -> children passed through, when
        self._read: OrderedDict[str, float] = OrderedDict()
        self._fits: OrderedDict[str, bool] = OrderedDict()  # parent -> whether its last child tried fit one flat page
        self._keys: OrderedDict[str, int] = OrderedDict()  # subtrees listed completely -> their keys
        self._sampled: OrderedDict[str, float] = OrderedDict()  # those too large for a sample -> keys a child

    def directory_read(self, prefix: str, now: float) -> None:
        """A directory was opened for reading, whether it was known or not."""
        _remember(self._read, prefix, now, ANCESTORS)

    def flat_page_listed(self, prefix: str, keys: int, complete: bool) -> None:
        """A flat page of a subtree came: its keys, and whether these were all."""
        if prefix != self._root:
            _remember(self._fits, parent(prefix), complete, REMEMBERED)
        if complete:
            self.subtree_listed(prefix, keys)

    def subtree_listed(self, prefix: str, keys: int) -> None:
        """All directories of a subtree went into the cache."""
        _remember(self._keys, prefix, keys, REMEMBERED)

    def subtree_sampled(self, base: str, keys_per_child: float) -> None:
        """A sample of a subtree was not all of it: that is not tried again."""
        _remember(self._sampled, base, keys_per_child, REMEMBERED)

    def was_subtree_listed(self, prefix: str) -> bool:
        """Whether a subtree was once listed completely."""
        return prefix in self._keys

    def keys_per_child(self, base: str) -> float:
        """Keys in a directory below `base`: as sampled, else the mean of those listed, 100 before that is known."""
        if base in self._sampled:
            return self._sampled[base]
        sizes = [self._keys[child] for child in self._visits.get(base, ()) if child in self._keys]
        return sum(sizes) / len(sizes) if sizes else 100.0

    def plan(
        self,
        prefix: str,
        now: float,
        listed: Callable[[str], bool],
        first_child: Callable[[str], bool] = lambda _: False,
    ) -> Plan:
        """A directory is wanted that is not known: how to list it.

        Args:
            listed: whether one is known and believed.
            first_child: whether one is the first of those in its parent, which is known and small (`DESCENT_MAX`).
        """
        for base, child in ancestors(prefix, self._root):
            visits = self._visits.setdefault(base, {})
            self._visits.move_to_end(base)
            visits[child] = now
            for old in [name for name, when in visits.items() if now - when > WINDOW_S]:
                del visits[old]
            while len(visits) > 4 * AFTER:
                del visits[next(iter(visits))]
        while len(self._visits) > ANCESTORS:
            self._visits.popitem(last=False)
        for base, _ in ancestors(prefix, self._root):
            if len(self._visits.get(base, ())) >= AFTER and listed(base):
                return Plan(ListingMode.SUBTREE, base)
        if prefix == self._root:
            return Plan(ListingMode.DELIMITED)
        around = parent(prefix)
        if self._descends(prefix, now) and around not in self._sampled and first_child(prefix):
            return Plan(ListingMode.SAMPLE, around)
        fits = self._fits.get(around)
        if fits is None:
            fits = now - self._read.get(around, float("-inf")) <= WINDOW_S
        return Plan(ListingMode.FLAT if fits else ListingMode.DELIMITED)

    def _descends(self, prefix: str, now: float) -> bool:
        """Whether both a directory and the one around it were opened for reading just now."""
        return all(now - self._read.get(one, float("-inf")) <= DESCENT_S for one in (prefix, parent(prefix)))


def most_pages(limit_bytes: int) -> int:
    """Pages that may be listed ahead where so many bytes of listings are kept."""
    return max(1, min(MOST_PAGES, int(limit_bytes * MOST_PART / PAGE_BYTES)))


def first_grant(pages: float, most: int) -> int:
    """Pages to list at once of a subtree estimated at `pages`; at most `most`."""
    return min(WHOLE_PAGES + 2 if pages <= WHOLE_PAGES else FIRST_PAGES, most)


def next_grant(pages: int, listed: int, used: int, most: int) -> int:
    """Pages to list for a walk that has used up the last grant.

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
