"""Sweep and siblings together, over a real catalogue: what walks cost in requests, and what becomes of guesses."""

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
from mountnd.vfs.prefetch.prefetcher import Ahead
from mountnd.vfs.prefetch.sequence import FIRST, MOST, TOLERATED
from mountnd.vfs.prefetch.sidecars import START
from mountnd.workers import Waiter, Workers
from tests.unit.blocks.harness import BlocksHarness, Gate

from .trees import study


class Recorder:
    """Blocks that fetch nothing and remember what they were asked for: key -> how often, and by whom.

    Attributes:
        meanwhile: called once, before a prefetch is taken in: what another thread does.
    """

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] | None = None
        self.fetched: Counter[str] = Counter()
        self.owners: dict[object, str] = {}
        self.cancelled: list[str] = []

    def prefetch(self, id: ObjectId, size: int, start: int, stop: int, owner: object = None) -> None:
        assert owner is not None and owner not in self.owners and start == 0 < stop <= size
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            meanwhile()
        self.fetched[id.key] += 1
        self.owners[owner] = id.key

    def cancel(self, owner: object) -> None:
        if owner in self.owners:
            self.cancelled.append(self.owners[owner])


class Walk:
    """Opens files of a study through `Ahead`, all of whose directories are listed."""

    def __init__(self, files: Mapping[str, int], blocks: object, store: MemoryStore | None = None) -> None:
        self.sizes = files
        self.store = store or MemoryStore({key: b"x" * min(size, 100_000) for key, size in files.items()})
        stats, workers = Stats(), Workers(4, "names")
        self.catalogue = Catalogue(self.store, ttl=3600, workers=workers, waiter=Waiter(), timeout=20, stats=stats)
        self.ahead = Ahead(blocks, stats)  # type: ignore[arg-type]
        self.ahead.add(self.catalogue)
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
        self.ahead.opened(inode)
        self.ahead.closed(inode, size, size if whole else min(size, 16_384))


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
    assert set(blocks.fetched.values()) <= {1}, "no policy fetches what another has"
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
    assert wasted == 2 * 4, "the siblings of two directories"


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
    assert wasted <= START


def test_the_sweep_of_a_kind_and_the_siblings_share_a_guess(blocks: Recorder) -> None:
    """A file that both believe in is given up only when both have."""
    files = {f"d/{n:03d}_bold.json": 100 for n in range(60)}
    files |= {f"e/{n:03d}_bold.json": 100 for n in range(500)}
    walk = Walk(files, blocks)
    for n in range(20, 24):
        walk.open(f"d/{n:03d}_bold.json")
    both = {f"d/{n:03d}_bold.json" for n in range(24, 29)}
    assert both <= blocks.fetched.keys()
    for n in range(0, 500, 50):  # the sweep ends here, what lies beside in d/ may still come
        walk.open(f"e/{n:03d}_bold.json")
    assert blocks.cancelled
    assert not both & set(blocks.cancelled)


def flat(files: int) -> dict[str, int]:
    return {f"a/f_{n:04d}.nii": 100 for n in range(files)}


def test_a_broken_pattern_cancels_what_was_guessed(blocks: Recorder) -> None:
    walk = Walk(flat(2000), blocks)
    for n in range(20):
        walk.open(f"a/f_{n:04d}.nii")
    for n in range(TOLERATED):
        walk.open(f"a/f_{1000 + 50 * n}.nii")
    assert not blocks.cancelled
    walk.open("a/f_1990.nii")
    assert sorted(blocks.cancelled) == [f"a/f_{n:04d}.nii" for n in range(20, 20 + MOST)]
    assert len(blocks.fetched) == len(blocks.cancelled) + 17


def test_a_pattern_that_breaks_before_the_prefetch_is_there(blocks: Recorder) -> None:
    """One thread has guesses and is about to fetch them when another ends the sweep they come from."""
    walk = Walk(flat(2000), blocks)

    def elsewhere() -> None:
        for n in range(TOLERATED + 1):
            walk.open(f"a/f_{1000 + 50 * n}.nii")

    for n in range(2):
        walk.open(f"a/f_{n:04d}.nii")
    blocks.meanwhile = elsewhere
    walk.open("a/f_0002.nii")
    assert sorted(blocks.cancelled) == sorted(blocks.fetched) == [f"a/f_{n:04d}.nii" for n in range(3, 3 + FIRST)]


def test_many_threads_and_nothing_is_believed_for_ever(blocks: Recorder) -> None:
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
    source = walk.ahead._sources[id(walk.catalogue)]
    assert len(source._guesses) <= MOST


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
            waiting = len(harness.fetcher._owned)
        assert waiting > MOST // 2
        for n in range(TOLERATED + 1):
            walk.open(f"a/f_{200 + 40 * n:04d}.nii")
        gate.open()
        harness.quiet()
        read = [c.key for c in harness.store.calls if c.op == "read"]
        late = [f"a/f_{n:04d}.nii" for n in range(40, 40 + MOST)]
        assert not set(read) & set(late), "guesses of which the walk opened none"
        assert harness.count("prefetch.cancelled.requests") >= len(late)
        assert not harness.fetcher._owned
