"""One walk: a program that opens files in some order of the tree. What it opens next is predicted.

It is watched until as many opens as `need` says follow one of the orders in `orders.py`; from then on the files that
come next in it are predicted, those of the kinds that it opens (`evidence.py`), as far ahead as a budget of bytes
allows. The budget doubles with a prediction that was right and halves with one that was passed by.

Pure but for its memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice, takewhile

from .between import NEAR_DIRECTORIES, Way, orders_between, unknown_passed, way
from .evidence import Evidence
from .names import Path
from .orders import LISTING_ORDERS, ORDERS, File, Order, Sorting, Step, after
from .passed import Passed
from .policy import KnownFiles, Prediction

# Bytes ahead of a walk: about what a round trip of 30 ms holds on a fast line, tenfold. A file counts as so many at
# least, since a request costs a round trip: 64 small files (the prototype's 200 headers in 200 directories took 1.4 s
# with 64 ahead, against 7 s of the best peer). The first prediction is of so many files, of whatever size.
AHEAD_BYTES = 48 << 20
FILE_BYTES = AHEAD_BYTES // 64
FIRST_FILES = 8
FIRST_BYTES = FIRST_FILES * FILE_BYTES
# Of one file no more than this is fetched ahead: its reader's own window goes on from there.
WHOLE_BYTES = 4 * AHEAD_BYTES
# Predicted files that the walk has passed by so far will not be opened any more: several threads of one program open a
# little out of order.
PASSED_KEPT = 16
# Steps of one open, some 5 us each, and directories not known yet behind which it is not worth looking: more of them
# may be known soon.
STEPS, UNKNOWN_SEARCHED = 512, 16
# Directories in a row without a file that is wanted, some 20 us each.
DIRECTORIES = 64
# A search that took all of these and found nothing halves those of the next one, down to this share.
PATIENCE_MIN = 1 / 16
# How much of what spoke for an order is left at the next open that was not predicted.
FADING = 0.7
# In the order of their inode numbers, which are hashes, few files follow each other by chance in each directory.
CHANCE = 0.5
# Of files that threads open at about the same time, some follow each other by chance there and in orders that go back.
BY_CHANCE = 0.1
# What was predicted is given up for an order that explains so many times as much.
MUCH = 2.0
# How much can speak for the order that predictions follow.
PROVEN = 3.0
# Opens in a row of files that were passed by which say nothing of the order, where one is proven.
STEPS_BACK = 1


def cost(stop: int) -> int:
    """What a prediction of so many bytes counts: no more than is fetched ahead at all."""
    return min(max(stop, FILE_BYTES), AHEAD_BYTES)


class Walk:
    """A walk that began with the open of `path`.

    Args:
        lately: files that were opened lately, by whomever.
        taken: files that walks have predicted.

    Attributes:
        coming: what is predicted and not opened yet, nearest first: its number, what it counts in the budget.
        opens: how many opens it consists of; misses: opens elsewhere since the last one.
    """

    def __init__(self, known: KnownFiles, path: Path, lately: Container[Path], taken: Container[Path]) -> None:
        self._known, self._lately, self._taken = known, lately, taken
        self._orders = dict.fromkeys(ORDERS, 0.0)  # those that explain its opens, with how well they do
        self._order = ORDERS[0]
        self._front = path  # the farthest open
        self._crossed = False  # it has gone from one directory to another: until then the next one is a mere guess
        self._evidence = Evidence()
        self._evidence.note(path, True)
        self._passed = Passed(self._evidence)
        self._together = 0  # how many files were open at its last open; see `hit`
        self._steps_back = 0  # so many opens of files that it passed by are nothing but that
        self._ahead: Iterator[File | Step] | None = None  # from where predictions go on
        self._held: File | None = None  # which comes before these: there was no room for it
        self._budget = FIRST_BYTES
        self._patience = 1.0  # share of the steps that searches are worth
        self._enough = 0  # at the end of `_ahead`: look again once no more than these are still to come
        self._numbers = self._reached = 0  # of predictions; of the farthest one that was right
        self.coming: OrderedDict[Path, tuple[int, int]] = OrderedDict()
        self.opens, self.misses = 1, 0

    def hit(self, path: Path, together: int) -> list[Path]:
        """`path`, one of those coming, is opened. Returns what is given up for it.

        Args:
            together: how many files are open by now; 0 where a program opens one after the other.
        """
        self._steps_back = STEPS_BACK
        self._opened(together, self._reached - self.coming[path][0])
        dropped = self._move_past(list(takewhile(path.__ne__, self.coming)))
        if path[:-1] != self._front[:-1]:  # inside a directory most orders agree
            self._crossed = True
            self._orders[self._order] = min(PROVEN, self._orders[self._order] + 1)
        number, _ = self.coming.pop(path)
        if number > self._reached:
            self._front, self._reached = path, number
        self._evidence.note(path, True)
        if not dropped:
            self._budget = min(AHEAD_BYTES, 2 * self._budget)
            return []
        self._budget = max(FIRST_BYTES, self._budget // 2)
        return dropped + self._drop([p for p in self.coming if not self._evidence.wants(p)])

    def joins(self, path: Path, orders: Sequence[Order], together: int) -> list[Path] | None:
        """Whether `path`, which was not predicted, is opened by this walk: one of the orders leads there.

        Returns what is given up for it, None where it does not join. `together` as in `hit`.
        """
        self._together = together
        ways = self._ways(path, orders)
        if not ways:
            return None
        dropped: list[Path] = []
        if self._choose_order(ways):
            dropped = self._drop(list(self.coming))  # predicted in an order that it does not follow
            self._front, self._ahead = path, None
            self._passed.forget()
            self._evidence.forgive()
        if self._order not in ways:
            return None
        forward, between = ways[self._order]
        if forward or not self._evidence.wants(path):
            self._ahead, self._held = after(self._known, path, self._order), None
        self._crossed = self._crossed or path[:-1] != self._front[:-1]
        if forward:
            if self._order in LISTING_ORDERS and not together:
                for level, name in unknown_passed(self._known, self._front, path):
                    self._evidence.pass_directory(level, name, path)
            self._front = path
            predicted = [p for p in between if p in self.coming]
            self._reached = max([self._reached, *(self.coming[p][0] for p in predicted)])
            dropped += self._move_past(predicted)
            self._passed.add([p for p in between if p not in self.coming], together)
        self._take(path, together)
        return dropped

    def steps_back(self, path: Path, together: int) -> bool:
        """Whether `path`, which was not predicted, is one that it passed by lately: threads of one program come a
        little out of order. Costs much less than `joins`. `together` as in `hit`."""
        if not self._passed.is_pending(path):
            if path not in self._passed or not self._steps_back or not self.coming or self._orders[self._order] < 1:
                return False
            self._steps_back -= 1
        self._take(path, together)
        return True

    def _take(self, path: Path, together: int) -> None:
        """`path`, which was not predicted, is an open of this walk."""
        late = self._passed.take(path)
        self._evidence.note(path, True)
        self._opened(together, late)

    def _opened(self, together: int, late: int) -> None:
        """It has another open, which came so many opens late."""
        self.opens, self.misses, self._together = self.opens + 1, 0, together
        self._passed.opened(together, late)

    def orders_to(self, path: Path) -> tuple[Order, ...]:
        """The orders that may lead from the front to `path`, or back. Costs less than `joins`."""
        if orders := orders_between(self._known, self._front, path):
            return orders
        if path[:-1] in islice(self._known.listed_after(self._front[:-1]), NEAR_DIRECTORIES):
            return tuple(order for order in ORDERS if order.as_listed)
        return ()

    def _ways(self, path: Path, orders: Sequence[Order]) -> dict[Order, Way]:
        """Those of the orders that do lead from the front to `path`, or back from there, with what lies between."""
        if self.coming and self._order in orders:
            found = self._way(path, self._order)
            if found is not None and (found.forward or self._orders[self._order] >= 1):
                return {self._order: found}  # as it was going, or a step back from there
        if not self.is_beside(path):
            return {order: found for order in orders if (found := self._way(path, order)) is not None}
        alike = {(order.sorting, order.files_first): order for order in orders}  # inside a directory
        ways = {key: self._way(path, order) for key, order in alike.items()}
        return {order: found for order in orders if (found := ways[order.sorting, order.files_first]) is not None}

    def _way(self, path: Path, order: Order) -> Way | None:
        return way(self._known, self._front, path, order, self._lately)

    def _choose_order(self, ways: Mapping[Order, Way]) -> bool:
        """Whether it follows another order than was thought. That order explains an open best after which the fewest
        files were passed by. Threads of one program come a little out of order, so a step back speaks for none."""
        for order in self._orders:
            forward, between = ways.get(order, Way(False, []))
            self._orders[order] *= FADING
            if forward:
                self._orders[order] += (CHANCE if order.sorting is Sorting.NUMBER else 1) / (1 + len(between))

        def likely(order: Order) -> float:
            by_chance = self._together and (order.last_first or order.sorting is Sorting.NUMBER)
            return self._orders[order] * (BY_CHANCE if by_chance else 1)

        best = max(ways, key=likely)
        if likely(best) <= likely(self._order) * (MUCH if self.coming else 1):
            return False
        self._order = best
        return True

    def wants(self, path: Path) -> bool:
        """Whether it would open such a file."""
        return self._evidence.wants(path)

    def is_beside(self, path: Path) -> bool:
        """Whether it was last in the directory of `path`."""
        return self._front[:-1] == path[:-1]

    def predict(self, most: int) -> list[Prediction]:
        """What it opens next, as far as the budget and `most` bytes go, and enough was searched for now."""
        if self._ahead is None:
            if len(self.coming) > self._enough:
                return []
            self._ahead = after(self._known, next(reversed(self.coming), self._front), self._order)
        left = min(most, self._budget - sum(counted for n, counted in self.coming.values() if n > self._reached))
        out: list[Prediction] = []
        directories = unknown = 0
        for _ in range(int(STEPS * self._patience)):
            if left <= 0:
                return out
            if directories >= DIRECTORIES * self._patience:
                break
            found, self._held = self._held or next(self._ahead, None), None
            if isinstance(found, File):
                if not self._crossed and found.path[:-1] != self._front[:-1]:
                    self._held = found
                    return out
                if self._is_new(found):
                    stop = min(self._known.wanted(found.path, found.size), WHOLE_BYTES)
                    counted = cost(stop)
                    if not self._numbers:
                        grown = min(AHEAD_BYTES, FIRST_FILES * counted) - self._budget
                        self._budget += grown
                        left = min(most, left + grown)
                    if counted > left and self.coming:
                        self._held = found
                        return out
                    directories = 0
                    left -= counted
                    self._numbers += 1
                    self.coming[found.path] = self._numbers, counted
                    out.append(Prediction(found.path, stop))
                continue
            directories += 1
            unknown += found is Step.UNKNOWN
            if found is None or unknown > UNKNOWN_SEARCHED:
                # The end, or as far as is known yet: once half of these are opened, look again from there.
                self._ahead, self._enough = None, len(self.coming) // 2
                return out
        self._patience = 1.0 if out else max(PATIENCE_MIN, self._patience / 2)
        return out

    def _is_new(self, file: File) -> bool:
        return (
            file.size > 0
            and file.path not in self._taken
            and file.path not in self.coming
            and file.path not in self._lately
            and self._evidence.wants(file.path)
        )

    def _move_past(self, before: Sequence[Path]) -> list[Path]:
        """An open comes after those of `coming` in `before`, in order: what is given up of them."""
        return self._drop(before[: max(0, len(before) - max(PASSED_KEPT, self._passed.late))])

    def _drop(self, gone: Sequence[Path]) -> list[Path]:
        for path in gone:
            del self.coming[path]
        self._passed.add(gone, self._together)
        return list(gone)
