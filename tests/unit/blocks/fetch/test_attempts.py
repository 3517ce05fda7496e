"""Short GETs are begun by the store, without a worker that waits for them, where it can; else a worker makes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mountnd.blocks.disk.cache import DiskCache
from mountnd.blocks.fetch import attempts
from mountnd.blocks.fetch.attempts import THROTTLED_S
from mountnd.blocks.fetch.flight import Flight
from mountnd.blocks.fetch.launching import SHORT
from mountnd.blocks.geometry import BLOCK, BlockRange, Extent
from mountnd.stats import GETS, GETS_DEMAND, GETS_FAILED, PREFETCHED, Stats
from mountnd.stores.base import NEAR_S, Deadline, ObjectId, ObjectStat, ShortRead
from mountnd.stores.memory import MemoryStore
from mountnd.waits import GRACE_S
from tests.support.waiting import Clock, wait_until
from tests.unit.blocks.harness import MIB, BlocksHarness, body, read, until

Done = Callable[[bool], object]


class Beginning(MemoryStore):
    """Begins reads.

    Attributes:
        mode: "good": at once; "bad": they come to nothing, with an answer of this `status`; "never": it begins none;
            "held": the test ends them, which `begun` has.
        left: seconds that each `read` was given.
        connections: how many are idle; gets: how many GETs each that was begun is told to have been.
        shared: of each that was begun, from which byte on, how many, and among how many reads connections are shared.
        gate: what begins waits for it.
    """

    begins_reads = True

    def __init__(self, mode: str = "good") -> None:
        super().__init__()
        self.mode, self.status = mode, 404
        self.left: list[float] = []
        self.connections, self.gets = 0, 1
        self.shared: list[tuple[int, int, int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[tuple[Callable[[], None], Done, Deadline]] = []

    def connections_for(self, id: ObjectId, length: int, sharing: int) -> int:
        return self.connections // sharing

    def begin_read(self, read: ShortRead) -> bool:
        self.gate.wait(20)
        self.shared.append((read.start, sum(map(len, read.views)), read.sharing))
        if self.mode == "never":
            return False

        def fill() -> None:
            self.read(read.id, read.start, read.views, deadline=read.deadline)

        if self.mode == "held":
            self.begun.append((fill, read.done, read.deadline))
            return True
        if self.mode == "good":
            fill()
        else:
            read.deadline.told.status = self.status
        read.deadline.told.gets = self.gets
        threading.Thread(target=read.done, args=(self.mode == "good",)).start()
        return True

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        self.left.append(deadline.left())
        super().read(id, start, views, deadline=deadline)


def threads_of(room: BlocksHarness) -> int:
    return room.workers._made


def test_no_worker_waits_for_a_short_one() -> None:
    data = body(300_000)
    with BlocksHarness(store=Beginning()) as room:
        stream = room.open("a", data)
        assert read(stream, 200_000, 1000) == data[200_000:201_000]
        room.blocks.prefetch(room.store.put("a", data).id, len(data), 0, 2 * BLOCK)
        room.quiet()
        assert threads_of(room) == 0
        assert (room.count(GETS), room.count(GETS_DEMAND), room.count(PREFETCHED)) == (2, 1, 2 * BLOCK)
        assert read(stream, 0, 100) == data[:100]
        assert room.count(GETS) == 2
        assert room.fetcher.links[room.store.source].is_measured


@pytest.mark.parametrize("mode", ["bad", "never"])
def test_where_that_comes_to_nothing_a_worker_makes_it(mode: str) -> None:
    data = body(300_000)
    with BlocksHarness(store=Beginning(mode)) as room:
        stream = room.open("a", data)
        assert read(stream, 200_000, 1000) == data[200_000:201_000]
        assert threads_of(room) == 1
        assert room.count(GETS) == (2 if mode == "bad" else 1)
        assert room.count(GETS_FAILED) == 0
        assert room.used == BLOCK


def test_a_long_one_is_not_begun() -> None:
    data = body(2 * MIB)
    with BlocksHarness(store=Beginning()) as room:
        stat = room.put("a", data)
        room.blocks.prefetch(stat.id, stat.size, 0, SHORT + BLOCK)
        room.quiet()
        assert threads_of(room) == 1


def test_who_comes_to_wait_for_one_that_is_under_way_gets_its_bytes() -> None:
    data = body(300_000)
    with BlocksHarness(store=Beginning("held")) as room:
        stream, got = room.open("a", data), []
        room.blocks.prefetch(stream.id, len(data), 0, BLOCK)
        until(lambda: len(room.store.begun) == 1)
        reader = threading.Thread(target=lambda: got.append(read(stream, 5, 100)))
        reader.start()
        until(lambda: any(flight.waiters for flight in list(room.fetcher._flights.values())))
        fill, done, _ = room.store.begun[0]
        fill()
        done(True)
        reader.join(20)
        assert got == [data[5:105]]
        assert threads_of(room) == 0


def test_one_that_nobody_wants_any_more_is_cancelled() -> None:
    data = body(300_000)
    with BlocksHarness(store=Beginning("held")) as room:
        stream = room.open("a", data)
        room.blocks.prefetch(stream.id, len(data), 0, BLOCK)
        until(lambda: len(room.store.begun) == 1)
        room.blocks.cancel(room.blocks)
        _, done, deadline = room.store.begun[0]
        wait_until(lambda: deadline.cancelled, "it is cancelled", GRACE_S + 20)
        done(False)
        room.quiet()
        assert threads_of(room) == 0 and room.used == 0


def test_those_under_way_count_as_calls_of_the_workers() -> None:
    data = body(10 * BLOCK)
    with BlocksHarness(store=Beginning("held"), threads=3, reserved=1) as room:
        stat = room.put("a", data)
        for i in range(4):
            room.blocks.prefetch(stat.id, stat.size, 2 * i * BLOCK, (2 * i + 1) * BLOCK)
        until(lambda: len(room.store.begun) == 2 and len(room.workers._prefetch) == 2)
        room.store.mode = "good"
        for fill, done, _ in room.store.begun[:]:
            fill()
            done(True)
        room.quiet()
        assert room.count(PREFETCHED) == 4 * BLOCK


def test_what_the_disk_holds_is_taken_from_there(tmp_path: Path) -> None:
    data, stats = body(300_000), Stats()
    disk = DiskCache(tmp_path / "cache", MIB, stats)
    with BlocksHarness(store=Beginning(), disk=disk, stats=stats) as room:
        stat = room.put("a", data)
        assert read(room.blocks.open(stat.id, stat.size), 0, 100) == data[:100]
        assert threads_of(room) == 0
        assert disk.flush(20)
        assert not disk.lacks(stat.id, stat.size, BlockRange(0, 1))
        assert disk.lacks(stat.id, stat.size, BlockRange(2, 3))
        with room.fetcher.lock:
            room.fetcher.memory.lru.clear()
        assert read(room.blocks.open(stat.id, stat.size), 0, 100) == data[:100]
        assert read(room.blocks.open(stat.id, stat.size), 2 * BLOCK, 100) == data[2 * BLOCK :][:100]
        assert room.count(GETS) == 2


def test_nothing_is_begun_once_the_mount_closes() -> None:
    data = body(300_000)
    with BlocksHarness(store=Beginning("bad")) as room:
        stream = room.open("a", data)
        room.workers.close()
        room.blocks.prefetch(stream.id, len(data), 0, BLOCK)
        room.quiet()
        assert room.used == 0


def test_near_a_server_a_read_of_more_than_a_block_is_left_to_a_worker() -> None:
    data = body(10 * BLOCK)
    with BlocksHarness(store=Beginning()) as room:
        room.fetcher.links[room.store.source].at_most(NEAR_S / 2)
        assert read(room.open("a", data), 4 * BLOCK, 2 * BLOCK) == data[4 * BLOCK : 6 * BLOCK]
        assert threads_of(room) == 1


def test_short_pieces_of_a_window_with_long_ones_are_left_to_workers() -> None:
    """They come before these, and so should their connections."""
    data = body(2 * MIB)
    with BlocksHarness(store=Beginning("held")) as room:
        stat = room.put("a", data)
        room.fetcher.prefetch(stat.id, stat.size, [Extent(0, BLOCK), Extent(BLOCK, MIB)], room)
        room.quiet()
        assert room.store.begun == [] and threads_of(room) >= 1
        assert room.count(PREFETCHED) == MIB


def test_while_connections_are_new_and_far_short_prefetches_come_block_by_block() -> None:
    data = body(2 * MIB)
    with BlocksHarness() as room:
        stat = room.put("a", data)
        room.fetcher.read_ahead(stat.id, stat.size, [Extent(0, 2 * BLOCK), Extent(2 * BLOCK, 5 * BLOCK)], room)
        room.quiet()
        assert room.gets == [(0, BLOCK), (BLOCK, 2 * BLOCK), (2 * BLOCK, 5 * BLOCK)]
        assert not room.fetcher.links[room.store.source].starts_slowly, "the store in memory is near"
        room.fetcher.read_ahead(stat.id, stat.size, [Extent(8 * BLOCK, 10 * BLOCK)], room)
        room.quiet()
        assert room.gets[-1] == (8 * BLOCK, 10 * BLOCK)


@pytest.mark.parametrize(("spent", "least", "most"), [(0.0, 19.0, 20.0), (12.0, 7.0, 8.0), (19.5, 4.0, 5.0)])
def test_a_worker_that_goes_on_has_the_time_that_its_reader_has_left(spent: float, least: float, most: float) -> None:
    """Else the reader's own time-out would come first, and hide what the server says; a quarter it has in any case."""
    data, clock = body(2 * BLOCK), Clock()
    with BlocksHarness(store=Beginning("held"), timeout=20.0, clock=clock) as room:
        stat = room.put("a", data)
        room.blocks.prefetch(stat.id, stat.size, 0, BLOCK)
        until(lambda: len(room.store.begun) == 1)
        clock.now += spent
        room.store.begun[0][1](False)
        room.quiet()
        assert least <= room.store.left[0] <= most


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_asked_too_much_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    later: list[tuple[float, Callable[[], object]]] = []
    monkeypatch.setattr(attempts, "later", lambda seconds, call: later.append((seconds, call)))
    data = body(2 * BLOCK)
    with BlocksHarness(store=Beginning("bad")) as room:
        room.store.status = status
        stat = room.put("a", data)
        room.blocks.prefetch(stat.id, stat.size, 0, BLOCK)
        until(lambda: len(later) == 1)
        assert 0 <= later[0][0] <= THROTTLED_S
        assert room.store.left == [] and room.fetcher.is_busy
        later[0][1]()
        room.quiet()
        assert len(room.store.left) == 1 and room.count(PREFETCHED) == BLOCK


