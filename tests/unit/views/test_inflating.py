"""Inflated bytes: what gzip makes of a file, from any place, for many readers at once."""

from __future__ import annotations

import random
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mountnd.checks.digest import NOTHING_TOLD, Digest, Told
from mountnd.errors import Cancelled, Changed, StoreError, TimedOut, Unviewable
from mountnd.stores.base import Deadline, ObjectId, ObjectStat
from mountnd.stores.memory import Call, MemoryStore
from mountnd.views import inflated
from mountnd.views import points as seek_points
from mountnd.views.points import START, Points, SeekPoint, packed_window
from mountnd.views.store import InflatedStore
from mountnd.views.units import FIRST_UNIT, UNIT
from tests.support.nifti_files import Made, as_gzip_does, gzipped, header, image, made, members, voxels
from tests.support.waiting import wait_until

MIB = 1 << 20
LARGE = image((128, 128, 64, 12), seed=5)  # 24 MiB: six seek points and more


class Kept:
    """Blobs in dicts."""

    def __init__(self) -> None:
        self.notes: dict[bytes, bytes] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.note, self.get = self.notes.get, self.blobs.get

    def keep_note(self, name: bytes, note: bytes) -> None:
        self.notes[name] = note

    def put(self, name: bytes, blob: bytes) -> None:
        self.blobs[name] = blob


def deadline(seconds: float = 60.0) -> Deadline:
    return Deadline(seconds)


def listed(view: InflatedStore, key: str) -> ObjectStat:
    return view.head(key, deadline=deadline())


def read(view: InflatedStore, stat: ObjectStat, start: int, stop: int, until: Deadline | None = None) -> bytes:
    data = bytearray(stop - start)
    if data:
        view.read(stat.id, start, [memoryview(data)], deadline=until or deadline())
    return bytes(data)


@pytest.fixture(scope="module")
def packed() -> bytes:
    return gzipped(LARGE, 1)


@pytest.fixture
def store(packed: bytes) -> MemoryStore:
    return MemoryStore({"x.nii.gz": packed})


@pytest.fixture
def view(store: MemoryStore) -> Iterator[InflatedStore]:
    view = InflatedStore(store, ["nii"], Kept(), memory=16 * MIB)
    yield view
    view.close()


@pytest.mark.parametrize("file", list(made()), ids=lambda file: file.name)
def test_each_made_file_is_what_gzip_makes_of_it_or_cannot_be_opened(file: Made) -> None:
    view = InflatedStore(MemoryStore({"x.nii.gz": file.stored}), ["nii"])
    try:
        stat = listed(view, "x.nii")
        assert view.ask(stat, deadline=deadline()).size >= 0
        if file.inflated is None:
            with pytest.raises(Unviewable) as caught:
                view.check(stat, deadline=deadline())
            assert str(caught.value).count("\n") == 0
            assert view.known_readable(stat) is None
            return
        assert as_gzip_does(file.stored) == file.inflated
        ready = view.check(stat, deadline=deadline())
        assert ready.size == len(file.inflated) == ready.id.size
        assert read(view, ready, 0, ready.size) == file.inflated
    finally:
        view.close()


_PIECES = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(0, 9), st.booleans()), min_size=1, max_size=4
)  # bytes, level, whether they compress
_TAILS = st.one_of(st.binary(max_size=12), st.integers(0, 40).map(bytes))


@settings(max_examples=250, deadline=None)
@given(pieces=_PIECES, tail=_TAILS, cut=st.integers(0, 60), more=st.integers(-2, 2), seed=st.integers(0, 9))
def test_random_members_trailing_bytes_and_truncation(
    pieces: list[tuple[int, int, bool]], tail: bytes, cut: int, more: int, seed: int
) -> None:
    total = sum(n for n, _, _ in pieces)
    rng = random.Random(seed)
    voxels = b"".join(rng.randbytes(n) if noisy else bytes(n) for n, _, noisy in pieces)
    begin = header((max(1, total + more),), bitpix=8) + bytes(4)
    stored, at, lead = b"", 0, begin
    for n, level, _ in pieces:
        stored += gzipped(lead + voxels[at : at + n], level)
        at, lead = at + n, b""
    stored = stored[: len(stored) - cut] + tail
    plain = as_gzip_does(stored)
    fits = plain is not None and len(plain) == 352 + max(1, total + more)
    view = InflatedStore(MemoryStore({"x.nii.gz": stored}), ["nii"])
    try:
        stat = listed(view, "x.nii")
        if not fits:
            with pytest.raises(Unviewable):
                view.check(stat, deadline=deadline())
        else:
            assert plain is not None
            ready = view.check(stat, deadline=deadline())
            assert read(view, ready, 0, ready.size) == plain
    finally:
        view.close()


