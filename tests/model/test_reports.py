"""What cannot be shown is told in the log: when it is listed, and again by the next mount that knows it from disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.model.entry import Entry
from mountnd.stats import Stats
from mountnd.stores.memory import MemoryStore
from mountnd.workers import Waiter, Workers

# "odd/b" is hidden by the directory of that name, "odd/" by being one.
KEYS = ["odd/", "odd/./a", "odd/b", "odd/b/x", "plain/x"]


def told_by_a_mount(state: Path, log: pytest.LogCaptureFixture) -> tuple[list[str], dict[str, int]]:
    """What a catalogue says in the log while all its directories are read twice, and its counters."""
    workers, stats = Workers(2, "names"), Stats()
    store = MemoryStore(dict.fromkeys(KEYS, b"x"))
    cat = Catalogue(store, ttl=300, workers=workers, waiter=Waiter(), timeout=20, stats=stats, state_dir=state)
    log.clear()
    try:
        for _ in range(2):
            for key in ("", "odd/", "odd/b/", "plain/"):
                scan = cat.scan(Entry(b"?", key, True, None))
                assert list(scan.read(0))
                scan.close()
    finally:
        cat.close()
        workers.close()
    return [record.getMessage() for record in log.records], stats.snapshot()


def test_hidden_keys_are_told_once_a_mount(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told, _ = told_by_a_mount(tmp_path, caplog)
    assert len(told) == 1
    assert "odd" in told[0] and "3 key(s) not shown" in told[0]
    again, stats = told_by_a_mount(tmp_path, caplog)
    assert stats["names.recalled.listings"] > 0
    assert "names.list.requests" not in stats or not stats["names.list.requests"]
    assert again == told
