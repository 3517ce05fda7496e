"""A catalogue over a store in memory, with a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.model.entry import Entry
from mountnd.config.options import INDEFINITE
from mountnd.stats import Stats
from mountnd.stores.memory import MemoryStore
from mountnd.stores.offline import Offline
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
        store = options.pop("store", self.store)
        self.cat = Catalogue(store, workers=self._workers, stats=self.stats, **(self._settings | options))

    def restart_offline(self) -> None:
        """Another one after the first has ended, as `assembly` makes it for a mount that asks no server."""
        self.restart(store=Offline(self.store), ttl=INDEFINITE)

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


def find(w: World, top: Entry | None = None, shuffle: Random | None = None) -> Iterator[Entry]:
    """Every entry, directories before what is in them, as `find` goes."""
    scan = w.cat.scan(top or w.cat.root)
    try:
        entries = [entry for entry, _ in scan.read(0)]
    finally:
        scan.close()
    if shuffle:
        shuffle.shuffle(entries)
    for entry in entries:
        yield entry
        if entry.is_dir:
            yield from find(w, entry, shuffle)


Make = Callable[..., World]
