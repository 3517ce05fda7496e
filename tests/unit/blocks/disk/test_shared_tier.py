"""The tier that nodes share: what one fetches the others read, other users of one group, too; and a ledger's room."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from mountnd.blocks.disk import directory, exclusive_lease, lease_files, ledger, members
from mountnd.blocks.disk.ledger import Ledger
from mountnd.blocks.disk.members import Members
from mountnd.blocks.disk.place import CacheDirectory
from mountnd.blocks.disk.shared_cache import SharedCache
from mountnd.blocks.disk.shared_room import SharedRoom
from mountnd.blocks.geometry import BlockRange, block_count, block_size
from mountnd.shared_directory.directory import SharedDirectory, SharedPath
from mountnd.stats import BYTES_FETCHED, BYTES_FROM_SHARED, NODE_WAITS, SHARED_KEPT, SHARED_SKIPPED, Stats
from tests.support.strangers import as_stranger, shared_place
from tests.support.threads import run_together
from tests.support.waiting import Clock, wait_until

from ..harness import MIB, body
from .disk_harness import SOURCE, bulk_of, fetch, lease_names, piece, through
from .disk_harness import flush_shared as flush
from .disk_harness import shared_node as one
from .disk_harness import shared_nodes as nodes

DATA = body(3 * MIB + 12345)
GROUP = 54321


def test_what_one_fetches_the_next_reads_and_keeps_for_itself(top: Path, tmp_path: Path) -> None:
    with one(top) as first:
        through(first, DATA)
        flush(first)
        assert first.count(SHARED_KEPT) == len(DATA)
    with one(top, tmp_path / "own") as second:
        through(second, DATA)
        assert second.count(BYTES_FETCHED) == 0
        assert second.count(BYTES_FROM_SHARED) == len(DATA)
        held = second.blocks.held(second.put("a", DATA).id, len(DATA))
        assert len(held.shared) == block_count(len(DATA))
    assert sum(file.bytes for file in directory.scan(tmp_path / "own")) >= len(DATA)


def test_several_at_once_fetch_a_byte_once(top: Path) -> None:
    with nodes(top, 4) as made:
        for node in made:
            node.store.fault = lambda call: time.sleep(0.2)  # so long that the others come meanwhile
        run_together([lambda node=node: through(node, DATA) for node in made])  # type: ignore[misc]
        assert sum(node.count(BYTES_FETCHED) for node in made) == len(DATA)
        assert sum(node.count(NODE_WAITS) for node in made) > 0


def test_a_source_that_is_not_open_is_passed_by(top: Path) -> None:
    with one(top, sources=()) as node:
        through(node, DATA)
        flush(node)
        assert node.count(BYTES_FETCHED) == len(DATA)
    assert not any(directory.scan(SharedPath(top / "blocks")))


def test_a_version_by_its_id_is_found_too(top: Path) -> None:
    """As lockfiles and snapshots name it; what they have kept plain mounts find, and the other way round."""
    with one(top) as first:
        id = first.put("a", DATA).id
        through(first, DATA)
        flush(first)
        shared = first.blocks._shared
        assert isinstance(shared, SharedCache) and id.etag.startswith('"')
        named = id._replace(version="v-1")
        views = [memoryview(bytearray(block_size(i, len(DATA)))) for i in range(block_count(len(DATA)))]
        assert list(shared.held(named, len(DATA))) == list(range(len(views)))
        assert list(shared.load(named, len(DATA), BlockRange(0, len(views)), views)) == list(range(len(views)))
        assert b"".join(views) == DATA


def test_bulk_fetches_share_too(top: Path, tmp_path: Path) -> None:
    with one(top, tmp_path / "a") as first:
        assert fetch(bulk_of(first), piece(first.put("a", DATA))) == [None]
        assert first.count(BYTES_FETCHED) == len(DATA)
        flush(first)
    with one(top, tmp_path / "b") as second:
        assert fetch(bulk_of(second), piece(second.put("a", DATA))) == [None]
        assert second.count(BYTES_FETCHED) == 0


def test_a_lease_of_one_that_is_dead_ends(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "CLUSTER", members.CLUSTER._replace(silent_s=1.0))
    with one(top) as node:
        leases = top / "blocks" / lease_files.FOLDER
        stat_ = node.put("a", DATA)
        wait_until((top / "blocks").exists)
        leases.mkdir(mode=0o770)
        for n, name in enumerate(lease_names(stat_.id, len(DATA))):
            (leases / name).write_text("" if n % 2 else "0123456789abcdef")
            (leases / name).chmod(0o660)
        through(node, DATA)
        assert node.count(BYTES_FETCHED) == len(DATA)
        flush(node)
    assert [path.name for path in leases.iterdir() if path.name != ".made"] == []


@pytest.mark.parametrize("owner", ["../../../../etc/pas", "0123456789abcde/", "", "\xff" * 16])
def test_an_owner_that_is_none(top: Path, owner: str) -> None:
    """What a lease says is a name of ours, or nobody's."""
    root = CacheDirectory(SharedPath(top))
    files = lease_files.LeaseFiles(root, "f" * 16)
    files.make("0" * 32 + "-1")
    (top / lease_files.FOLDER / ("0" * 32 + "-1")).write_text(owner)
    assert files.read("0" * 32 + "-1")[0] == ""
    assert not Members(root).lives(owner, SOURCE)