def test_from_the_front_and_then_anywhere(view: InflatedStore, store: MemoryStore) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    for at in range(0, len(LARGE), MIB):
        stop = min(at + MIB, len(LARGE))
        assert read(view, stat, at, stop) == LARGE[at:stop]
    store.calls.clear()
    rng = random.Random(1)
    for _ in range(60):
        at = rng.randrange(len(LARGE))
        stop = min(len(LARGE), at + rng.choice([1, 100, 65_536, 300_000]))
        assert read(view, stat, at, stop) == LARGE[at:stop]
    assert max(call.stop - call.start for call in store.calls) <= MIB


def test_a_first_read_near_the_end_leaves_seek_points_for_the_next(view: InflatedStore, store: MemoryStore) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    end = len(LARGE) - 100
    assert read(view, stat, end - 1000, end) == LARGE[end - 1000 : end]
    store.calls.clear()
    at = 13 * MIB
    assert read(view, stat, at, at + 1000) == LARGE[at : at + 1000]
    fetched = sum(call.stop - call.start for call in store.calls)
    assert 0 < fetched < 4 * MIB, "from the seek point before it, and no more than what lies up to it"


def test_seek_points_are_kept_and_used_by_another_mount(store: MemoryStore) -> None:
    kept = Kept()
    first = InflatedStore(store, ["nii"], kept)
    stat = first.check(listed(first, "x.nii"), deadline=deadline())
    read(first, stat, 0, stat.size)
    first.close()
    assert len(kept.blobs) == 1
    second = InflatedStore(store, ["nii"], kept)
    store.calls.clear()
    again = second.check(listed(second, "x.nii"), deadline=deadline())
    assert again == stat
    assert [call.op for call in store.calls] == ["head", "head"] or not [c for c in store.calls if c.op == "read"]
    store.calls.clear()
    assert read(second, again, 0, 60_000) == LARGE[:60_000]
    assert not store.calls, "whoever reads far into a file reads its header first"
    assert read(second, again, stat.size - 5000, stat.size) == LARGE[-5000:]
    assert sum(call.stop - call.start for call in store.calls) < 4 * MIB
    second.close()


