"""The policies together, over a real catalogue: what walks cost in requests, and how predictions end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.model.entry import Entry
from mountnd.stats import Stats
from mountnd.stores.base import ObjectId
from mountnd.stores.memory import MemoryStore
from mountnd.vfs.inodes import Inode
from mountnd.vfs.prefetch.names import Path
from mountnd.vfs.prefetch.policy import Decision, KnownFiles, Policy, Prediction
from mountnd.vfs.prefetch.prefetcher import POLICIES, Prefetcher
from mountnd.vfs.prefetch.sidecars import CREDIT
from mountnd.vfs.prefetch.walk import AHEAD_BYTES, FILE_BYTES, FIRST_BYTES
from mountnd.vfs.prefetch.walks import MISSES_TOLERATED, WalkPolicy
from mountnd.workers import Waiter, Workers
from tests.unit.blocks.harness import BlocksHarness, Gate

from .trees import study

# Small files ahead of a walk, at first and at most.
FIRST_AHEAD, MAX_AHEAD = FIRST_BYTES // FILE_BYTES, AHEAD_BYTES // FILE_BYTES


class Recorder:
    """Blocks that fetch nothing and remember what they were asked for: key -> how often, and by whom.

    Attributes:
        held: what was not cancelled since; twice: what was asked for and held already.
        meanwhile: called once, before a prefetch is taken in: what another thread does.
    """

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] | None = None
        self.fetched: Counter[str] = Counter()
        self.owners: dict[object, str] = {}
        self.stops: dict[str, int] = {}
        self.cancelled: list[str] = []
        self.held: set[str] = set()
        self.twice: list[str] = []

    def prefetch(self, id: ObjectId, size: int, start: int, stop: int, owner: object = None) -> None:
        assert owner is not None and owner not in self.owners and start == 0 < stop <= size
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            meanwhile()
        if id.key in self.held:
            self.twice.append(id.key)
        self.held.add(id.key)
        self.fetched[id.key] += 1
        self.stops[id.key] = stop
        self.owners[owner] = id.key

    def small(self, source: str) -> int:
        return 256 << 10

    def cancel(self, owner: object) -> None:
        if owner in self.owners:
            self.cancelled.append(self.owners[owner])
            self.held.discard(self.owners[owner])


class Walk:
    """Opens files of a study through `Prefetcher`, all of whose directories are listed."""

    def __init__(self, files: Mapping[str, int], blocks: object, store: MemoryStore | None = None) -> None:
        self.sizes = files
        self.store = store or MemoryStore({key: b"x" * min(size, 100_000) for key, size in files.items()})
        self.stats = stats = Stats()
        workers = Workers(4, "names")
        self.catalogue = Catalogue(self.store, ttl=3600, workers=workers, waiter=Waiter(), timeout=20, stats=stats)
        self.prefetcher = Prefetcher(blocks, stats)  # type: ignore[arg-type]
        self.prefetcher.add(self.catalogue)
        self.entries = {e.key: e for e in self._list(self.catalogue.root)}
        workers.close()  # from here on names come from memory
        self.store.calls.clear()

    def _list(self, directory: Entry) -> Iterator[Entry]:
        for entry, _ in self.catalogue.scan(directory).read(0):
            if entry.is_dir:
                yield from self._list(entry)
            else:
                yield entry

    def open(self, key: str, *, whole: bool = True) -> None:
        inode = Inode(1, self.catalogue, self.entries[key])
        assert inode.entry.stat is not None
        size = inode.entry.stat.size
        self.prefetcher.opened(inode)
        read = size if whole else min(size, 16_384)
        self.prefetcher.closed(inode, size, read, read)


@pytest.fixture
def blocks() -> Recorder:
    return Recorder()


def replay(blocks: Recorder, opens: Sequence[str], files: Mapping[str, int]) -> tuple[int, int]:
    """(opens that had been fetched ahead, files fetched in vain). Each file must be fetched once at most."""
    walk = Walk(files, blocks)
    hits = 0
    for key in opens:
        hits += key in blocks.fetched
        walk.open(key, whole=files[key] < 100_000)
    assert not blocks.twice, "no policy fetches what another has"
    assert not walk.store.calls, "names come from memory"
    return hits, len(blocks.fetched.keys() - set(opens))


def test_a_header_walk(blocks: Recorder) -> None:
    files = study(200)
    opens = [f for f in files if f.endswith("T1w.nii")]
    hits, wasted = replay(blocks, opens, files)
    assert (hits, wasted) == (197, 0)


def test_one_json_a_directory_over_two_thousand(blocks: Recorder) -> None:
    files = study(1000, sessions=2)
    opens = sorted(f for f in files if f.endswith("task-rest_bold.json"))
    assert len(opens) == 2000
    hits, wasted = replay(blocks, opens, files)
    assert hits >= 1990
    assert wasted == 2 * 4, "the sidecars of two directories"


def test_small_json_and_tsv_by_eight_threads(blocks: Recorder) -> None:
    files = study(100)
    opens = sorted(f for f in files if "/func/" in f and f.endswith((".json", ".tsv")))[:496]
    mixed = [opens[i + j] for i in range(0, len(opens), 8) for j in (3, 0, 5, 1, 2, 7, 4, 6)]
    hits, wasted = replay(blocks, mixed, files)
    assert hits >= len(opens) - 8
    assert wasted <= 4, "the rest of the last directory"


def test_all_json_as_pybids_reads_them(blocks: Recorder) -> None:
    files = study(50, sessions=2)
    opens = sorted(f for f in files if f.endswith(".json"))
    hits, wasted = replay(blocks, opens, files)
    assert hits >= len(opens) - 20
    assert wasted <= CREDIT


def test_two_policies_share_a_prediction(blocks: Recorder) -> None:
    """A file that both predict is dropped only when both have dropped it."""
    files = {f"d/{n:03d}_bold.json": 100 for n in range(60)}
    files |= {f"e/{n:04d}_bold.json": 100 for n in range(2000)}
    walk = Walk(files, blocks)
    for n in range(20, 24):
        walk.open(f"d/{n:03d}_bold.json")
    both = {f"d/{n:03d}_bold.json" for n in range(24, 29)}
    assert both <= blocks.fetched.keys()
    for n in range(100, 2000, 100):  # the walk ends here, what lies beside in d/ may still come
        walk.open(f"e/{n:04d}_bold.json")
    assert blocks.cancelled
    assert not both & set(blocks.cancelled)


def flat(files: int) -> dict[str, int]:
    return {f"a/f_{n:04d}.nii": 100 for n in range(files)}


def test_a_broken_pattern_cancels_what_was_predicted(blocks: Recorder) -> None:
    walk = Walk(flat(2000), blocks)
    for n in range(20):
        walk.open(f"a/f_{n:04d}.nii")
    for n in range(MISSES_TOLERATED):
        walk.open(f"a/f_{1000 + 50 * n}.nii")
    assert not blocks.cancelled
    walk.open("a/f_1990.nii")
    assert sorted(blocks.cancelled) == [f"a/f_{n:04d}.nii" for n in range(20, 20 + MAX_AHEAD)]
    assert len(blocks.fetched) == len(blocks.cancelled) + 17


def test_a_pattern_that_breaks_before_the_prefetch_is_there(blocks: Recorder) -> None:
    """One thread has predictions and is about to fetch them when another ends the sequence they come from."""
    walk = Walk(flat(2000), blocks)

    def elsewhere() -> None:
        for n in range(MISSES_TOLERATED + 1):
            walk.open(f"a/f_{1000 + 50 * n}.nii")

    for n in range(2):
        walk.open(f"a/f_{n:04d}.nii")
    blocks.meanwhile = elsewhere
    walk.open("a/f_0002.nii")
    assert sorted(blocks.cancelled) == sorted(blocks.fetched) == [f"a/f_{n:04d}.nii" for n in range(3, 3 + FIRST_AHEAD)]


def test_predictions_of_many_threads_all_end(blocks: Recorder) -> None:
    files = flat(3000)
    walk = Walk(files, blocks)

    def work(first: int) -> None:
        for n in range(first, 3000, 8):
            walk.open(f"a/f_{n * 7 % 3000 if n % 300 > 250 else n:04d}.nii")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    source = walk.prefetcher._sources[id(walk.catalogue)]
    assert len(source._predicted) <= MAX_AHEAD


class NextInDirectory:
    """A policy for the test below: predicts the first 7 bytes of the file behind the one opened."""

    counter = "test.files"

    def __init__(self, known: KnownFiles) -> None:
        self._known = known
        self.closings: list[tuple[Path, int, int]] = []

    def opened(self, path: Path, size: int) -> Decision:
        near = self._known.neighbours(path, 1)
        files = [] if near is None else [(*path[:-1], f.name) for f in near.files if f.places == 1]
        return Decision([Prediction(f, 7) for f in files if not self._known.predicted(f)])

    def closed(self, path: Path, size: int, stop: int) -> None:
        self.closings.append((path, size, stop))


def test_a_new_policy_is_a_class_and_a_line_in_the_table(blocks: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[NextInDirectory] = []

    def make(known: KnownFiles) -> NextInDirectory:
        made.append(NextInDirectory(known))
        return made[-1]

    monkeypatch.setattr("mountnd.vfs.prefetch.prefetcher.POLICIES", (*POLICIES, make))
    walk = Walk(flat(20), blocks)
    walk.open("a/f_0004.nii")
    assert dict(blocks.fetched) == {"a/f_0005.nii": 1} and blocks.stops == {"a/f_0005.nii": 7}
    walk.open("a/f_0019.nii")
    assert len(blocks.fetched) == 1
    assert [path for path, _, _ in made[0].closings] == [("a", "f_0004.nii"), ("a", "f_0019.nii")]
    assert walk.stats.snapshot()["test.files"] == 1


def test_a_later_policy_sees_what_an_earlier_one_predicts_and_is_fetched_first(
    blocks: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one is for sidecars, in a directory that the program has open."""

    class OneBefore(NextInDirectory):
        def opened(self, path: Path, size: int) -> Decision:
            assert self._known.predicted(("a", "f_0005.nii"))
            return Decision([Prediction(("a", "f_0003.nii"))])

    monkeypatch.setattr("mountnd.vfs.prefetch.prefetcher.POLICIES", (NextInDirectory, OneBefore))
    Walk(flat(20), blocks).open("a/f_0004.nii")
    assert list(blocks.owners.values()) == ["a/f_0003.nii", "a/f_0005.nii"]
    assert blocks.stops == {"a/f_0003.nii": 100, "a/f_0005.nii": 7}


