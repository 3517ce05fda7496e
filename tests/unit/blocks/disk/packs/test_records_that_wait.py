"""What waits to be packed is counted, bounded, and told of; and what somebody waits for on the writer's thread."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest

from mountnd.blocks.disk.chunk_writer import ChunkWriter
from mountnd.blocks.disk.packs.collector import Added, Collector
from mountnd.blocks.disk.place import CacheDirectory
from mountnd.blocks.disk.shared_room import SharedRoom
from mountnd.blocks.disk.writer import WriteBehind
from mountnd.shared_directory.directory import SharedPath
from mountnd.stats import Stats
from tests.support.waiting import wait_until


def test_the_first_others_and_enough() -> None:
    collector, told = Collector(100, 1000), list[int]()
    assert collector.add({1: bytes(40)}, lambda: told.append(1)) is Added.FIRST
    assert collector.add({2: bytes(40)}, None) is Added.MORE
    assert collector.add({3: bytes(40)}, lambda: told.append(3)) is Added.ENOUGH
    assert collector.add({4: bytes(40)}, None) is Added.MORE  # whoever takes them was called already
    batch = collector.take()
    assert (list(batch.records), batch.bytes, told) == ([1, 2, 3, 4], 160, [])
    collector.done(batch)
    assert told == [1, 3]
    assert collector.take().records == {}
    assert collector.add({1: bytes(40)}, None) is Added.FIRST


def test_the_same_block_twice_is_one_record() -> None:
    collector, told = Collector(100, 1000), list[int]()
    for n in range(3):
        collector.add({1: bytes(40)}, lambda n=n: told.append(n))  # type: ignore[misc]
    batch = collector.take()
    assert (len(batch.records), batch.bytes) == (1, 40)
    collector.done(batch)
    assert told == [0, 1, 2]


def test_there_is_no_more_than_so_much_also_of_what_is_being_written() -> None:
    collector = Collector(50, 100)
    assert collector.add({1: bytes(60)}, None) is Added.ENOUGH
    batch = collector.take()
    assert collector.add({2: bytes(60)}, None) is Added.REFUSED
    assert collector.add({3: bytes(40)}, None) is Added.FIRST
    collector.done(batch)
    assert collector.add({2: bytes(60)}, None) is Added.ENOUGH


class TestWorkOfTheWritersThread:
    @pytest.fixture
    def writer(self, top: Path) -> WriteBehind:
        root, stats = CacheDirectory(SharedPath(top)), Stats()
        return WriteBehind(root, ChunkWriter(root, SharedRoom(root, 1 << 20, stats), stats, 0), stats)

    def test_what_is_due_goes_first(self, writer: WriteBehind) -> None:
        done: list[str] = []
        go = threading.Event()
        writer.do(lambda: go.wait(20) and None)
        later = writer.do(lambda: done.append("later"), 0.2)
        soon = writer.do(lambda: done.append("soon"))
        go.set()
        soon.result(20)
        assert done == ["soon"]
        later.result(20)
        assert done == ["soon", "later"]
        writer.close()

    @pytest.mark.parametrize("end", ["flush", "close"])
    def test_flushing_and_closing_wait_for_nothing_to_become_due(self, writer: WriteBehind, end: str) -> None:
        done: list[int] = []
        later = writer.do(lambda: done.append(1), 1000.0)
        if end == "flush":
            assert writer.flush(20)
        writer.close()
        assert done == [1] and later.done()

    def test_flushing_waits_for_what_is_under_way(self, writer: WriteBehind) -> None:
        begun = threading.Event()
        writer.do(lambda: begun.set() or time.sleep(0.3))
        assert begun.wait(20)
        assert not writer.flush(0.01)
        assert writer.flush(20)
        writer.close()

    def test_what_fails_is_told_and_the_thread_goes_on(self, writer: WriteBehind) -> None:
        def fails(error: Exception) -> None:
            raise error

        told = [writer.do(lambda e=e: fails(e)) for e in (OSError(errno.EIO, "broken"), ValueError("no"))]  # type: ignore[misc]
        for future in told:
            assert isinstance(future.exception(20), OSError)
        assert writer.do(lambda: None).result(20) is None
        writer.close()
        assert isinstance(writer.do(lambda: None).exception(20), OSError)

    def test_dropping_tells_whoever_waits(self, writer: WriteBehind) -> None:
        later = writer.do(lambda: None, 1000.0)
        writer.drop()
        wait_until(later.done)
        assert isinstance(later.exception(), OSError)
        writer.close()