def test_what_somebody_waits_for_may_be_shared_out_and_what_is_fetched_ahead_not() -> None:
    data = body(MIB)
    with BlocksHarness(store=Beginning()) as room:
        stream = room.open("a", data)
        assert read(stream, 700_000, 1000) == data[700_000:701_000]
        room.blocks.prefetch(stream.id, len(data), 0, BLOCK)
        room.quiet()
        assert room.store.shared == [(10 * BLOCK, BLOCK, 1), (0, BLOCK, 0)]


def demand(room: BlocksHarness, stat: ObjectStat, blocks: int, *, cut: bool = True) -> int:
    """Read so many blocks from the first one on; how many flights brought them."""
    with room.fetcher.lock:
        wanted = Extent(0, min(blocks * BLOCK, stat.size))
        parts = room.fetcher.demand(stat.id, stat.size, BlockRange(0, blocks), wanted, cut=cut)
    flights = {part for part in parts if isinstance(part, Flight)}
    for flight in flights:
        flight.future.result(20)
    with room.fetcher.lock:
        room.fetcher.stop_waiting(flights)
    return len(flights)


def test_near_a_server_nothing_is_shared_out() -> None:
    data = body(MIB)
    with BlocksHarness(store=Beginning()) as room:
        room.store.connections = 8
        room.fetcher.links[room.store.source].at_most(NEAR_S / 2)
        stream = room.open("a", data)
        assert demand(room, room.put("a", data), 8) == 4
        assert room.store.shared == [], "and long ones are not begun"
        assert read(stream, 700_000, 1000) == data[700_000:701_000]
        assert room.store.shared == [(10 * BLOCK, BLOCK, 0)]


