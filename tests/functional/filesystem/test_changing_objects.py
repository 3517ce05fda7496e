"""Objects that change or vanish while they are read: a handle gives its own version's bytes or ESTALE, nothing else.

Every byte of the test's objects says which version it belongs to.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.doors import Door, Fresh, KernelDoor, VfsDoor, errno_from, open_door, read, read_handle
from tests.support.proxy import Proxy
from tests.support.tree import KIB, MIB, version, versions_in
from tests.support.waiting import holds_within

OLD_SIZE = 3 * MIB + 100
SIZES = {"same size": OLD_SIZE, "longer": OLD_SIZE + MIB + 7, "shorter": MIB + 13, "empty": 0}
OLD, NEW = 5, 10
KEY = "dir/object"
TTL_S = 1
SLACK_S = 1 + 6  # a change is seen after the TTL and a second; the rest is for a busy machine
FAR = 2 * MIB + 300 * KIB  # beyond what reading a header fetches


def old_or_stale(door: Door, handle: int, size: int, offset: int) -> bool:
    """Read; True when old bytes came, False when the handle is stale. Anything else fails the test."""
    try:
        data = door.pread(handle, size, offset)
    except OSError as e:
        if e.errno != errno.ESTALE:
            raise
        return False
    assert data == version(OLD, OLD_SIZE)[offset : offset + size], f"at {offset}: versions {versions_in(data)}"
    return True


def whole(door: Door, key: str = KEY) -> bytes | int:
    """The whole file as a program reads it, or the errno it got."""
    try:
        return read(door, key)
    except OSError as e:
        return e.errno or -1


@pytest.fixture
def old(bucket: tree.Bucket) -> tree.Bucket:
    bucket.put(KEY, version(OLD, OLD_SIZE))
    bucket.put("dir/other", b"other")
    return bucket


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
class TestReplacedWhileOpen:
    def test_an_open_handle_never_mixes_versions(self, fresh: Fresh, old: tree.Bucket, size: int) -> None:
        door = fresh(old.url, f"s3://{old.name}", ttl="indefinite")
        handle = door.open(KEY)
        assert old_or_stale(door, handle, 4 * KIB, 0)
        old.put(KEY, version(NEW, size))
        assert old_or_stale(door, handle, 4 * KIB, 0), "what was read is still there"
        assert not old_or_stale(door, handle, 4 * KIB, FAR), "what was not is not in the store any more"
        for offset in range(0, OLD_SIZE, 300 * KIB):
            old_or_stale(door, handle, 4 * KIB, offset)
        door.close(handle)

    def test_the_next_open_sees_the_new_object(self, fresh: Fresh, old: tree.Bucket, size: int) -> None:
        """Also when a listing is believed for ever: the store said that the old version is gone."""
        door = fresh(old.url, f"s3://{old.name}", ttl="indefinite")
        handle = door.open(KEY)
        old_or_stale(door, handle, 4 * KIB, 0)
        old.put(KEY, version(NEW, size))
        assert not old_or_stale(door, handle, 4 * KIB, FAR)
        door.close(handle)
        assert whole(door) == version(NEW, size)
        assert door.stat(KEY).size == size

    def test_a_second_open_gets_one_version(self, fresh: Fresh, old: tree.Bucket, size: int) -> None:
        door = fresh(old.url, f"s3://{old.name}", ttl=0.2)
        first = door.open(KEY)
        old_or_stale(door, first, 64 * KIB, 0)
        old.put(KEY, version(NEW, size))
        for _ in range(8):
            assert whole(door) in (version(OLD, OLD_SIZE), version(NEW, size), errno.ESTALE)
            for offset in (0, 4 * KIB, 60 * KIB, FAR, OLD_SIZE - KIB):
                old_or_stale(door, first, KIB, offset)
            time.sleep(0.2)
        door.close(first)
        assert holds_within(lambda: whole(door) == version(NEW, size), SLACK_S)

    def test_closing_a_duplicate_keeps_the_handle_pinned(self, fresh: Fresh, old: tree.Bucket, size: int) -> None:
        """A child process that inherited the descriptor and ended must not let the next open replace its pages."""
        door = fresh(old.url, f"s3://{old.name}", ttl=0.2)
        if not isinstance(door, KernelDoor):
            pytest.skip("only the kernel's handles have duplicates")
        first = door.open(KEY)
        old_or_stale(door, first, 64 * KIB, 0)
        old.put(KEY, version(NEW, size))
        for _ in range(8):
            os.close(os.dup(first))
            assert whole(door) in (version(OLD, OLD_SIZE), version(NEW, size), errno.ESTALE)
            for offset in (0, 4 * KIB, 60 * KIB, FAR, OLD_SIZE - KIB):
                old_or_stale(door, first, KIB, offset)
            time.sleep(0.2)
        door.close(first)

    def test_a_change_is_seen_after_the_ttl(self, fresh: Fresh, old: tree.Bucket, size: int) -> None:
        door = fresh(old.url, f"s3://{old.name}", ttl=TTL_S)
        assert whole(door) == version(OLD, OLD_SIZE)
        mtime = door.stat(KEY).mtime_ns
        old.put(KEY, version(NEW, size))
        assert holds_within(lambda: whole(door) == version(NEW, size), TTL_S + SLACK_S)
        assert door.stat(KEY).size == size
        assert door.stat(KEY).mtime_ns >= mtime

    def test_every_read_during_a_replacement_is_of_one_version(self, fresh: Fresh, old: tree.Bucket, size: int) -> None:
        """Whoever reads all the time sees the old object, then (perhaps) ESTALE, then the new one: no other thing."""
        door = fresh(old.url, f"s3://{old.name}", ttl=0.5)
        allowed = (version(OLD, OLD_SIZE), version(NEW, size), errno.ESTALE)
        assert whole(door) == allowed[0]
        old.put(KEY, version(NEW, size))
        end = time.monotonic() + 10
        while (found := whole(door)) != allowed[1]:
            assert found in allowed, found if isinstance(found, int) else (len(found), versions_in(found))
            assert time.monotonic() < end, "the new object was never seen"

    def test_replaced_between_the_listing_and_the_open(self, fresh: Fresh, old: tree.Bucket, size: int) -> None:
        door = fresh(old.url, f"s3://{old.name}", ttl="indefinite")
        assert door.stat(KEY).size == OLD_SIZE
        old.put(KEY, version(NEW, size))
        assert whole(door) in (errno.ESTALE, version(NEW, size))
        assert whole(door) == version(NEW, size)


def test_who_asks_between_close_and_its_end_sees_the_new_object(old: tree.Bucket, tmp_path: Path) -> None:
    """The kernel tells of close(2) (flush), and a moment later that the file is closed (release)."""
    with open_door("vfs", tmp_path, old.url, f"s3://{old.name}", ttl="indefinite") as door:
        assert isinstance(door, VfsDoor)
        handle = door.open(KEY)
        assert old_or_stale(door, handle, 4 * KIB, 0)
        old.put(KEY, version(NEW, OLD_SIZE + MIB))
        assert not old_or_stale(door, handle, 4 * KIB, FAR)
        assert door.stat(KEY).size == OLD_SIZE
        door.vfs.flush(handle)
        release = threading.Timer(0.05, door.vfs.release, [handle])
        release.start()
        try:
            assert door.stat(KEY).size == OLD_SIZE + MIB
        finally:
            release.join()


def test_a_server_that_does_not_know_if_match(fresh: Fresh, proxy: Proxy, old: tree.Bucket) -> None:
    """It answers with the new object's bytes; only the ETag beside them tells."""
    door = fresh(proxy.url, f"s3://{old.name}", ttl="indefinite")
    proxy.rule("unguarded", method="GET")
    handle = door.open(KEY)
    assert old_or_stale(door, handle, 4 * KIB, 0)
    old.put(KEY, version(NEW, OLD_SIZE))
    assert not old_or_stale(door, handle, 4 * KIB, FAR)
    door.close(handle)
    assert whole(door) == version(NEW, OLD_SIZE)


