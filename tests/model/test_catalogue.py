"""The catalogue against the reference: every name, present or absent, by look-ups and by scans, in any order."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mountnd import errors
from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.model.entry import Entry
from mountnd.stats import Stats
from mountnd.stores.base import Deadline
from mountnd.workers import Waiter, Workers

from .keys import SEGMENTS, close, key_sets, keys, segments
from .reference import Tree, showable
from .small_pages import TINY, SmallPages


class Machine(RuleBasedStateMachine):
    """Reads as a program would while keys come and go; after each change a TTL passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.workers = Workers(3, "model")
        self.patches = pytest.MonkeyPatch()
        self.directory = tempfile.TemporaryDirectory()
        logging.getLogger("mountnd.catalog").setLevel(logging.ERROR)  # odd keys are reported by the hundred here

    @initialize(
        sizes=key_sets,
        page=st.sampled_from([1, 2, 3, 7, 1000]),
        flat=st.booleans(),
        root=st.sampled_from(["", "", "a/", "sub-01/"]),
        limit=st.sampled_from([1, 4000, 1 << 20]),
        eager=st.booleans(),
        kept=st.booleans(),
    )
    def begin(
        self, sizes: dict[str, int], page: int, flat: bool, root: str, limit: int, eager: bool, kept: bool
    ) -> None:
        if eager:  # a handful of directories is a walk, and is listed in many ranges
            for module, name, value in TINY:
                self.patches.setattr(module, name, value)
        self.sizes = dict(sizes)
        self.store = SmallPages({key: b"x" * size for key, size in sizes.items()}, root=root)
        self.store.page, self.store.flat, self.root, self.flat = page, flat, root, flat
        self.limit, self.state = limit, Path(self.directory.name) if kept else None
        self.start()

    def start(self) -> None:
        self.cat = Catalogue(
            self.store, ttl=100.0, workers=self.workers, waiter=Waiter(), timeout=20, stats=Stats(),
            clock=lambda: self.now, wall=lambda: self.now + 1e9, limit_bytes=self.limit, state_dir=self.state,
        )  # fmt: skip

    @property
    def tree(self) -> Tree:
        return Tree(self.sizes, self.root)

    @rule(data=st.data())
    def scan(self, data: st.DataObject) -> None:
        prefix = data.draw(st.sampled_from(list(self.tree.directories())))
        entries = self.read(prefix)
        assert len({entry.name for entry in entries}) == len(entries)
        self.compare(entries, prefix)

    @rule(data=st.data())
    def scan_from_the_middle(self, data: st.DataObject) -> None:
        scan = self.cat.scan(self.entry(data.draw(st.sampled_from(list(self.tree.directories())))))
        try:
            whole = list(scan.read(0))
            if whole:
                i = data.draw(st.integers(0, len(whole) - 1))
                assert list(scan.read(whole[i][1])) == whole[i + 1 :]
        finally:
            scan.close()

    @rule(data=st.data(), name=st.one_of(close, segments))
    def look_up(self, data: st.DataObject, name: str) -> None:
        prefix = data.draw(st.sampled_from(list(self.tree.directories())))
        raw = name.encode("utf-8", "surrogateescape")
        try:
            got = self.cat.lookup(self.entry(prefix), raw)
        except errors.NotFound:
            assert name not in self.tree.listing(prefix)
        else:
            assert got.name == raw
            self.compare_one(got, self.tree.listing(prefix)[name])

    @rule(
        path=st.one_of(
            st.lists(close, min_size=1, max_size=4),
            st.lists(st.sampled_from([s for s in SEGMENTS if showable(s)]), min_size=1, max_size=4),
        )
    )
    def resolve(self, path: list[str]) -> None:
        entry, shown = self.cat.root, self.root
        for name in path:
            expected = self.tree.listing(shown).get(name)
            try:
                entry = self.cat.lookup(entry, name.encode("utf-8", "surrogateescape"))
            except errors.NotFound:
                assert expected is None
                return
            assert expected is not None
            self.compare_one(entry, expected)
            if not entry.is_dir:
                return
            shown = expected

    @rule(data=st.data())
    def reported(self, data: st.DataObject) -> None:
        prefix = data.draw(st.sampled_from(list(self.tree.directories())))
        assert {report.key for report in self.cat.hidden(self.entry(prefix))} == self.tree.hidden(prefix)

    @rule(random=st.randoms(use_true_random=False))
    def find(self, random: Random) -> None:
        todo, seen = [self.cat.root], set()
        while todo:
            here = todo.pop()
            entries = self.read(here.key)
            self.compare(entries, here.key)
            seen.add(here.key)
            todo.extend(entry for entry in entries if entry.is_dir)
            if random.random() < 0.5:
                random.shuffle(todo)
        assert seen == set(self.tree.directories())

    @rule()
    def restart(self) -> None:
        self.cat.close()
        self.start()

    @rule(changes=st.dictionaries(keys, st.sampled_from([None, 0, 1]), min_size=1, max_size=5))
    def change_and_wait(self, changes: dict[str, int | None]) -> None:
        for key, size in changes.items():
            if size is None:
                self.sizes.pop(key, None)
                self.store.delete(key)
            else:
                self.sizes[key] = size
                self.store.put(key, b"y" * size)
        self.now += 100.0

    @rule(data=st.data())
    def change_and_forget(self, data: st.DataObject) -> None:
        """Within the TTL: a file is rewritten, and a GET told so."""
        files = [key for p in self.tree.directories() for key in self.tree.listing(p).values() if key[-1] != "/"]
        if files:
            key = data.draw(st.sampled_from(sorted(files)))
            self.sizes[key] = 2
            self.store.put(key, b"zz")
            self.cat.forget(key)

    @rule(changes=st.dictionaries(keys, st.sampled_from([None, 1]), min_size=1, max_size=3))
    def change_and_refresh(self, changes: dict[str, int | None]) -> None:
        for key, size in changes.items():
            if size is None:
                self.sizes.pop(key, None)
                self.store.delete(key)
            else:
                self.sizes[key] = size
                self.store.put(key, b"w" * size)
        self.cat.refresh(self.root)

    @invariant()
    def what_is_known_is_right(self) -> None:
        if hasattr(self, "cat"):
            for prefix in self.tree.directories():
                if (entries := self.cat.known(self.entry(prefix))) is not None:
                    self.compare(list(entries), prefix)

    def entry(self, prefix: str) -> Entry:
        return Entry(b"?", prefix, True, None)

    def read(self, prefix: str) -> list[Entry]:
        scan = self.cat.scan(self.entry(prefix))
        try:
            return [entry for entry, _ in scan.read(0)]
        finally:
            scan.close()

    def compare(self, entries: list[Entry], prefix: str) -> None:
        expected = {name.encode("utf-8", "surrogateescape"): key for name, key in self.tree.listing(prefix).items()}
        assert {entry.name: entry.key for entry in entries} == expected
        for entry in entries:
            self.compare_one(entry, entry.key)

    def compare_one(self, entry: Entry, key: str) -> None:
        assert (entry.key, entry.is_dir) == (key, key.endswith("/"))
        if not entry.is_dir:
            stat = self.store.head(key, deadline=Deadline(5))
            assert entry.stat == stat
        elif entry.stat is not None:
            assert entry.stat.id.key == key

    def teardown(self) -> None:
        logging.getLogger("mountnd.catalog").setLevel(logging.NOTSET)
        self.workers.close()
        if hasattr(self, "cat"):
            self.cat.close()
        self.patches.undo()
        self.directory.cleanup()


TestCatalogue = Machine.TestCase
TestCatalogue.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