@pytest.mark.parametrize(
    ("blocks", "connections", "expected"),
    [
        (8, 8, [(0, 8 * BLOCK, 2)]),  # its reader reads on
        (16, 8, [(0, 16 * BLOCK - 1000, 1)]),  # there is no more
        (8, 1, []),  # cut as ever, and not begun
    ],
)
def test_a_demand_that_several_connections_bring_is_not_cut(
    blocks: int, connections: int, expected: list[tuple[int, int, int]]
) -> None:
    data = body(16 * BLOCK - 1000)
    with BlocksHarness(store=Beginning()) as room:
        room.store.connections = connections
        stat = room.put("a", data)
        assert demand(room, stat, blocks) == (1 if expected else 4)
        assert [one for one in room.store.shared if one[1] > 2 * BLOCK] == expected


@pytest.mark.parametrize("blocks", [1, 8])
def test_where_many_more_are_under_way_one_connection_brings_each(blocks: int) -> None:
    data = body(16 * BLOCK)
    with BlocksHarness(store=Beginning()) as room:
        room.store.connections = 8
        assert demand(room, room.put("a", data), blocks, cut=False) == 1
        assert [sharing for *_, sharing in room.store.shared] == [0] * (blocks == 1)


def test_what_is_fetched_ahead_comes_to_connections_after_what_somebody_waits_for() -> None:
    data = body(4 * MIB)
    with BlocksHarness(store=Beginning()) as room:
        room.store.gate.clear()
        stream = room.open("a", data)
        reader = threading.Thread(target=read, args=(stream, 2 * MIB, 1000))
        reader.start()
        until(lambda: room.fetcher.is_busy)
        room.blocks.prefetch(stream.id, len(data), 0, MIB)
        time.sleep(0.2)
        assert room.store.left == [], "the long one waits"
        room.store.gate.set()
        reader.join(20)
        room.quiet()
        assert room.count(PREFETCHED) == MIB


def test_each_get_of_a_shared_read_counts_and_hedging_learns_of_none() -> None:
    data = body(MIB)
    with BlocksHarness(store=Beginning()) as room:
        room.store.gets = 5
        assert read(room.open("a", data), 700_000, 1000) == data[700_000:701_000]
        assert room.count(GETS) == room.count(GETS_DEMAND) == 5
        assert sum(room.stats.of(room.store.source).get_times.snapshot()[0]) == 5
        assert room.fetcher.links[room.store.source].is_measured