class TestDeleted:
    def test_an_open_handle_of_a_deleted_object(self, fresh: Fresh, old: tree.Bucket) -> None:
        door = fresh(old.url, f"s3://{old.name}", ttl="indefinite")
        handle = door.open(KEY)
        assert old_or_stale(door, handle, 4 * KIB, 0)
        old.delete(KEY)
        assert old_or_stale(door, handle, 4 * KIB, 0)
        assert not old_or_stale(door, handle, 4 * KIB, FAR)
        door.close(handle)
        assert holds_within(lambda: errno_from(door.stat, KEY) == errno.ENOENT, SLACK_S)
        assert errno_from(read, door, KEY) == errno.ENOENT
        assert door.listdir("dir") == {b"other"}

    def test_a_deletion_is_seen_after_the_ttl(self, fresh: Fresh, old: tree.Bucket) -> None:
        door = fresh(old.url, f"s3://{old.name}", ttl=TTL_S)
        assert b"object" in door.listdir("dir")
        old.delete(KEY)
        assert holds_within(lambda: errno_from(door.stat, KEY) == errno.ENOENT, TTL_S + SLACK_S)
        assert door.listdir("dir") == {b"other"}

    def test_deleted_and_put_back(self, fresh: Fresh, old: tree.Bucket) -> None:
        """The same bytes have the same ETag: an open handle goes on."""
        door = fresh(old.url, f"s3://{old.name}", ttl="indefinite")
        handle = door.open(KEY)
        assert old_or_stale(door, handle, 4 * KIB, 0)
        old.delete(KEY)
        old.put(KEY, version(OLD, OLD_SIZE))
        assert read_handle(door, handle) == version(OLD, OLD_SIZE)
        door.close(handle)


