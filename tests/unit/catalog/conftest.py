"""A catalogue over a store in memory, with a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.model.entry import Entry
from mountnd.stats import Stats
from mountnd.stores.memory import MemoryStore
from mountnd.workers import Waiter, Workers
from tests.support.waiting import Clock


class World:
    """A store, a catalogue over it, and short ways to ask both."""

    def __init__(self, store: MemoryStore, workers: Workers, **options: Any) -> None:
        self.store, self.clock, self.stats, self._workers = store, Clock(), Stats(), workers
        self._settings: dict[str, Any] = {
            "ttl": 300.0,
            "timeout": 20.0,
            "clock": self.clock,
            "wall": lambda: self.clock.now + 1_700_000_000,
            "waiter": Waiter(),
        } | options
        self.start()

    def start(self, **options: Any) -> None:
        """A catalogue that knows nothing but what was kept on disk."""
        self.cat = Catalogue(self.store, workers=self._workers, stats=self.stats, **(self._settings | options))

    def restart(self, **options: Any) -> None:
        """Another one after the first has ended."""
        self.cat.close()
        self.start(**options)
        self.store.calls.clear()

    def at(self, path: str) -> Entry:
        """The entry at a path, resolved component by component as the kernel does."""
        entry = self.cat.root
        for part in path.split("/"):
            if part:
                entry = self.cat.lookup(entry, part.encode("utf-8", "surrogateescape"))
        return entry

    def ls(self, path: str = "") -> list[str]:
        """Names in a directory, a "/" behind directories, in the scan's order."""
        return ls(self.cat, self.at(path))

    def requests(self) -> list[tuple[str, str]]:
        """(op, key) of every request since the last call."""
        made = [(call.op, call.key) for call in self.store.calls]
        self.store.calls.clear()
        return made


def ls(cat: Catalogue, directory: Entry) -> list[str]:
    scan = cat.scan(directory)
    try:
        return [entry.name.decode("utf-8", "surrogateescape") + "/" * entry.is_dir for entry, _ in scan.read(0)]
    finally:
        scan.close()


Make = Callable[..., World]


@pytest.fixture
def make() -> Iterator[Make]:
    """`make(keys or {key: body}, **catalogue options)` -> World."""
    pools = []

    def build(keys: Any = (), *, root: str = "", flat: bool = True, **options: Any) -> World:
        bodies = keys if isinstance(keys, dict) else {key: b"" if key.endswith("/") else b"x" for key in keys}
        store = MemoryStore(bodies, root=root)
        store.flat = flat
        workers = Workers(4, "names")
        pools.append(workers)
        return World(store, workers, **options)

    yield build
    for pool in pools:
        pool.close()