def test_what_lies_between_two_seek_points_is_one_request(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mountnd.views.feed.COLD_S", float("inf"))
    kept = Kept()
    first = InflatedStore(store, ["nii"], kept)
    stat = first.check(listed(first, "x.nii"), deadline=deadline())
    read(first, stat, 0, stat.size)
    first.close()
    ((name, blob),) = kept.blobs.items()
    points = seek_points.load(blob, name, stat_size(stat), stat.size)
    assert points is not None
    begins = points.before(10 * MIB)
    ends = points.after(10 * MIB)
    assert ends is not None
    second = InflatedStore(store, ["nii"], kept)
    store.calls.clear()
    at = begins.out + MIB
    while at < ends.out - UNIT:  # one after the other, as the kernel asks on behalf of who reads a volume
        assert read(second, stat, at, at + 65_536) == LARGE[at : at + 65_536]
        at += 65_536
    calls = [(call.start, call.stop) for call in store.calls if call.op == "read"]
    second.close()
    assert calls[0][0] == begins.stored
    assert calls[-1][1] == ends.stored, "and nothing behind it"
    assert len(calls) <= 2, "one for each MiB"


def test_a_small_read_asks_at_once_for_the_unit_that_is_inflated_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mountnd.views.feed.COLD_S", float("inf"))
    store, kept = MemoryStore({"x.nii.gz": gzipped(LARGE, 0)}), Kept()
    first = InflatedStore(store, ["nii"], kept)
    stat = first.check(listed(first, "x.nii"), deadline=deadline())
    read(first, stat, 0, stat.size)
    first.close()
    second = InflatedStore(store, ["nii"], kept)
    read(second, stat, stat.size - 100, stat.size)
    ((name, blob),) = kept.blobs.items()
    points = seek_points.load(blob, name, stat_size(stat), stat.size)
    assert points is not None
    second.close()
    for at in (8 * MIB + UNIT, 16 * MIB + UNIT):
        own = MemoryStore({"x.nii.gz": gzipped(LARGE, 0)})  # which no thread of the others asks any more
        third = InflatedStore(own, ["nii"], kept)
        assert read(third, stat, at, at + 65_536) == LARGE[at : at + 65_536]
        calls = sorted((call.start, call.stop) for call in list(own.calls))
        assert calls[0][0] == points.before(at).stored
        assert all(stop - start == MIB for start, stop in calls[:-1]), "none that is short, and then another one"
        assert calls[-1][1] <= calls[0][0] + 2 * MIB
        third.close()


def test_nothing_behind_a_seek_point_is_asked_for_where_a_read_ends_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mountnd.views.feed.COLD_S", float("inf"))
    store, kept = MemoryStore({"x.nii.gz": members(LARGE, UNIT)}), Kept()  # so each point is where a unit begins
    first = InflatedStore(store, ["nii"], kept)
    stat = first.check(listed(first, "x.nii"), deadline=deadline())
    read(first, stat, 0, stat.size)
    first.close()
    second = InflatedStore(store, ["nii"], kept)
    store.calls.clear()
    for at in range(8 * MIB, 20 * MIB, UNIT):
        assert read(second, stat, at, at + UNIT) == LARGE[at : at + UNIT]
    assert min(call.stop - call.start for call in store.calls if call.op == "read") > 1
    second.close()


def test_what_is_kept_is_not_believed(store: MemoryStore) -> None:
    kept = Kept()
    first = InflatedStore(store, ["nii"], kept)
    stat = first.check(listed(first, "x.nii"), deadline=deadline())
    read(first, stat, 0, stat.size)
    first.close()
    ((name, blob),) = kept.blobs.items()
    rng = random.Random(2)
    for damage in (b"", b"x", blob[:-1], blob + b"x", blob[: len(blob) // 2]):
        kept.blobs[name] = damage
        view = InflatedStore(store, ["nii"], kept)
        assert read(view, stat, 20 * MIB, 20 * MIB + 999) == LARGE[20 * MIB : 20 * MIB + 999]
        view.close()
    for _ in range(20):
        bad = bytearray(blob)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        loaded = seek_points.load(bytes(bad), name, stat.size, stat.size)
        assert loaded is None


def test_points_come_back_and_only_for_their_version() -> None:
    points = Points()
    points.add(SeekPoint(5 << 20, 123_456, 0, 3, 0xA5, packed_window(b"w" * 32_768)))
    points.add(SeekPoint(9 << 20, 223_456, 9 << 20))
    whose = bytes(range(16))
    without = seek_points.load(points.dump(whose, 300_000, 10 << 20), whose, 300_000, 10 << 20)
    assert without is not None
    assert without.first is None
    unit = bytearray(random.Random(3).randbytes(FIRST_UNIT))
    points.begins(unit)
    data = points.dump(whose, 300_000, 10 << 20)
    back = seek_points.load(data, whose, 300_000, 10 << 20)
    assert back is not None
    assert len(back) == 3
    assert back.first == unit
    assert back.nbytes == points.nbytes > without.nbytes
    assert back.before(6 << 20) == points.before(6 << 20)
    assert back.before(0) == START
    for args in ((bytes(16), 300_000, 10 << 20), (whose, 300_001, 10 << 20), (whose, 300_000, 1)):
        assert seek_points.load(data, *args) is None


def test_many_readers_of_one_file_inflate_it_about_once(store: MemoryStore, view: InflatedStore) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    store.calls.clear()
    pieces = [(at, min(at + 700_000, len(LARGE))) for at in range(0, len(LARGE), 700_000)]
    random.Random(3).shuffle(pieces)
    with ThreadPoolExecutor(12) as pool:
        parts = dict(pool.map(lambda piece: (piece[0], read(view, stat, *piece)), pieces))
    assert b"".join(parts[at] for at in sorted(parts)) == LARGE
    fetched = sum(call.stop - call.start for call in store.calls)
    assert fetched < 3 * stat_size(stat), "readers that come out of order wait for the cursor that comes by"


def stat_size(stat: ObjectStat) -> int:
    return int(stat.id.etag.rpartition(":")[2])


def test_readers_in_order_fetch_each_compressed_byte_once(store: MemoryStore, view: InflatedStore) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    store.calls.clear()
    data = bytearray(stat.size)
    with ThreadPoolExecutor(8) as pool:
        tasks = []
        for at in range(0, stat.size, 600_000):
            part = memoryview(data)[at : at + 600_000]
            tasks.append(pool.submit(view.read, stat.id, at, [part], deadline=deadline()))
            time.sleep(0.002)  # as a window of readahead asks for them
        for task in tasks:
            task.result(60)
    assert bytes(data) == LARGE
    fetched = sum(call.stop - call.start for call in store.calls)
    assert fetched <= 1.2 * stat_size(stat)


def test_compressed_bytes_are_fetched_side_by_side(store: MemoryStore, view: InflatedStore) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    running, most, lock = 0, 0, threading.Lock()

    def slow(call: Call) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1

    store.fault = slow
    assert read(view, stat, 0, 16 * MIB) == LARGE[: 16 * MIB]
    assert most >= 3


def test_a_deadline_ends_a_read_and_the_next_goes_on(store: MemoryStore, view: InflatedStore) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    store.fault = lambda call: time.sleep(0.1)
    with pytest.raises(TimedOut):
        read(view, stat, stat.size - 10, stat.size, deadline(0.15))
    store.fault = None
    assert read(view, stat, stat.size - 10, stat.size) == LARGE[-10:]


def test_cancelling_ends_a_read_at_once_also_while_it_waits_for_another(
    store: MemoryStore, view: InflatedStore
) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    go = threading.Event()
    store.fault = lambda call: go.wait(30)
    deadlines = [deadline() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        tasks = [pool.submit(read, view, stat, stat.size - 10, stat.size, one) for one in deadlines]
        time.sleep(0.3)
        begun = time.monotonic()
        for one in deadlines:
            one.cancel()
        for task in tasks:
            with pytest.raises(Cancelled):
                task.result(10)
        assert time.monotonic() - begun < 10
        go.set()
    store.fault = None
    assert read(view, stat, 0, 1000) == LARGE[:1000]


def test_a_version_that_is_gone_is_changed(store: MemoryStore, view: InflatedStore) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    store.put("x.nii.gz", gzipped(image((9, 9), seed=8)))
    with pytest.raises(Changed):
        read(view, stat, 20 * MIB, 20 * MIB + 10)


@pytest.mark.parametrize("error", [StoreError("it failed"), TimedOut("no answer")])
def test_an_error_of_the_store_is_the_reads_and_does_not_stay(
    store: MemoryStore, view: InflatedStore, error: StoreError
) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())

    def fail(call: Call) -> None:
        raise error

    store.fault = fail
    with pytest.raises(type(error)):
        read(view, stat, 10 * MIB, 11 * MIB)
    store.fault = None
    assert read(view, stat, 10 * MIB, 11 * MIB) == LARGE[10 * MIB : 11 * MIB]


def test_a_large_file_of_several_members_is_read_where_they_come_to_its_size() -> None:
    plain = image((128, 128, 64, 2), seed=9)
    many = members(plain, 65_280, 1) + gzipped(b"")  # as bgzip writes them
    two = gzipped(plain[: len(plain) // 2], 1) + gzipped(plain[len(plain) // 2 :], 1)
    twice = gzipped(plain, 1) * 2
    store = MemoryStore({"many.nii.gz": many, "two.nii.gz": two, "twice.nii.gz": twice})
    view = InflatedStore(store, ["nii"])
    for key in ("many.nii", "two.nii"):
        stat = view.check(listed(view, key), deadline=deadline())
        assert read(view, stat, 0, stat.size) == plain
        assert read(view, stat, stat.size - 70_000, stat.size) == plain[-70_000:]
    # What stands at its end fits: only whoever reads to the end can know.
    stat = view.check(listed(view, "twice.nii"), deadline=deadline())
    assert read(view, stat, 0, 1 << 20) == plain[: 1 << 20]
    with pytest.raises(Unviewable):
        read(view, stat, stat.size - 10, stat.size)
    with pytest.raises(Unviewable):
        view.check(listed(view, "twice.nii"), deadline=deadline())
    view.close()


@pytest.mark.parametrize("cut", [1, 9, 1000, 5 * MIB])
def test_a_large_file_that_is_cut_off_cannot_be_opened(packed: bytes, cut: int) -> None:
    store = MemoryStore({"x.nii.gz": packed[:-cut]})
    view = InflatedStore(store, ["nii"])
    with pytest.raises(Unviewable):
        view.check(listed(view, "x.nii"), deadline=deadline())
    view.close()


def test_a_header_costs_one_get_and_an_opening_another(store: MemoryStore, view: InflatedStore) -> None:
    stat = listed(view, "x.nii")
    store.calls.clear()
    assert view.ask(stat, deadline=deadline()).size == len(LARGE)
    assert view.ask(stat, deadline=deadline()).size == len(LARGE)
    assert [(call.start, call.stop) for call in store.calls] == [(0, 65_536)]
    view.check(stat, deadline=deadline())
    view.check(stat, deadline=deadline())
    assert store.count("read") == 2
    read(view, view.check(stat, deadline=deadline()), 0, 1000)
    assert store.count("read") == 2, "the header is inflated of what came with the size"


def test_ids_differ_from_the_stores_and_of_each_version(store: MemoryStore, view: InflatedStore) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    stored = store.head("x.nii.gz", deadline=deadline())
    assert stat.id.source != stored.id.source
    assert stat.id.size == len(LARGE)
    store.put("x.nii.gz", zlib.compress(b"x"))
    assert listed(view, "x.nii").id != stat.id


def test_memory_is_bounded_whatever_is_read(packed: bytes) -> None:
    store = MemoryStore({f"{n}.nii.gz": packed for n in range(6)})
    view = InflatedStore(store, ["nii"], memory=8 * MIB)
    for n in range(6):
        stat = view.check(listed(view, f"{n}.nii"), deadline=deadline())
        assert read(view, stat, 3 * MIB, 9 * MIB) == LARGE[3 * MIB : 9 * MIB]
    held = sum(len(unit) for unit in view._files._engine.units._units.values())
    assert held <= 4 * MIB
    view.close()


def lying_points(points: Points, kind: str) -> Points:
    """As `points`, from the second on of another file, though what checks sums says nothing of it."""
    lies = [points.before(0)]
    for at in range(5 * MIB, len(LARGE), 4 * MIB):
        point = points.before(at)
        if kind == "window":
            point = point._replace(window=b"this is no compressed window")
        else:
            point = point._replace(stored=point.stored + 1000)
        lies.append(point)
    return Points(lies)


@pytest.mark.parametrize("kind", ["window", "place"])
def test_seek_points_that_lie_are_given_up(store: MemoryStore, kind: str) -> None:
    kept = Kept()
    first = InflatedStore(store, ["nii"], kept)
    stat = first.check(listed(first, "x.nii"), deadline=deadline())
    read(first, stat, 0, stat.size)
    first.close()
    ((name, blob),) = kept.blobs.items()
    points = seek_points.load(blob, name, stat_size(stat), stat.size)
    assert points is not None
    lie = kept.blobs[name] = lying_points(points, kind).dump(name, stat_size(stat), stat.size)
    for _ in range(2):  # another mount finds none of them
        view = InflatedStore(store, ["nii"], kept)
        with ThreadPoolExecutor(4) as pool:
            starts = [22 * MIB, 14 * MIB, 6 * MIB, 0]
            tasks = [pool.submit(read, view, stat, at, at + 999) for at in starts]
            for at, task in zip(starts, tasks, strict=True):
                assert task.result(60) == LARGE[at : at + 999]
        view.check(listed(view, "x.nii"), deadline=deadline())
        view.close()
        assert kept.blobs[name] != lie


class Damaging(MemoryStore):
    """Gives damaged bytes `times` times where a certain one is read."""

    times, where = 0, 2 * MIB

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        super().read(id, start, views, deadline=deadline)
        if self.times and start <= self.where < start + sum(map(len, views)):
            self.times -= 1
            self.damage(views[0], self.where - start)

    def damage(self, view: memoryview, at: int) -> None:
        """What is read, in which that byte lies."""
        view[len(view) // 2 :] = bytes(len(view) - len(view) // 2)


@pytest.mark.parametrize("times", [1, 2])
def test_bytes_that_are_damaged_on_their_way_do_not_condemn_a_file(times: int) -> None:
    store = Damaging({"x.nii.gz": gzipped(LARGE, 1)})
    kept = Kept()
    view = InflatedStore(store, ["nii"], kept)
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    store.times = times
    if times == 1:
        assert read(view, stat, stat.size - 5000, stat.size) == LARGE[-5000:]
        assert not store.times
    else:  # as far as can be told, it is stored so
        with pytest.raises(Unviewable):
            read(view, stat, stat.size - 5000, stat.size)
    view.close()
    again = InflatedStore(store, ["nii"], kept)
    with nullcontext() if times == 1 else pytest.raises(Unviewable):
        again.check(listed(again, "x.nii"), deadline=deadline())
    again.close()


@pytest.mark.parametrize(
    "body", [voxels(320_000, seed=4), voxels(40_000, seed=4)], ids=["header alone first", "at once"]
)
@pytest.mark.parametrize("times", [1, 2])
def test_small_files_are_looked_at_again_as_well(body: bytes, times: int) -> None:
    plain = header((100, 100, len(body) // 20_000)) + bytes(4) + body
    store = Damaging({"x.nii.gz": gzipped(plain, 6)})
    store.times, store.where = times, len(gzipped(plain, 6)) - 9
    view = InflatedStore(store, ["nii"], kept := Kept())
    if times == 1:
        assert view.check(listed(view, "x.nii"), deadline=deadline()).size == len(plain)
    else:
        with pytest.raises(Unviewable):
            view.check(listed(view, "x.nii"), deadline=deadline())
    assert not store.times
    assert kept.notes
    view.close()


class Flipping(Damaging):
    """Gives a flipped byte: within a stored block, nothing but the check sum tells of it."""

    def damage(self, view: memoryview, at: int) -> None:
        view[at] ^= 0xFF


@pytest.mark.parametrize("where", [0, 1, 3, 12, 20, 50, 200])
def test_damage_in_what_the_header_is_read_from_condemns_no_file(where: int) -> None:
    """It looks like no gzip, like no NIfTI, or like an image that cannot be."""
    store = Flipping({"x.nii.gz": gzipped(LARGE, 0)})
    store.times, store.where = 1, where
    view = InflatedStore(store, ["nii"], Kept())
    assert view.check(listed(view, "x.nii"), deadline=deadline()).size == len(LARGE)
    assert not store.times
    view.close()


@pytest.mark.parametrize("where", [2 * MIB, 40_000], ids=["inside", "in what comes with the size"])
@pytest.mark.parametrize("kept_points", [1, 16])
def test_nothing_that_was_inflated_of_damaged_bytes_is_used_for_the_second_look(
    where: int, kept_points: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflated, "POINTS_AT_ONCE", kept_points)
    store = Flipping({"x.nii.gz": gzipped(LARGE, 0)})
    store.times, store.where = 1, where
    kept = Kept()
    view = InflatedStore(store, ["nii"], kept)
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    assert read(view, stat, 0, stat.size) == LARGE
    assert not store.times
    view.close()
    again = InflatedStore(store, ["nii"], kept)
    assert read(again, again.check(listed(again, "x.nii"), deadline=deadline()), 0, stat.size) == LARGE
    again.close()


@pytest.mark.parametrize("memory", [8 * MIB, 96 * MIB])
def test_damage_of_bytes_that_were_given_to_programs_is_not_passed_over(memory: int) -> None:
    store = Flipping({"x.nii.gz": gzipped(LARGE, 0)})
    kept = Kept()
    view = InflatedStore(store, ["nii"], kept, memory=memory)
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    store.times = 1
    data = b"".join(read(view, stat, at, at + MIB) for at in range(0, 23 * MIB, MIB))
    assert data != LARGE[: 23 * MIB], "nobody can know yet"
    with pytest.raises(Unviewable):
        read(view, stat, 23 * MIB, stat.size)
    view.close()
    again = InflatedStore(store, ["nii"], kept)
    with pytest.raises(Unviewable):
        again.check(listed(again, "x.nii"), deadline=deadline())
    again.close()


@pytest.mark.parametrize("times", [1, 2])
def test_an_end_that_is_damaged_on_its_way_is_looked_at_again(times: int) -> None:
    stored = gzipped(LARGE, 1)
    store = Flipping({"x.nii.gz": stored})
    store.times, store.where = times, len(stored) - 1
    view = InflatedStore(store, ["nii"], Kept())
    if times == 1:
        assert view.check(listed(view, "x.nii"), deadline=deadline()).size == len(LARGE)
    else:
        with pytest.raises(Unviewable):
            view.check(listed(view, "x.nii"), deadline=deadline())
    assert not store.times
    view.close()


def test_points_that_cannot_be_are_not_loaded() -> None:
    whose = bytes(range(16))
    good = SeekPoint(5 << 20, 123_456, 0, 3, 0xA5, packed_window(b"w" * 32_768))
    for bad in (
        good._replace(bits=8), good._replace(member=6 << 20), good._replace(out=10 << 20),
        good._replace(stored=300_000),
    ):  # fmt: skip
        assert seek_points.load(Points([START, good]).dump(whose, 300_000, 10 << 20), whose, 300_000, 10 << 20)
        assert seek_points.load(Points([START, bad]).dump(whose, 300_000, 10 << 20), whose, 300_000, 10 << 20) is None
    for unit in (b"", bytes(FIRST_UNIT - 1), bytes(FIRST_UNIT + 1)):
        points = Points([START, good])
        points.begins(bytearray(unit))
        assert seek_points.load(points.dump(whose, 300_000, 10 << 20), whose, 300_000, 10 << 20) is None
    cut_off = Points([START, good], zlib.compress(bytes(FIRST_UNIT))[:-4])
    assert seek_points.load(cut_off.dump(whose, 300_000, 10 << 20), whose, 300_000, 10 << 20) is None


def test_a_piece_that_failed_while_nobody_waited_is_asked_for_anew(store: MemoryStore, view: InflatedStore) -> None:
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    go = threading.Event()

    def fail_late(call: Call) -> None:
        go.wait(30)
        raise TimedOut("no answer")

    store.fault = fail_late
    with pytest.raises(TimedOut):
        read(view, stat, 10 * MIB, 10 * MIB + 10, deadline(0.3))
    (file,) = view._files._files.values()
    (working,) = file._cursors.idle
    tasks = [task for _, task in working.feed._ahead]
    assert tasks
    go.set()
    for task in tasks:
        with pytest.raises(StoreError):
            task.future.result(30)
    working.feed.pause()  # as it is a moment later
    store.fault = None
    assert read(view, stat, 10 * MIB, 10 * MIB + 10) == LARGE[10 * MIB : 10 * MIB + 10]


def test_files_that_were_looked_into_leave_room_for_others(packed: bytes) -> None:
    store = MemoryStore({f"{n}.nii.gz": packed for n in range(40)})
    view = InflatedStore(store, ["nii"], memory=8 * MIB)
    allowance = view._files._engine.allowance
    for n in range(40):
        stat = view.check(listed(view, f"{n}.nii"), deadline=deadline())
        assert read(view, stat, 6 * MIB, 6 * MIB + 100) == LARGE[6 * MIB : 6 * MIB + 100]
    wait_until(lambda: not allowance.is_short, "cursors that nobody came back to")
    assert read(view, stat, 6 * MIB, 7 * MIB) == LARGE[6 * MIB : 7 * MIB]
    view.close()
    assert allowance._left == 3 * MIB


def test_a_cursor_is_given_up_after_a_while(view: InflatedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "IDLE_S", 0.1)
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    assert read(view, stat, 6 * MIB, 6 * MIB + 100) == LARGE[6 * MIB : 6 * MIB + 100]
    (file,) = view._files._files.values()
    assert len(file._cursors.idle) == 1
    wait_until(lambda: not file._cursors.idle, "that it is given up")
    assert read(view, stat, 6 * MIB, 8 * MIB) == LARGE[6 * MIB : 8 * MIB]


def test_what_the_provider_tells_of_a_file_is_of_what_is_stored(packed: bytes) -> None:
    class Telling(MemoryStore):
        def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
            assert id == self.head(id.key, deadline=deadline).id._replace(version=id.version)
            return Told((Digest("checksum", "sha256", id.key),))

    view = InflatedStore(Telling({"x.nii.gz": packed, "x.json": b"{}"}), ["nii"])
    stat = view.check(listed(view, "x.nii"), deadline=deadline())
    assert view.digests(stat.id, deadline=deadline()) == NOTHING_TOLD
    (told,) = view.digests(listed(view, "x.json").id, deadline=deadline()).digests
    assert told.value == "x.json"
    view.close()
