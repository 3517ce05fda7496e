"""Which packs are merged, and what of them is kept: everything once, whatever else happens at the same time."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.blocks.disk import contents, directory
from mountnd.blocks.disk.base import OWN
from mountnd.blocks.disk.chunk_file import ChunkIdentity
from mountnd.blocks.disk.packs import merger, merging
from mountnd.blocks.disk.packs.format import FOLDER, MOST_RECORDS, encode_record, key_of
from mountnd.blocks.disk.packs.index import PackIndex
from mountnd.blocks.disk.packs.merging import AT_ONCE, MANY, MERGED, PackSize, merge, to_merge
from mountnd.blocks.disk.packs.pack_file import NewPack, Pack, PackFile
from mountnd.blocks.disk.place import CacheDirectory
from mountnd.private_directory import PrivateDirectory
from mountnd.shared_directory.directory import SharedPath
from mountnd.stats import Stats
from mountnd.stores.base import ObjectId
from tests.support.threads import run_together

KIB, MIB = 1 << 10, 1 << 20
SIZE = 50


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks").chmod(0o2770)
    return tmp_path / "blocks"


def root(top: Path) -> PrivateDirectory:
    held = SharedPath(top).open()
    held.make(FOLDER)
    return held


def identity(key: str) -> bytes:
    return ChunkIdentity.of(ObjectId("s3://b", key, '"e"', "", SIZE), SIZE, 0).encode()


def body(key: str) -> bytes:
    return key.encode().ljust(SIZE, b".")


def pack(top: Path, *keys: str, now: float = 1e9) -> Pack:
    new = NewPack(root(top), now)
    for key in keys:
        new.add(key_of(identity(key), 0), encode_record(identity(key), 0, body(key)))
    return new.publish()


def held(top: Path) -> list[str]:
    """The keys of all whole records, in all packs."""
    return sorted(
        record[2].id.key
        for path in sorted((top / FOLDER).glob("*.pack"))
        for record in PackFile.open(f"{FOLDER}/{path.name}", root(top)).records()
        if record is not None
    )


def names(top: Path) -> list[str]:
    return sorted(path.name for path in (top / FOLDER).iterdir() if path.name != ".made")


class TestPolicy:
    def test_few_are_left_alone(self) -> None:
        assert to_merge(PackSize(f"{n:04}", 10 * KIB, 5) for n in range(MANY)) == []

    def test_many_small_ones_become_one(self) -> None:
        (group,) = to_merge(PackSize(f"{n:04}", 10 * KIB, 5) for n in range(MANY + 1))
        assert len(group) == MANY + 1

    def test_large_ones_stay(self) -> None:
        assert to_merge(PackSize(f"{n:04}", MERGED // 2, 5) for n in range(1000)) == []
        assert to_merge(PackSize(f"{n:04}", 5 * MIB, MOST_RECORDS) for n in range(1000)) == []

    def test_packs_of_two_modes_do_not_become_one(self) -> None:
        packs = [PackSize(f"{n:04}", 10 * KIB, 5, (0o600, 0o660)[n % 2]) for n in range(2 * MANY + 2)]
        assert sorted(to_merge(packs)) == [[pack.name for pack in packs[n::2]] for n in (0, 1)]

    @given(st.lists(st.integers(30, 40 * MIB), max_size=120), st.integers(MIB, MERGED))
    def test_groups_are_bounded_and_nothing_is_in_two(self, sizes: list[int], most: int) -> None:
        packs = {f"{n:04}": PackSize(f"{n:04}", size, 1 + size // 1000) for n, size in enumerate(sizes)}
        groups = to_merge(packs.values(), most)
        assert len(groups) <= AT_ONCE
        flat = [name for group in groups for name in group]
        assert len(flat) == len(set(flat))
        for group in groups:
            assert len(group) > 1
            assert sum(packs[name].bytes for name in group) <= most
            assert sum(packs[name].records for name in group) <= MOST_RECORDS

    def test_it_comes_to_an_end_and_few_are_left(self) -> None:
        """Of 5,000 packs that come one by one; each byte is written again a few times."""
        packs: dict[str, PackSize] = {}
        written = most = 0
        for n in range(5000):
            packs[f"{n:06}"] = PackSize(f"{n:06}", 3 * KIB, 2)
            while groups := to_merge(packs.values()):
                for m, group in enumerate(groups):
                    gone = [packs.pop(name) for name in group]
                    bytes_ = sum(one.bytes for one in gone)
                    packs[f"{n:06}-{m}"] = PackSize(f"{n:06}-{m}", bytes_, sum(one.records for one in gone))
                    written += bytes_
            most = max(most, len(packs))
        assert most <= 3 * MANY + 1
        assert written <= 3 * 5000 * 3 * KIB


def test_all_is_kept_once_and_the_old_ones_go(top: Path) -> None:
    a, b, c = pack(top, "a", "b"), pack(top, "b", "c"), pack(top, "d")
    for n, one in enumerate((a, b, c)):
        os.utime(top / one.name, (1e9 + n, 1e9 + n))
    done = merge(root(top), [a.name, b.name, c.name], 2e9)
    assert (len(done.made), set(done.gone), done.kept, done.damaged) == (1, {a.name, b.name, c.name}, [], 0)
    assert held(top) == ["a", "b", "c", "d"]
    assert names(top) == [done.made[0].name.partition("/")[2]]
    assert (top / done.made[0].name).stat().st_mtime == 1e9 + 2  # as old as the youngest: eviction goes by it
    assert (top / done.made[0].name).stat().st_mode & 0o7777 == 0o660


def test_a_time_in_the_future_is_not_passed_on(top: Path) -> None:
    """It is of a wrong clock, and eviction takes what has such a time first."""
    made = [pack(top, "a"), pack(top, "b")]
    os.utime(top / made[0].name, (3e9, 3e9))
    done = merge(root(top), [one.name for one in made], 2e9)
    assert (top / done.made[0].name).stat().st_mtime == 2e9


def test_nobody_may_read_more_after_a_merge(top: Path) -> None:
    """One user's mounts may have modes of their own (`--shared-mode`): 0600 for what only he may read."""
    mine = [pack(top, key) for key in ("a", "b")]
    for one in mine:
        (top / one.name).chmod(0o600)
    ours = pack(top, "c")
    (made,) = merge(root(top), [one.name for one in (*mine, ours)], 1e9).made
    assert made.mode == 0o600 == (top / made.name).stat().st_mode & 0o777
    assert PackFile.open(made.name, root(top)).look().mode == 0o600
    assert (top / ours.name).stat().st_mode & 0o777 == 0o660
    assert held(top) == ["a", "b", "c"]