class TestCreated:
    def test_a_new_name_is_seen_after_the_ttl(self, fresh: Fresh, old: tree.Bucket) -> None:
        door = fresh(old.url, f"s3://{old.name}", ttl=TTL_S)
        assert errno_from(door.stat, "dir/late") == errno.ENOENT
        assert door.listdir("dir") == {b"object", b"other"}
        old.put("dir/late", b"late")
        assert holds_within(lambda: errno_from(door.stat, "dir/late") == 0, TTL_S + SLACK_S)
        assert read(door, "dir/late") == b"late"
        assert holds_within(lambda: b"late" in door.listdir("dir"), SLACK_S)

    def test_a_new_directory_is_seen_after_the_ttl(self, fresh: Fresh, old: tree.Bucket) -> None:
        door = fresh(old.url, f"s3://{old.name}", ttl=TTL_S)
        assert errno_from(door.stat, "new/deep/file") == errno.ENOENT
        old.put("new/deep/file", b"deep")
        assert holds_within(lambda: whole(door, "new/deep/file") == b"deep", TTL_S + SLACK_S)
        assert b"new" in door.listdir("")

    def test_nothing_is_seen_before_an_indefinite_ttl_ends(self, fresh: Fresh, proxy: Proxy, old: tree.Bucket) -> None:
        door = fresh(proxy.url, f"s3://{old.name}", ttl="indefinite")
        door.listdir("dir")
        old.put("dir/late", b"late")
        proxy.settled()  # what was asked for beside it
        proxy.clear()
        assert not holds_within(lambda: errno_from(door.stat, "dir/late") == 0, 1.5)
        assert proxy.requests() == []


def test_an_object_that_becomes_a_directory(fresh: Fresh, bucket: tree.Bucket) -> None:
    bucket.put("thing", b"file")
    door = fresh(bucket.url, f"s3://{bucket.name}", ttl=TTL_S)
    assert read(door, "thing") == b"file"
    bucket.delete("thing")
    bucket.put("thing/inside", b"inside")
    assert holds_within(lambda: whole(door, "thing/inside") == b"inside", TTL_S + SLACK_S)
    assert door.stat("thing").is_dir


def test_a_ttl_of_zero_asks_every_time(fresh: Fresh, bucket: tree.Bucket) -> None:
    bucket.put("dir/a", b"a")
    door = fresh(bucket.url, f"s3://{bucket.name}", ttl=0)
    assert door.listdir("dir") == {b"a"}
    bucket.put("dir/b", b"b")
    assert holds_within(lambda: door.listdir("dir") == {b"a", b"b"}, SLACK_S)
