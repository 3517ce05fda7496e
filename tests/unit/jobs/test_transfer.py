"""Many files side by side: how many at once, what is tried again, what ends everything. The bytes room is played."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from mountnd.blocks.bulk import NoMemory, Piece
from mountnd.blocks.geometry import BLOCK, BlockRange, block_count
from mountnd.errors import Forbidden, StoreError, Unreachable
from mountnd.jobs.transfer import OUTAGE, TRIES, Amount, Missing, Outcome, OutOfReach, Transfer
from mountnd.stores.base import ObjectId

MIB = 1 << 20


class Played:
    """A `Bulk` whose answers a test gives. What it was asked for waits in `asked` until `answer` is called."""

    def __init__(self, gets: int = 4, most: int = 8 * MIB, piece: int = 2 * MIB) -> None:
        self.gets, self.bytes_at_once, self.piece = gets, most, piece
        self.asked: deque[tuple[Sequence[Piece], Callable[..., object]]] = deque()
        self.calls: list[Sequence[Piece]] = []
        self.most_gets = self.most_bytes = 0
        self.judge: Callable[[Piece], BaseException | None] = lambda piece: None

    def gets_at_once(self, *, long: bool = False) -> int:
        return self.gets

    def cut(self, gap: BlockRange, left: int) -> tuple[BlockRange, BlockRange]:
        stop = min(gap.stop, gap.first + self.piece // BLOCK)
        return BlockRange(gap.first, stop), BlockRange(stop, gap.stop)

    def fetch(self, pieces: Sequence[Piece], done: Callable[..., object]) -> None:
        self.calls.append(pieces)
        self.asked.append((pieces, done))
        self.most_gets = max(self.most_gets, len(self.asked))
        self.most_bytes = max(
            self.most_bytes, sum((p.span.stop - p.span.first) * BLOCK for w, _ in self.asked for p in w)
        )
        if len(self.asked) >= self.gets:
            self.answer()

    def answer(self) -> None:
        pieces, done = self.asked.popleft()
        done([self.judge(piece) for piece in pieces])


def missing(key: str, size: int) -> Missing:
    return Missing(key, ObjectId("s", key, '"1"', size=size), size, (BlockRange(0, block_count(size)),))


class Ran:
    """What a transfer told."""

    def __init__(self, bulk: Any, files: Sequence[Missing], *, stop_after: int = 1 << 30) -> None:
        self.outcomes: list[Outcome] = []
        self.came = 0
        self.error: BaseException | None = None

        def cancelled() -> bool:
            while bulk.asked:
                bulk.answer()
            return len(self.outcomes) >= stop_after

        def count(n: int) -> None:
            self.came += n

        def given() -> Iterator[Missing]:
            yield from files

        transfer = Transfer(bulk, cancelled, self.outcomes.append, count)
        try:
            transfer.run(given(), Amount(len(files), sum(file.size for file in files)))
        except (OSError, StoreError) as e:
            self.error = e

    @property
    def failed(self) -> dict[str, str]:
        return {outcome.file.path: str(outcome.error) for outcome in self.outcomes if outcome.error is not None}


def test_every_byte_is_asked_for_once_and_every_file_told() -> None:
    bulk = Played()
    files = [missing(f"f{i}", size) for i, size in enumerate([1, BLOCK, BLOCK + 1, 5 * MIB, 17 * MIB + 3, 300, 7])]
    ran = Ran(bulk, files)
    assert sorted(outcome.file.path for outcome in ran.outcomes) == sorted(file.path for file in files)
    assert ran.failed == {} and ran.error is None
    blocks = [(p.id, i) for pieces in bulk.calls for p in pieces for i in range(*p.span)]
    assert len(blocks) == len(set(blocks)) == sum(block_count(file.size) for file in files)
    assert ran.came == sum(file.size for file in files)


def test_no_more_are_under_way_than_may_be() -> None:
    bulk = Played(gets=3, most=4 * MIB)
    Ran(bulk, [missing("large", 40 * MIB)])
    assert bulk.most_gets <= 3 and bulk.most_bytes <= 4 * MIB
    lone = Played(gets=1, most=1)  # one there always is
    assert len(Ran(lone, [missing("large", 6 * MIB)]).outcomes) == 1


def test_small_files_go_together_but_the_last_ones() -> None:
    bulk = Played(gets=2)
    Ran(bulk, [missing(f"f{i}", 100) for i in range(400)])
    together = [len(pieces) for pieces in bulk.calls]
    assert max(together) == 16 and together[-1] == 1 and sum(together) == 400


def test_what_may_pass_is_tried_again_and_the_rest_is_not() -> None:
    bulk, tries = Played(), dict[str, int]()

    def judge(piece: Piece) -> BaseException | None:
        n = tries[piece.id.key] = tries.get(piece.id.key, 0) + 1
        if piece.id.key == "forbidden":
            return Forbidden("access denied")
        if piece.id.key == "never":
            return Unreachable("no route")
        return Unreachable("no route") if piece.id.key == "once" and n == 1 else None

    bulk.judge = judge
    ran = Ran(bulk, [missing(key, MIB) for key in ("a", "forbidden", "once", "never", "b")])
    assert ran.failed == {"forbidden": "access denied", "never": "no route"}
    assert tries == {"a": 1, "forbidden": 1, "once": 2, "never": TRIES, "b": 1}


def test_a_file_that_failed_is_told_once_and_not_asked_for_any_more() -> None:
    bulk = Played(gets=2)
    bulk.judge = lambda piece: Forbidden("no") if piece.id.key == "x" else None
    ran = Ran(bulk, [missing("x", 64 * MIB), missing("y", MIB)])
    assert [outcome.file.path for outcome in ran.outcomes].count("x") == 1
    assert len(bulk.calls) < 10


def test_a_source_that_gives_nothing_any_more_ends_it() -> None:
    bulk = Played()
    bulk.judge = lambda piece: Unreachable("the network is gone")
    ran = Ran(bulk, [missing(f"f{i}", MIB) for i in range(10_000)])
    assert isinstance(ran.error, OutOfReach) and "the network is gone" in str(ran.error)
    assert len(bulk.calls) < 2 * OUTAGE


def test_a_disk_that_takes_nothing_ends_it() -> None:
    bulk = Played()
    bulk.judge = lambda piece: OSError(errno.ENOSPC, "full")
    ran = Ran(bulk, [missing(f"f{i}", MIB) for i in range(100)])
    assert isinstance(ran.error, OSError) and ran.error.errno == errno.ENOSPC
    assert len(bulk.calls) < 20


def test_where_readers_use_all_of_the_memory_it_waits() -> None:
    bulk, left = Played(), [5]

    def judge(piece: Piece) -> BaseException | None:
        left[0] -= 1
        return NoMemory("busy") if left[0] >= 0 else None

    bulk.judge = judge
    ran = Ran(bulk, [missing(f"f{i}", MIB) for i in range(6)])
    assert len(ran.outcomes) == 6 and ran.failed == {}


def test_after_it_was_cancelled_nothing_more_is_asked_for() -> None:
    bulk = Played(gets=2)
    ran = Ran(bulk, [missing(f"f{i}", MIB) for i in range(100)], stop_after=3)
    assert 3 <= len(ran.outcomes) < 10


@pytest.mark.parametrize("count", [0, 1])
def test_little_or_nothing(count: int) -> None:
    assert len(Ran(Played(), [missing("x", 1)] * count).outcomes) == count


def test_what_is_silent_does_not_hold_up_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mountnd.jobs.transfer.LATE_S", 0.05)
    bulk = Played(gets=4, most=4 * MIB)
    silent: list[Callable[..., object]] = []

    def fetch(pieces: Sequence[Piece], done: Callable[..., object]) -> None:
        if pieces[0].id.key == "silent":
            silent.append(done)
        else:
            done([None] * len(pieces))
            if len(silent) and all(o.file.path != "silent" for o in ran_outcomes) and len(ran_outcomes) >= 20:
                while silent:
                    silent.pop()([None])

    ran_outcomes: list[Outcome] = []
    bulk.fetch = fetch  # type: ignore[method-assign]
    files = [missing("silent", 4 * MIB), *(missing(f"f{i}", MIB) for i in range(30))]
    Transfer(bulk, lambda: False, ran_outcomes.append, lambda n: None).run(iter(files), Amount(31, 34 * MIB))  # type: ignore[arg-type]
    assert len(ran_outcomes) == 31
    assert [outcome.file.path for outcome in ran_outcomes].index("silent") >= 20