def test_clearing_and_verifying_leave_modes_as_they_were(top: Path) -> None:
    private = pack(top, "a", "b", "c")
    raw = bytearray((top / private.name).read_bytes())
    raw[raw.index(b"a.....")] ^= 1
    (top / private.name).write_bytes(raw)
    (top / private.name).chmod(0o600)
    contents.verify(SharedPath(top))
    contents.clear(SharedPath(top), lambda source, key: key == "b")
    assert held(top) == ["c"]
    assert [(top / FOLDER / name).stat().st_mode & 0o777 for name in names(top)] == [0o600]


def test_what_is_damaged_is_dropped(top: Path) -> None:
    a, b, c = pack(top, "a", "b"), pack(top, "c"), pack(top, "d")
    raw = bytearray((top / a.name).read_bytes())
    raw[40] ^= 1
    (top / a.name).write_bytes(raw)
    os.truncate(top / b.name, 30)
    done = merge(root(top), [a.name, b.name, c.name], 2e9)
    assert held(top) == ["b", "d"]
    assert done.damaged == 2


def test_what_is_gone_or_not_ours_to_read_is_no_error(top: Path, tmp_path: Path) -> None:
    a, b = pack(top, "a"), pack(top, "b")
    (top / b.name).unlink()
    link, everybody = f"{FOLDER}/{'0' * 10}-{'1' * 16}.pack", f"{FOLDER}/{'0' * 10}-{'2' * 16}.pack"
    (top / link).symlink_to(tmp_path / "outside")
    (top / everybody).write_bytes((top / a.name).read_bytes())
    (top / everybody).chmod(0o666)
    done = merge(root(top), [a.name, b.name, link, everybody], 2e9)
    assert set(done.gone) == {a.name}
    assert (top / link).is_symlink() and (top / everybody).exists()


def test_it_ends_without_a_trace(top: Path) -> None:
    made = [pack(top, "a", "b"), pack(top, "c", "d")]
    before, left = names(top), iter([True, True, True, False])
    with pytest.raises(OSError) as told:
        merge(root(top), [one.name for one in made], 2e9, go_on=lambda: next(left))
    assert told.value.errno == errno.ECANCELED
    assert names(top) == before


def test_a_full_disk_in_the_middle_loses_nothing(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [pack(top, "a", "b"), pack(top, "c", "d")]
    before = names(top)
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError):
        merge(root(top), [one.name for one in made], 2e9)
    assert names(top) == before
    assert held(top) == ["a", "b", "c", "d"]


def test_two_that_merge_the_same_lose_nothing(top: Path) -> None:
    for _ in range(10):
        made = [pack(top, *(f"{n}-{k}" for k in range(20))) for n in range(10)]
        order = [one.name for one in made]
        run_together(
            [lambda names=names: merge(root(top), names, 2e9) for names in (order, order[::-1])]  # type: ignore[misc]
        )
        assert set(held(top)) == {f"{n}-{k}" for n in range(10) for k in range(20)}
        left = [f"{FOLDER}/{name}" for name in names(top)]
        assert 1 <= len(left) <= 2
        done = merge(root(top), left, 2e9)
        assert held(top) == sorted(f"{n}-{k}" for n in range(10) for k in range(20))
        assert done.damaged == 0
        contents.clear(SharedPath(top))


