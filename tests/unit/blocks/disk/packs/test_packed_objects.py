"""Small objects of a directory that nodes share lie in packs: found, waited for, damaged, merged, evicted, held."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mountnd.blocks.disk import contents, directory
from mountnd.blocks.disk.chunk_file import ChunkFile, ChunkIdentity
from mountnd.blocks.disk.packs import index, merger, reader
from mountnd.blocks.disk.packs.format import FOLDER, PACKED, encode_record, key_of
from mountnd.blocks.disk.packs.merging import MANY, merge
from mountnd.blocks.disk.packs.pack_file import NewPack, PackFile
from mountnd.blocks.disk.packs.reader import PackReader
from mountnd.blocks.disk.place import CacheDirectory
from mountnd.blocks.disk.shared_cache import SharedCache
from mountnd.blocks.geometry import BLOCK, BlockRange, block_count, block_size
from mountnd.blocks.memory import PinnedBlocks
from mountnd.private_directory import PrivateDirectory
from mountnd.shared_directory.directory import SharedDirectory, SharedPath
from mountnd.stats import (
    BYTES_FETCHED,
    BYTES_FROM_SHARED,
    NODE_WAITS,
    SHARED_DAMAGED,
    SHARED_EVICTED,
    SHARED_KEPT,
    SHARED_MERGED,
    SHARED_PACKS,
    SHARED_SKIPPED,
)
from mountnd.stores.base import ObjectId, ObjectStat
from tests.support.strangers import KINDS, as_stranger, picture, plant_special, shared_place
from tests.support.threads import run_together
from tests.support.waiting import wait_until

from ...harness import KIB, MIB, BlocksHarness, body
from ..disk_harness import bulk_of, fetch, flush_shared, piece, shared_node, shared_nodes, through

FILES = {f"sub-{n:03}/sub-{n:03}_bold.json": body(300 + 37 * n, n) for n in range(100)}
FILES_A = body(5000)
LARGER = body(200 * KIB + 7)


def walk(node: BlocksHarness, files: dict[str, bytes] = FILES) -> None:
    for key, data in files.items():
        through(node, data, key)


def tier(node: BlocksHarness) -> SharedCache:
    shared = node.blocks._shared
    assert isinstance(shared, SharedCache)
    return shared


def packs(top: Path) -> list[Path]:
    return sorted((top / "blocks" / FOLDER).glob("*.pack"))


def root(top: Path) -> PrivateDirectory:
    return SharedPath(top / "blocks").open()


def load(node: BlocksHarness, id: ObjectId, size: int) -> dict[int, bytes]:
    views = [memoryview(bytearray(block_size(i, size))) for i in range(block_count(size))]
    found = tier(node).load(id, size, BlockRange(0, len(views)), views)
    return {i: bytes(views[i]) for i in found}


def put(node: BlocksHarness, key: str, data: bytes) -> ObjectStat:
    """Read an object through a node, so that the others find it."""
    through(node, data, key)
    flush_shared(node)
    return node.put(key, data)


@pytest.fixture
def filled(top: Path) -> Path:
    with shared_node(top) as node:
        walk(node)
    return top


def total(files: dict[str, bytes] = FILES) -> int:
    return sum(map(len, files.values()))


def test_a_hundred_files_are_a_few_in_the_directory(top: Path) -> None:
    with shared_node(top) as node:
        walk(node)
        through(node, LARGER, "larger")
        flush_shared(node)
        assert node.count(SHARED_KEPT) == total() + len(LARGER)
        assert node.count(SHARED_PACKS) == len(packs(top)) <= 10
        through(node, body(PACKED + 1), "image")  # a file of its own
    assert len(list(directory.scan(SharedPath(top / "blocks")))) == len(packs(top)) + 1
    for path in packs(top):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with shared_node(top) as node:
        walk(node)
        through(node, LARGER, "larger")
        assert node.count(BYTES_FETCHED) == 0
        assert node.count(BYTES_FROM_SHARED) == total() + len(LARGER)


def test_several_at_once_fetch_a_byte_once(top: Path) -> None:
    with shared_nodes(top, 4) as made:
        for node in made:
            node.store.fault = lambda call: time.sleep(0.01)
        run_together([lambda node=node: walk(node) for node in made])  # type: ignore[misc]
        assert sum(node.count(BYTES_FETCHED) for node in made) == total()
        assert sum(node.count(NODE_WAITS) for node in made) > 0
        assert sum(node.count(SHARED_PACKS) for node in made) < len(FILES)
    assert [path.name for path in (top / "blocks" / "leases").iterdir()] == [".made"]


def test_whoever_is_told_that_it_is_written_is_told_the_truth(top: Path) -> None:
    """And so a lease is given up when others find what it was for."""
    with shared_node(top) as first, shared_node(top) as second:
        stat_ = first.put("a", FILES["sub-001/sub-001_bold.json"])
        id, size = stat_.id, stat_.size
        assert load(second, id, size) == {}
        told: list[dict[int, bytes]] = []

        def written() -> None:
            tier(second)._packs.expire()  # as after a wait
            told.append(load(second, id, size))

        data = FILES["sub-001/sub-001_bold.json"]
        tier(first).save(id, size, PinnedBlocks(BlockRange(0, 1), [memoryview(data)], None), written)
        wait_until(lambda: bool(told), seconds=20)
        assert told == [{0: data}]


def test_a_part_of_an_object_and_then_the_rest(top: Path) -> None:
    with shared_node(top) as node:
        id, size = node.put("a", LARGER).id, len(LARGER)
        views = [memoryview(LARGER[i * BLOCK : (i + 1) * BLOCK]) for i in range(block_count(size))]
        tier(node).save(id, size, PinnedBlocks(BlockRange(1, 2), views[1:2], None))
        flush_shared(node)
        assert load(node, id, size) == {1: bytes(views[1])}
        assert set(tier(node).held(id, size)) == {1}
        tier(node).save(id, size, PinnedBlocks(BlockRange(0, 4), views, None))
        flush_shared(node)
        assert load(node, id, size) == {i: bytes(view) for i, view in enumerate(views)}
    assert len(packs(top)) == 2


def test_prefetching_packs_too(top: Path, tmp_path: Path) -> None:
    with shared_node(top, tmp_path / "a") as first:
        pieces = [piece(first.put(key, data)) for key, data in FILES.items()]
        assert fetch(bulk_of(first), *pieces) == [None] * len(FILES)
        flush_shared(first)
        assert first.count(SHARED_KEPT) == total()
        assert len(packs(top)) <= 10
    with shared_node(top, tmp_path / "b") as second:
        pieces = [piece(second.put(key, data)) for key, data in FILES.items()]
        assert fetch(bulk_of(second), *pieces) == [None] * len(FILES)
        assert second.count(BYTES_FETCHED) == 0


def test_what_lies_in_a_file_of_its_own_is_read(top: Path) -> None:
    """As an earlier version kept small objects."""
    with shared_node(top) as node:
        id = node.put("a", LARGER).id
        wait_until((top / "blocks").exists)
        identity = ChunkIdentity.of(id, len(LARGER), 0)
        held = root(top)
        held.make(identity.name.partition("/")[0])
        views = [memoryview(LARGER[i * BLOCK : (i + 1) * BLOCK]) for i in range(3)]
        ChunkFile.create(held, identity, BlockRange(0, 3), views)
        assert set(tier(node).held(id, len(LARGER))) == {0, 1, 2}
        through(node, LARGER)
        assert node.count(BYTES_FETCHED) == len(LARGER) - 3 * BLOCK
        flush_shared(node)
        assert len(load(node, id, len(LARGER))) == 4  # the rest lies in a pack


def test_hundreds_who_look_while_looks_are_slow_do_not_wait_for_each_other(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else those who come last wait so long for a thread of the guard's that it takes the file system for one that
    hangs: 200 did, where a mount had 2,000 indexes to read at first, and the cache was left out."""
    monkeypatch.setattr(reader, "ROUNDS_S", 0.3)
    looks: list[float] = []

    def slow(self: index.PackIndex) -> bool:
        time.sleep(0.2)
        looks.append(time.monotonic())
        return True

    with shared_node(top) as node:
        stats = [node.put(f"{n}", FILES_A) for n in range(30)]
        tier(node)._guard._most = 2
        monkeypatch.setattr(index.PackIndex, "refresh", slow)
        run_together([partial(load, node, stat.id, stat.size) for stat in stats])
        assert 0 < len(looks) < len(stats)