def test_requests_that_had_not_begun_are_not_made_and_owners_go() -> None:
    """With blocks as they are, over a store that holds reads back: twelve begin, and only those."""
    files = {f"a/f_{n:04d}.nii": 1000 for n in range(600)}
    with BlocksHarness(threads=16, reserved=4) as harness:
        for key, size in files.items():
            harness.put(key, b"x" * size)
        walk = Walk(files, harness.blocks, harness.store)
        gate = Gate()
        harness.store.fault = gate
        for n in range(40):
            walk.open(f"a/f_{n:04d}.nii")
        with harness.fetcher.lock:
            waiting = len(harness.fetcher._owners._owned)
        assert waiting > MAX_AHEAD // 2
        for n in range(MISSES_TOLERATED + 1):
            walk.open(f"a/f_{200 + 40 * n:04d}.nii")
        gate.open()
        harness.quiet()
        read = [c.key for c in harness.store.calls if c.op == "read"]
        late = [f"a/f_{n:04d}.nii" for n in range(40, 40 + MAX_AHEAD)]
        assert not set(read) & set(late), "predictions of which the walk opened none"
        assert harness.count("prefetch.cancelled.requests") >= len(late)
        assert not harness.fetcher._owners._owned


@pytest.mark.parametrize("what", ["opened", "closed"])
def test_a_fault_of_a_policy_fails_no_open_and_begins_anew(
    blocks: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    made: list[Policy] = []

    class Faulty(WalkPolicy):
        def __init__(self, known: KnownFiles) -> None:
            super().__init__(known)
            made.append(self)

        def opened(self, path: Path, size: int) -> Decision:
            if what == "opened" and path[-1] == "f_0008.nii":
                raise KeyError("walk")
            return super().opened(path, size)

        def closed(self, path: Path, size: int, stop: int) -> None:
            if what == "closed" and path[-1] == "f_0008.nii":
                raise KeyError("walk")

    monkeypatch.setattr("mountnd.vfs.prefetch.prefetcher.POLICIES", (Faulty,))
    walk = Walk(flat(40), blocks)
    for n in range(8):
        walk.open(f"a/f_{n:04d}.nii")
    coming = set(blocks.fetched) - {f"a/f_{n:04d}.nii" for n in range(9)}
    walk.open("a/f_0008.nii")
    assert coming <= set(blocks.cancelled)
    assert len(made) == 2 and len(caplog.records) >= 1
    for n in range(9, 13):
        walk.open(f"a/f_{n:04d}.nii")
    assert "a/f_0014.nii" in blocks.held, "and learns again"
