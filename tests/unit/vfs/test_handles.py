"""The version rule: one inode, one version, for as long as anybody holds it."""

from __future__ import annotations

import threading

import pytest

from mountnd.catalog.model.entry import Entry
from mountnd.stores.base import ObjectId, ObjectStat
from mountnd.vfs.handles import OPENED_BITS, Handles
from mountnd.vfs.inodes import ROOT_NUMBER, Inode, inode_number


class FakeBlocks:
    """Opens streams that say what they are of."""

    def open(self, id: ObjectId, size: int) -> object:
        return id, size


def meta(etag: str, size: int = 10) -> ObjectStat:
    return ObjectStat(ObjectId("s", "k", etag), size, 0)


INODE = Inode(7, None, Entry(b"k", "k", False, meta("one")))


@pytest.fixture
def handles() -> Handles:
    return Handles(FakeBlocks())  # type: ignore[arg-type]


def test_the_first_open_and_the_same_version_again(handles: Handles) -> None:
    first, keep = handles.add(INODE, meta("one"))
    assert keep, "there are no pages, and to drop them would wait for others that read"
    _, drop = handles.remove(first)
    assert not drop
    _, keep = handles.add(INODE, meta("one"))
    assert keep


def test_an_open_of_a_version_that_is_gone_waits_for_no_other_reader(handles: Handles) -> None:
    """The pages are those of the version that it shares; to drop them would wait for whoever reads."""
    first, _ = handles.add(INODE, meta("one"))
    handles.get(first).pin.stale = True
    _, keep = handles.add(INODE, meta("two", 20))
    assert keep


def test_what_has_been_forgotten_may_have_pages_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mountnd.vfs.handles.REMEMBERED", 3)
    handles = Handles(FakeBlocks())  # type: ignore[arg-type]
    kept = []
    for number in (7, 8, 9, 10, 7, 11, 11 + OPENED_BITS):
        opened, keep = handles.add(INODE._replace(number=number), meta("one"))
        handles.remove(opened)
        kept.append(keep)
    assert kept == [True, True, True, True, False, True, False]


def test_a_new_version_waits_for_the_last_handle(handles: Handles) -> None:
    first, _ = handles.add(INODE, meta("one"))
    second, keep = handles.add(INODE, meta("two", 20))
    assert keep
    assert handles.get(second).size == 10
    assert handles.pinned(7) == meta("one")
    handles.remove(first)
    handles.remove(second)
    assert handles.pinned(7) is None
    third, keep = handles.add(INODE, meta("two", 20))
    assert not keep
    assert handles.get(third).size == 20


def test_who_opens_a_new_version_waits_for_the_release_that_follows_a_flush(handles: Handles) -> None:
    first, _ = handles.add(INODE, meta("one"))
    handles.get(first).flushed = True
    opened: list[tuple[int, bool]] = []
    opener = threading.Thread(target=lambda: opened.append(handles.add(INODE, meta("two", 20))))
    opener.start()
    handles.remove(first)
    opener.join(20)
    number, keep = opened[0]
    assert not keep
    assert handles.get(number).size == 20
    assert handles.pinned(7) == meta("two", 20)


def test_a_flush_of_a_duplicate_lets_go_of_nothing(handles: Handles) -> None:
    first, _ = handles.add(INODE, meta("one"))
    handles.get(first).flushed = True  # no release follows
    second, keep = handles.add(INODE, meta("two", 20))
    assert keep
    assert handles.get(second).size == 10
    assert handles.pinned(7) == meta("one")


def test_pages_of_a_version_that_is_gone_are_dropped_with_its_last_handle(handles: Handles) -> None:
    first, _ = handles.add(INODE, meta("one"))
    second, _ = handles.add(INODE, meta("one"))
    handles.get(first).pin.stale = True
    assert handles.remove(first)[1] is False
    assert handles.remove(second)[1] is True


def test_after_close_a_version_that_is_gone_is_not_told_on(handles: Handles) -> None:
    first, _ = handles.add(INODE, meta("one"))
    assert handles.settled(7) == meta("one")
    handle = handles.get(first)
    handle.pin.stale = True
    assert handles.settled(7) == meta("one"), "it is open"
    handle.flushed = True
    told: list[object] = []
    asker = threading.Thread(target=lambda: told.append(handles.settled(7)))
    asker.start()
    handles.remove(first)
    asker.join(20)
    assert told == [None]


def test_a_duplicate_that_was_closed_is_waited_for_once(handles: Handles) -> None:
    first, _ = handles.add(INODE, meta("one"))
    handle = handles.get(first)
    handle.pin.stale = handle.flushed = True  # no release follows
    assert handles.settled(7) == meta("one")
    assert not handle.flushed


def test_closing_twice_is_an_error_of_the_caller(handles: Handles) -> None:
    first, _ = handles.add(INODE, meta("one"))
    handles.remove(first)
    with pytest.raises(KeyError):
        handles.remove(first)
    assert len(handles) == 0


def test_inode_numbers_are_stable_and_tell_sources_apart() -> None:
    assert inode_number(b"openneuro", "ds000001/README") == inode_number(b"openneuro", "ds000001/README")
    assert inode_number(b"a", "k") != inode_number(b"b", "k")
    assert inode_number(b"a", "k") != inode_number(b"a", "k/")
    numbers = {inode_number(b"a", f"k{i}") for i in range(10_000)}
    assert len(numbers) == 10_000
    assert all(ROOT_NUMBER < n < 1 << 63 for n in numbers)
    assert inode_number(b"a", "\udcff\udcfe")  # not UTF-8: surrogates stand for its bytes