def test_held_is_of_this_object(filled: Path) -> None:
    with shared_node(filled) as node:
        key, data = next(iter(FILES.items()))
        id = node.put(key, data).id
        assert set(tier(node).held(id, len(data))) == {0}
        assert set(tier(node).held(id._replace(version="v-1"), len(data))) == {0}
        assert set(tier(node).held(id._replace(etag='"other"'), len(data))) == set()
        held = node.blocks.held(id, len(data))
        assert len(held.shared) == 1


class TestDamage:
    def damage(self, top: Path) -> None:
        for path in packs(top):
            raw = bytearray(path.read_bytes())
            raw[20] ^= 1  # the first record
            path.write_bytes(raw)

    def test_what_is_damaged_is_fetched_again_and_packed_anew(self, filled: Path) -> None:
        self.damage(filled)
        with shared_node(filled) as node:
            walk(node)
            flush_shared(node)
            assert 0 < node.count(SHARED_DAMAGED) <= node.count(BYTES_FETCHED) < total() // 2
        with shared_node(filled) as node:
            walk(node)
            assert node.count(BYTES_FETCHED) == 0
        assert contents.verify(SharedPath(filled / "blocks")).bad_blocks > 0
        assert contents.verify(SharedPath(filled / "blocks")).bad_blocks == 0

    @pytest.mark.parametrize("keep", [0, 1, 19, 20, 500, -1])
    def test_packs_that_were_cut_hold_nothing(self, filled: Path, keep: int) -> None:
        for path in packs(filled):
            os.truncate(path, path.stat().st_size - 1 if keep < 0 else keep)
        with shared_node(filled) as node:
            walk(node)
            assert node.count(BYTES_FETCHED) == total()
            assert node.count(SHARED_DAMAGED) > 0

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_a_member_puts_there_instead(self, filled: Path, tmp_path: Path, kind: str) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "precious").write_text("mine")
        plant_special(packs(filled)[0], kind)
        before = picture(outside)
        with shared_node(filled) as node:
            walk(node)
            flush_shared(node)
        assert picture(outside) == before

    @pytest.mark.parametrize("kind", ["file", "link", "everybody's"])
    def test_a_folder_that_is_none_is_left_alone(self, top: Path, tmp_path: Path, kind: str) -> None:
        (tmp_path / "outside").mkdir()
        (top / "blocks").mkdir()
        (top / "blocks").chmod(0o2770)
        folder = top / "blocks" / FOLDER
        if kind == "file":
            folder.write_text("mine")
        elif kind == "link":
            folder.symlink_to(tmp_path / "outside")
        else:
            folder.mkdir()
            folder.chmod(0o2777)
        with shared_node(top) as node:
            walk(node)
            flush_shared(node)
            assert node.count(BYTES_FETCHED) == total()
            assert node.count(SHARED_SKIPPED) == total()
            through(node, body(MIB), "image")
            flush_shared(node)
            assert node.count(SHARED_KEPT) == MIB  # what is no matter of packs goes on
        assert list((tmp_path / "outside").iterdir()) == []

    @pytest.mark.parametrize("when", ["before", "meanwhile"])
    def test_a_pack_that_somebody_has_a_lease_of_keeps_no_other_from_being_read(self, top: Path, when: str) -> None:
        with shared_node(top) as node:
            put(node, "a", FILES_A)
        (first,) = packs(top)
        with shared_node(top) as node:
            put(node, "b", FILES_A)
        (newest,) = set(packs(top)) - {first}
        newest = newest.rename(newest.with_name("f" * 10 + newest.name[10:]))
        before = signal.signal(signal.SIGIO, signal.SIG_IGN)
        fd = os.open(newest, os.O_RDWR)
        try:
            with shared_node(top) as node:
                if when == "meanwhile":
                    through(node, FILES_A, "b")
                    assert node.count(BYTES_FETCHED) == 0
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                ids = [node.put(key, FILES_A) for key in ("a", "b")]
                assert [len(load(node, stat.id, stat.size)) for stat in ids] == [1, 0]
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
                wait_until(lambda: len(load(node, ids[1].id, ids[1].size)) == 1, "it is read again")
        finally:
            os.close(fd)
            signal.signal(signal.SIGIO, before)

    def test_a_folder_that_becomes_a_file(self, filled: Path) -> None:
        """What lies in files of its own is read then as ever."""
        with shared_node(filled) as node:
            walk(node, dict([*FILES.items()][:1]))
            folder = filled / "blocks" / FOLDER
            folder.rename(filled / "elsewhere")
            folder.write_text("mine")
            stat = node.put("b", FILES_A)
            identity = ChunkIdentity.of(stat.id, stat.size, 0)
            held = root(filled)
            held.make(identity.name[:2])
            ChunkFile.create(held, identity, BlockRange(0, 1), [memoryview(FILES_A)])
            key, data = [*FILES.items()][1]
            one = node.put(key, data)
            load(node, one.id, one.size)
            assert len(load(node, stat.id, stat.size)) == 1
            assert tier(node)._packs._index.packs == ()

    def test_another_objects_record_under_this_ones_key(self, top: Path) -> None:
        """Whole, with a right checksum, as whoever may write there can make it."""
        with shared_node(top) as node:
            id = node.put("a", b"right").id
            wait_until((top / "blocks").exists)
            root(top).make(FOLDER)
            mine = ChunkIdentity.of(id, 5, 0).encode()
            others = ChunkIdentity.of(id._replace(key="b"), 5, 0).encode()
            for record in (encode_record(others, 0, b"wrong"), encode_record(mine, 1, b"wrong"),
                           encode_record(mine, 0, b"wrong, and longer")):  # fmt: skip
                new = NewPack(root(top), 1e9)
                new.add(key_of(mine, 0), record)
                new.publish()
            assert load(node, id, 5) == {}
            assert set(tier(node).held(id, 5)) == set()
            through(node, b"right")
            assert node.count(BYTES_FETCHED) == 5