def test_eviction_at_the_same_time_makes_nothing_wrong(top: Path) -> None:
    """What is evicted may be gone; what is not is there, once it is looked at."""
    for _ in range(10):
        made = [pack(top, *(f"{n}-{k}" for k in range(20))) for n in range(10)]
        start = threading.Barrier(2)

        def evict(start: threading.Barrier = start, made: list[Pack] = made) -> None:
            start.wait(20)
            for one in made[:5]:
                directory.remove(SharedPath(top), one.name)

        def merging(start: threading.Barrier = start, made: list[Pack] = made) -> None:
            start.wait(20)
            assert merge(root(top), [one.name for one in made], 2e9).damaged == 0

        run_together([evict, merging])
        assert set(held(top)) >= {f"{n}-{k}" for n in range(5, 10) for k in range(20)}
        assert contents.verify(SharedPath(top)).bad_blocks == 0
        contents.clear(SharedPath(top))


def test_more_than_a_pack_may_have_becomes_several(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mountnd.blocks.disk.packs.merging.MERGED", 2000)
    made = [pack(top, *(f"{n}-{k}" for k in range(5))) for n in range(10)]
    done = merge(root(top), [one.name for one in made], 2e9)
    assert len(done.made) > 1
    assert held(top) == sorted(f"{n}-{k}" for n in range(10) for k in range(5))


class TestContents:
    def test_listed_by_object_and_cleared_by_object(self, top: Path) -> None:
        pack(top, "a/1", "a/2", "b/1")
        found = contents.objects(SharedPath(top))
        assert sorted((entry.key, entry.size, entry.held) for entry in found) == [
            (key, SIZE, SIZE) for key in ("a/1", "a/2", "b/1")
        ]
        assert contents.held_bytes(SharedPath(top), "s3://b", float("inf")) == (3 * SIZE, True)
        freed, kept = contents.clear(SharedPath(top), lambda source, key: key.startswith("a/"))
        assert freed > 2 * SIZE and kept == 0
        assert held(top) == ["b/1"]
        contents.clear(SharedPath(top), lambda source, key: True)
        assert names(top) == []

    @pytest.mark.parametrize("what", [None, "a"])
    def test_what_is_cleared_does_not_come_back_by_a_merge(
        self, top: Path, monkeypatch: pytest.MonkeyPatch, what: str | None
    ) -> None:
        for n in range(MANY + 1):
            pack(top, "a" if n == 5 else f"b{n}")
        has_read, go = threading.Event(), threading.Event()
        publish = merging._Merging.publish

        def late(one: merging._Merging) -> list[Pack]:
            has_read.set()
            go.wait(20)
            return publish(one)

        monkeypatch.setattr(merging._Merging, "publish", late)
        place = CacheDirectory(SharedPath(top))
        node = merger.Merger(place, PackIndex(place), Stats(), OWN, lambda: None)

        def clear() -> None:
            assert has_read.wait(20)
            threading.Timer(0.3, go.set).start()
            contents.clear(SharedPath(top), (lambda source, key: key == what) if what else None)

        def run() -> None:
            node.run()

        run_together([run, clear])
        assert "a" not in held(top)
        assert len(held(top)) == (MANY if what else 0)
        assert not (top / merger.LEASE).exists()

    def test_clearing_waits_for_no_merge_without_end(self, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(contents, "MERGES_S", 0.2)
        pack(top, "a")
        (top / merger.LEASE).mkdir()
        contents.clear(SharedPath(top))
        assert held(top) == []
        (top / merger.LEASE).rmdir()
        pack(top, "a")
        (top / merger.LEASE).write_bytes(b"another's")
        contents.clear(SharedPath(top))
        assert held(top) == [] and (top / merger.LEASE).exists()

    def test_verify_drops_what_is_damaged_and_keeps_the_rest(self, top: Path) -> None:
        one, other, third = pack(top, "a", "b"), pack(top, "c"), pack(top, "d")
        raw = bytearray((top / one.name).read_bytes())
        raw[raw.index(b"a.....")] ^= 1
        (top / one.name).write_bytes(raw)
        (top / third.name).write_bytes(b"no pack")
        found = contents.verify(SharedPath(top))
        assert (found.files, found.blocks, found.bad_blocks, found.bad_files) == (3, 3, 1, 1)
        assert held(top) == ["b", "c"]
        assert contents.verify(SharedPath(top)) == (2, 2, 0, 0, 0)
        assert (top / other.name).exists()

    def test_what_a_crash_left_is_removed_after_a_while(self, top: Path) -> None:
        new = NewPack(root(top), 1e9)
        (temporary,) = names(top)
        assert list(directory.scan(SharedPath(top))) == []
        assert names(top) == [temporary]
        os.utime(top / FOLDER / temporary, (1e9, 1e9))
        assert list(directory.scan(SharedPath(top))) == []
        assert names(top) == []
        new.discard()