def test_whoever_shows_life_lives_whatever_the_clocks_say(top: Path) -> None:
    clock, root = Clock(), CacheDirectory(SharedPath(top))
    here, there = Members(root, clock), Members(root, clock)
    there.join(())
    assert here.lives(there.owner, SOURCE)
    path = top / members.FOLDER / there.owner
    for n in range(6):
        clock.now += 2
        os.utime(path, (1e9 * (n % 2), 1e9 * (n % 3)))  # any change will do
        assert here.lives(there.owner, SOURCE)
    clock.now += members.CLUSTER.silent_s + 2
    assert not here.lives(there.owner, SOURCE)
    os.utime(path)
    clock.now += 2
    assert here.lives(there.owner, SOURCE)
    there.leave()
    clock.now += 2
    assert not here.lives(there.owner, SOURCE)


def test_the_first_fetch_takes_leases_although_its_mount_is_just_joining(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes its file on another thread: whoever reads meanwhile must not take leases for useless."""
    begun, go, create = threading.Event(), threading.Event(), SharedDirectory.create

    def slow(self: SharedDirectory, name: str) -> int:
        if threading.current_thread().name == "joining":
            begun.set()
            go.wait(20)
        return create(self, name)

    monkeypatch.setattr(SharedDirectory, "create", slow)
    here = Members(CacheDirectory(SharedPath(top)))
    joining = threading.Thread(target=here.join, args=((),), name="joining")
    joining.start()
    try:
        assert begun.wait(20)
        assert here.fetching(SOURCE)
    finally:
        go.set()
        joining.join(20)
    assert here.fetching(SOURCE)


def test_who_makes_mounts_up_is_waited_for_a_few_times_only(top: Path) -> None:
    clock = Clock()
    here = Members(CacheDirectory(SharedPath(top)), clock)
    assert here.fetching(SOURCE)
    for n in range(members.VAIN):
        assert here.fetching(SOURCE)
        here.distrust(f"{n:016x}", SOURCE)
    assert not here.fetching(SOURCE)
    clock.now += members.DISTRUST_S + 1
    assert here.fetching(SOURCE)


class TestLedger:
    def test_one_at_a_time_and_a_crash_ends(self, top: Path) -> None:
        clock, root = Clock(), CacheDirectory(SharedPath(top))
        one, other = Ledger(root, clock), Ledger(root, clock)
        assert one.acquire()
        assert not other.acquire()
        one.release()
        assert other.acquire()  # and is killed
        assert not one.acquire()
        clock.now += exclusive_lease.STALE_S / 2
        assert not one.acquire()
        clock.now += exclusive_lease.STALE_S
        assert one.acquire()
        other.release()  # it was only slow: the lease is another's by now
        assert (top / ledger.LEASE).exists()
        clock.now += exclusive_lease.BEAT_S + 1
        assert one.beat() and not other.beat()

    def test_whoever_beats_is_not_taken_for_dead(self, top: Path) -> None:
        clock, root = Clock(), CacheDirectory(SharedPath(top))
        one, other = Ledger(root, clock), Ledger(root, clock)
        assert one.acquire()
        for _ in range(5):
            clock.now += exclusive_lease.STALE_S / 2
            assert one.beat()
            time.sleep(0.01)  # the file system's clock ticks
            assert not other.acquire()

    @pytest.mark.parametrize(
        "content", [b"", b"\0" * 100, b'{"taken": 1} 0', b"x" * 5000, b'{"taken": -1} a', b"[" * 4000]
    )
    def test_nonsense_is_as_none(self, top: Path, content: bytes) -> None:
        book = Ledger(CacheDirectory(SharedPath(top)))
        book.write(17)
        assert book.read() == 17
        (top / ledger.NAME).write_bytes(content)
        if len(content) > 4096:
            with pytest.raises(OSError):
                book.read()
        else:
            assert book.read() is None


class TestRoom:
    def test_rooms_share_one_limit(self, top: Path) -> None:
        root = CacheDirectory(SharedPath(top))
        rooms = [SharedRoom(root, 10 * MIB, Stats()) for _ in range(3)]
        given = 0
        for room in rooms * 10:
            if room.make(MIB, lambda name: None):
                room.spend(MIB)
                given += MIB
        # Nothing was written, so when the sum reaches the limit a look finds it all free again.
        assert given == 30 * MIB
        taken = Ledger(root).read()
        assert taken is not None and taken <= 10 * MIB

    def test_while_another_evicts_nothing_is_written(self, top: Path) -> None:
        clock, root = Clock(), CacheDirectory(SharedPath(top))
        room, other = SharedRoom(root, 10 * MIB, Stats(), clock), Ledger(root, clock)
        assert other.acquire()
        assert not room.make(MIB, lambda name: None)
        other.release()
        assert not room.make(MIB, lambda name: None)  # not asked again that soon
        clock.now += 2
        assert room.make(MIB, lambda name: None)

    def test_what_is_longest_unused_goes(self, top: Path) -> None:
        with one(top) as node:
            for n, key in enumerate("abcd"):
                through(node, body(2 * MIB, n), key)
            flush(node)
        files = sorted(directory.scan(SharedPath(top / "blocks")), key=lambda file: file.used)
        for n, file in enumerate(files):
            os.utime(top / "blocks" / file.path, (1e9 + n, 1e9 + n))
        root = CacheDirectory(SharedPath(top / "blocks"))
        room = SharedRoom(root, 5 * MIB, Stats())
        done = room.collect()
        assert done is not None and done[0] <= 5 * MIB and done[1] >= 3 * MIB
        left = {file.path for file in directory.scan(root)}
        assert left == {file.path for file in files[2:]} or left == {file.path for file in files[3:]}

    def test_a_full_quota_makes_room_below_the_limit(self, top: Path) -> None:
        with one(top) as node:
            through(node, DATA)
            flush(node)
        root = CacheDirectory(SharedPath(top / "blocks"))
        room = SharedRoom(root, 1 << 30, Stats())
        room.failed(OSError(errno.EDQUOT, "quota"))
        gone: list[str] = []
        assert room.make(MIB, gone.append)
        assert gone


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_two_users_of_one_group_share_and_a_third_does_not(top: Path) -> None:
    """Each with the strictest umask; who is not of the group goes on without."""

    def reads(uid: int, groups: list[int], where: Path) -> str:
        def job() -> str:
            # in a process of its own; `as_stranger` has given up root's rights by then
            os.umask(0o077)
            with one(where) as node:
                through(node, DATA)
                flush(node)
                return f"{node.count(BYTES_FETCHED)} {node.count(BYTES_FROM_SHARED)} {node.count(SHARED_SKIPPED)}"

        return as_stranger(job, uid=uid, groups=groups)

    with shared_place() as place:
        where = place / "shared"
        where.mkdir()
        os.chown(where, 0, GROUP)
        where.chmod(0o2770)
        assert reads(2001, [GROUP], where) == f"{len(DATA)} 0 0"
        assert reads(2002, [GROUP], where) == f"0 {len(DATA)} 0"
        fetched, from_shared, _ = reads(2003, [], where).split()
        assert (int(fetched), int(from_shared)) == (len(DATA), 0)
        for path in where.rglob("*"):
            assert path.stat().st_gid == GROUP
            if path.name != ".made":
                assert stat.S_IMODE(path.stat().st_mode) == (0o2770 if path.is_dir() else 0o660)
        # What the first has begun the second goes on with; what he may not write he leaves alone.
        for path in where.rglob("*"):
            if path.is_file() and path.stat().st_size > 100_000:
                path.chmod(0o640)
                with path.open("r+b") as file:
                    file.truncate(path.stat().st_size // 2)
        fetched, from_shared, skipped = map(int, reads(2002, [GROUP], where).split())
        assert fetched and from_shared and skipped == fetched


def test_a_hang_in_mid_read_never_writes_into_blocks_of_others(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call that hangs comes back when its reader has gone on: what it has read goes nowhere."""
    with one(top) as first:
        through(first, DATA)
        flush(first)
    go = threading.Event()
    with one(top) as second:
        shared = second.blocks._shared
        assert isinstance(shared, SharedCache)
        shared._guard._patience = 0.2
        read = shared._read

        def late(*args: object) -> object:
            go.wait(20)
            return read(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(shared, "_read", late)
        through(second, DATA)
        assert second.count(BYTES_FETCHED) == len(DATA)
        go.set()
        through(second, DATA)


def test_closing_while_it_hangs_ends_soon(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    node = one(top)
    shared = node.blocks._shared
    assert isinstance(shared, SharedCache)
    monkeypatch.setattr(shared, "_read", lambda *_: go.wait(60) and {})
    shared._guard._patience = 0.1
    through(node, DATA)
    begun = time.monotonic()
    node.__exit__()
    assert time.monotonic() - begun < 30
    go.set()
