"""The fixture that makes catalogues over a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mountnd.stores.memory import MemoryStore
from mountnd.workers import Workers

from .world import Make, World


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