class TestOthersAtTheSameTime:
    def test_packs_that_go_are_missed_and_those_that_are_merged_are_found(self, filled: Path) -> None:
        with shared_node(filled) as node:
            key, data = next(iter(FILES.items()))
            id = node.put(key, data).id
            assert load(node, id, len(data)) == {0: data}
            names = [f"{FOLDER}/{path.name}" for path in packs(filled)]
            merge(root(filled), names, 2e9)
            assert load(node, id, len(data)) == {0: data}  # although it knows the old ones only
            for path in packs(filled):
                path.unlink()
            assert load(node, id, len(data)) == {}
            walk(node)
            assert node.count(BYTES_FETCHED) == total()

    def test_a_merge_between_listing_and_reading_hides_nothing(
        self, filled: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The old packs were listed, and the new one was not there then."""
        key, data = next(iter(FILES.items()))
        with shared_node(filled) as node:
            id = node.put(key, data).id
            for late in (False, True):
                names = index._pack_names
                left = [True]

                def merged_meanwhile(folder: PrivateDirectory, names=names, left=left, late=late) -> set[str]:  # type: ignore[no-untyped-def]
                    found: set[str] = names(folder)
                    if left and left.pop():
                        made = sorted(found)
                        merge(root(filled), made, 2e9)
                        if late:  # as who lists slowly may see neither
                            return set()
                    return found

                place = CacheDirectory(SharedPath(filled / "blocks"))
                one = PackReader(place, index.PackIndex(place), lambda name: None, lambda name, why: None)
                with monkeypatch.context() as patch:
                    patch.setattr(index, "_pack_names", merged_meanwhile)
                    assert list(one.read(id, len(data), BlockRange(0, 1), time.monotonic())) == [0]

    def test_a_pack_that_is_emptied_under_a_reader_is_not_called_damaged(self, filled: Path) -> None:
        with shared_node(filled) as node:
            key, data = next(iter(FILES.items()))
            id = node.put(key, data).id
            assert load(node, id, len(data)) == {0: data}
            one = tier(node)._packs._reader
            opened: list[PackFile] = []
            name = tier(node)._packs._index.packs[0].name

            def gone(self: PackFile, place: object, record=PackFile.record) -> object:  # type: ignore[no-untyped-def]
                for path in packs(filled):
                    directory.remove(SharedPath(filled / "blocks"), f"{FOLDER}/{path.name}")
                opened.append(self)
                return record(self, place)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(PackFile, "record", gone)
                assert one.read(id, len(data), BlockRange(0, 1), time.monotonic()) == {}
            assert opened and name
            assert node.count(SHARED_DAMAGED) == 0

    def test_many_small_packs_become_few(self, top: Path) -> None:
        with shared_node(top) as node:
            for n, (key, data) in enumerate(list(FILES.items())[: MANY + 1]):
                put(node, key, data)
                assert n >= MANY or len(packs(top)) == n + 1
            wait_until(lambda: len(packs(top)) == 1, seconds=20)
            wait_until(lambda: node.count(SHARED_MERGED) == MANY + 1, seconds=20)
            for key, data in list(FILES.items())[: MANY + 1]:
                assert load(node, node.put(key, data).id, len(data)) == {0: data}
        assert not (top / "blocks" / merger.LEASE).exists()

    def test_what_one_merge_leaves_the_next_does_though_nothing_more_is_packed(
        self, top: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mountnd.blocks.disk.packs.merging.AT_ONCE", 1)
        for module in ("merger", "tier"):
            monkeypatch.setattr(f"mountnd.blocks.disk.packs.{module}.AGAIN_S", 0.2)
        with shared_node(top) as node:
            wait_until((top / "blocks").exists)
            root(top).make(FOLDER)
            for n in range(MANY + 1):
                for size in (100, BLOCK):  # packs of two tiers
                    identity = ChunkIdentity.of(ObjectId(node.store.source, f"{n}", '"e"', "", size), size, 0).encode()
                    new = NewPack(root(top), 1e9 + n)
                    new.add(key_of(identity, 0), encode_record(identity, 0, bytes(size)))
                    new.publish()
            put(node, "a", b"one more")
            wait_until(lambda: len(packs(top)) <= 3, seconds=20)

    def test_one_node_merges_at_a_time(self, top: Path) -> None:
        with shared_node(top) as node:
            other = merger.ExclusiveLease(CacheDirectory(SharedPath(top / "blocks")), merger.LEASE)
            wait_until((top / "blocks").exists)
            assert other.acquire()
            for key, data in list(FILES.items())[: MANY + 1]:
                put(node, key, data)
            tier(node)._packs._merger.run()
            assert len(packs(top)) == MANY + 1
            other.release()
            wait_until(lambda: tier(node)._packs._merger.run() or len(packs(top)) == 1, seconds=20)
            assert len(packs(top)) == 1

    def test_where_old_ones_cannot_be_removed_none_are_merged_again(
        self, top: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remove = SharedDirectory.remove
        monkeypatch.setattr(
            SharedDirectory, "remove", lambda self, name: not name.endswith(".pack") and remove(self, name)
        )
        with shared_node(top) as node:
            for key, data in list(FILES.items())[: MANY + 3]:
                put(node, key, data)
            wait_until(lambda: len(packs(top)) == MANY + 4, seconds=20)
            tier(node)._packs._merger.run()
            assert len(packs(top)) == MANY + 4
            assert node.count(SHARED_MERGED) == 0

    def test_what_others_have_just_packed_is_seen(self, top: Path) -> None:
        """However soon after the last look, and within one tick of the file system's clock."""
        with shared_node(top) as first, shared_node(top) as second:
            for n, (key, data) in enumerate(FILES.items()):
                stat_ = put(first, key, data)
                if n % 2:  # two changes look like one
                    os.utime(top / "blocks" / FOLDER, (1e9, 1e9))
                tier(second)._packs.expire()
                assert load(second, stat_.id, len(data)) == {0: data}


class TestRoom:
    def test_packs_are_evicted_as_files(self, top: Path) -> None:
        with shared_node(top, limit=2 * MIB) as node:
            for n in range(40):
                put(node, f"{n}", body(150 * KIB, n))
            assert node.count(SHARED_EVICTED) > 0
            assert sum(path.stat().st_blocks * 512 for path in packs(top)) <= 2 * MIB
            found = [n for n in range(40) if load(node, node.put(f"{n}", body(150 * KIB, n)).id, 150 * KIB)]
            assert found and found[-1] == 39

    def test_under_a_small_limit_packs_are_small(self, top: Path) -> None:
        go = threading.Event()
        with shared_node(top, limit=2 * MIB) as node:
            id = node.put("a", b"x").id
            tier(node)._writer.do(lambda: go.wait(20) and None)
            for n in range(20):  # all before any is written: more than the limit
                data = body(150 * KIB, n)
                views = [memoryview(data[i * BLOCK : (i + 1) * BLOCK]) for i in range(block_count(len(data)))]
                of = id._replace(key=f"{n}", size=len(data))
                tier(node).save(of, len(data), PinnedBlocks(BlockRange(0, len(views)), views, None))
            go.set()
            flush_shared(node)
            assert node.count(SHARED_KEPT) == 20 * 150 * KIB
            assert sum(path.stat().st_blocks * 512 for path in packs(top)) <= 2 * MIB

    def test_a_full_disk_ends_packing_for_a_while_and_nobody_waits(
        self, top: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rename = SharedDirectory.rename

        def full(self: SharedDirectory, old: str, new: str) -> None:
            if new.endswith(".pack"):
                raise OSError(errno.ENOSPC, "full")
            rename(self, old, new)

        with shared_node(top) as node:
            monkeypatch.setattr(SharedDirectory, "rename", full)
            walk(node)
            flush_shared(node)
            assert node.count(SHARED_SKIPPED) == total()
            assert tier(node).leases(node.store.source) is None
            assert [path.name for path in (top / "blocks" / FOLDER).iterdir()] == [".made"]
        assert [path.name for path in (top / "blocks" / "leases").iterdir()] == [".made"]

    def test_what_waits_is_bounded(self, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mountnd.blocks.disk.packs.tier.COLLECT_S", 30.0)
        with shared_node(top) as node:
            node.blocks._shared._packs._collector._waiting_bytes = 4000  # type: ignore[union-attr]
            walk(node)
            assert node.count(SHARED_SKIPPED) > 0
            flush_shared(node)  # at once, and not in 30 s
            assert node.count(SHARED_KEPT) + node.count(SHARED_SKIPPED) == total()
            assert node.count(SHARED_KEPT) > 0

    def test_closing_publishes_what_waits(self, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mountnd.blocks.disk.packs.tier.COLLECT_S", 30.0)
        with shared_node(top) as node:
            walk(node)
        assert len(packs(top)) == 1
        assert node.count(SHARED_KEPT) == total()

    def test_a_directory_that_vanishes_is_made_again(self, filled: Path) -> None:
        with shared_node(filled) as node:
            key, data = next(iter(FILES.items()))
            assert load(node, node.put(key, data).id, len(data))
            shutil.rmtree(filled / "blocks")
            walk(node)
            flush_shared(node)
            assert node.count(SHARED_KEPT) > 0
        with shared_node(filled) as node:
            walk(node)
            assert node.count(BYTES_FROM_SHARED) > 0


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_two_users_of_one_group_read_and_merge_each_others_packs() -> None:
    """Each with the strictest umask; what is not for the group to read is left alone."""
    some = dict(list(FILES.items())[: MANY + 1])

    def job(uid: int, where: Path) -> str:
        def run() -> str:
            os.umask(0o077)
            with shared_node(where) as node:
                for key, data in some.items():
                    put(node, key, data)
                if uid == 2002:
                    put(node, "one more", b"data")
                    wait_until(lambda: node.count(SHARED_MERGED) > 0, seconds=20)
                return f"{node.count(BYTES_FETCHED)} {node.count(BYTES_FROM_SHARED)}"

        return as_stranger(run, uid=uid, groups=[54321])

    with shared_place() as place:
        where = place / "shared"
        where.mkdir()
        os.chown(where, 0, 54321)
        where.chmod(0o2770)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(merger.Merger, "is_due", False)
            assert job(2001, where) == f"{total(some)} 0"
        assert len(packs(where)) == MANY + 1
        hidden = packs(where)[0]
        content = hidden.read_bytes()
        hidden.chmod(0o600)
        fetched, from_shared = map(int, job(2002, where).split())
        (unread,) = PackFile.open(f"{FOLDER}/{hidden.name}", root(where)).heads()
        assert (fetched, from_shared) == (4 + unread.data, total(some) - unread.data)
        assert hidden.read_bytes() == content
        assert len(packs(where)) <= 4
        for path in packs(where):
            assert path.stat().st_gid == 54321


def test_checking_what_others_keep_to_themselves_removes_nothing() -> None:
    """Who may write a directory may remove what lies there, and verify took what it could not open for damaged."""

    def check(where: Path) -> Callable[[], str]:
        return lambda: str(tuple(contents.verify(SharedPath(where / "blocks"))))

    with shared_place() as place:
        where = place / "shared"
        where.mkdir()
        os.chown(where, 0, 54321)
        where.chmod(0o2770)
        with shared_node(where) as node:
            put(node, "a", FILES_A)
            put(node, "large", body(MIB))
        files = [packs(where)[0], *(path for path in (where / "blocks").glob("??/*") if path.name != ".made")]
        for mode, found in ((0o600, (0, 0, 0, 0, 2)), (0o640, (2, 1 + block_count(MIB), 0, 0, 0))):
            for path in files:
                path.chmod(mode)
            assert as_stranger(check(where), uid=2001, groups=[54321]) == str(found)
            assert all(path.exists() for path in files)
        raw = bytearray(files[1].read_bytes())
        raw[-1] ^= 1
        files[1].write_bytes(raw)
        assert as_stranger(check(where), uid=2001, groups=[54321]) == str((2, 1, 0, 1, 0))
        assert [path.exists() for path in files] == [True, False]


@pytest.fixture
def read_only(filled: Path) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SharedDirectory, "is_writable", False)
        yield filled


def test_a_read_only_directory_is_read(read_only: Path) -> None:
    before = picture(read_only)
    with shared_node(read_only) as node:
        walk(node)
        assert node.count(BYTES_FETCHED) == 0
    assert picture(read_only) == before
