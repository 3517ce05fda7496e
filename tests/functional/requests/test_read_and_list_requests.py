"""What reading costs, counted at the server's side: requests and bytes, never seconds."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import tree
from tests.support.children import run_program
from tests.support.doors import Door, Fresh, KernelDoor, errno_from, read, read_handle, walk
from tests.support.proxy import Proxy
from tests.support.tree import BIG, BIG_SIZE, KIB

ENTRIES = 1_001  # one more than a page of a listing holds


@pytest.fixture(scope="module")
def many(server: str) -> tree.Bucket:
    bucket = tree.Bucket(server, "many")
    bucket.put_all((f"entries/{n:05d}.txt", b"%d" % n) for n in range(ENTRIES))
    return bucket


@pytest.fixture
def seen(fresh: Fresh, proxy: Proxy, dataset: tree.Bucket) -> Door:
    """A fresh mount of the data set through the proxy, whose root is listed."""
    door = fresh(proxy.url, f"s3://{dataset.name}")
    door.listdir()
    proxy.clear()
    return door


def test_start_costs_little(fresh: Fresh, proxy: Proxy, dataset: tree.Bucket) -> None:
    fresh(proxy.url, f"s3://{dataset.name}")
    assert len(proxy.requests()) <= 3
    assert [get.sent for get in proxy.gets()] in ([], [1]), "one byte, by which it is known that objects can be read"


def test_a_long_listing_of_1001_entries_is_two_lists(fresh: Fresh, proxy: Proxy, many: tree.Bucket) -> None:
    door = fresh(proxy.url, f"s3://{many.name}")
    door.listdir()
    proxy.clear()
    names = door.listdir("entries")
    assert len(names) == ENTRIES
    for name in names:
        assert door.stat(b"entries/" + name).size > 0
    requests = proxy.requests()
    assert len(requests) == 2, requests
    assert all(r.is_list and r.query["prefix"] == "entries/" for r in requests)


@pytest.mark.kernel
def test_ls_l_of_1001_entries_is_two_lists(fresh_kernel: Fresh, proxy: Proxy, many: tree.Bucket) -> None:
    door = fresh_kernel(proxy.url, f"s3://{many.name}")
    assert isinstance(door, KernelDoor)
    proxy.clear()
    out = run_program(["ls", "-l", door.path("entries")])
    assert len(out.splitlines()) == ENTRIES + 1
    requests = proxy.requests()
    full = [r for r in requests if r.is_list and r.query["prefix"] == "entries/" and r.query.get("max-keys") != "1"]
    assert len(full) == 2, requests
    assert len(requests) <= 4, "beside the two pages, the look-up of the directory"
    assert not proxy.gets()


def test_a_walk_is_at_most_one_list_a_directory(seen: Door, proxy: Proxy) -> None:
    for path, row in walk(seen):
        if not row.is_dir:
            seen.stat(path)
    requests = proxy.requests()
    assert all(r.is_list for r in requests), requests
    assert len(requests) <= len(tree.DIRECTORIES) - 1


@pytest.mark.kernel
def test_ls_lr_is_at_most_one_list_a_directory(fresh_kernel: Fresh, proxy: Proxy, dataset: tree.Bucket) -> None:
    door = fresh_kernel(proxy.url, f"s3://{dataset.name}")
    assert isinstance(door, KernelDoor)
    proxy.clear()
    run_program(["ls", "-lR", door.path()])
    requests = proxy.requests()
    assert all(r.is_list for r in requests), requests
    assert len(requests) <= len(tree.DIRECTORIES)
    proxy.clear()
    run_program(["ls", "-lR", door.path()])
    assert proxy.requests() == []


def test_stat_and_open_after_a_listing_cost_nothing(seen: Door, proxy: Proxy) -> None:
    seen.listdir("sub-01/anat")
    proxy.clear()
    for name in tree.DIRECTORIES["sub-01/anat"]:
        seen.stat(f"sub-01/anat/{name}")
        seen.close(seen.open(f"sub-01/anat/{name}"))
    assert proxy.requests() == []


def test_what_a_listing_lacks_costs_nothing(seen: Door, proxy: Proxy) -> None:
    seen.listdir("sub-01/anat")
    proxy.clear()
    for n in range(20):
        assert errno_from(seen.stat, f"sub-01/anat/missing-{n}") == errno.ENOENT
        assert errno_from(seen.stat, f"missing-{n}") == errno.ENOENT
    assert proxy.requests() == []


def test_a_negative_answer_is_kept(fresh: Fresh, proxy: Proxy, dataset: tree.Bucket) -> None:
    door = fresh(proxy.url, f"s3://{dataset.name}")
    proxy.clear()
    assert errno_from(door.stat, "sub-01/anat/missing") == errno.ENOENT
    asked = len(proxy.settled())  # a listing that looks ahead may come a moment after the answer
    assert asked <= 4
    for _ in range(20):
        assert errno_from(door.stat, "sub-01/anat/missing") == errno.ENOENT
    assert len(proxy.settled()) == asked


def test_one_header_is_one_small_get(seen: Door, proxy: Proxy, dataset: tree.Bucket) -> None:
    seen.listdir("big")
    proxy.settled()
    proxy.clear()
    handle = seen.open(BIG)
    assert seen.pread(handle, 348, 0) == tree.content(BIG, BIG_SIZE)[:348]
    seen.close(handle)
    requests = proxy.settled()
    assert len(requests) == 1, requests
    (get,) = proxy.gets(dataset.path(BIG))
    assert get.range.startswith("bytes=0-")
    assert get.if_match.startswith('"')
    assert get.sent <= 256 * KIB


def test_the_second_read_of_a_block_costs_nothing(seen: Door, proxy: Proxy) -> None:
    # Not near the start: there something is fetched ahead, whenever it comes.
    handle = seen.open(BIG)
    first = seen.pread(handle, 4 * KIB, 1024 * KIB)
    proxy.settled()
    proxy.clear()
    assert seen.pread(handle, 4 * KIB, 1024 * KIB) == first
    assert seen.pread(handle, 100, 1024 * KIB + 1000) == first[1000:1100]
    assert proxy.settled() == [], "reading the same again is not reading on"
    seen.close(handle)
    assert read(seen, BIG, 1024 * KIB, 4 * KIB) == first
    assert proxy.settled() == []


@pytest.mark.kernel
def test_the_daemon_itself_keeps_blocks(fresh_kernel: Fresh, proxy: Proxy, dataset: tree.Bucket) -> None:
    """With O_DIRECT the kernel keeps nothing: what costs nothing now comes from the daemon's memory."""
    door = fresh_kernel(proxy.url, f"s3://{dataset.name}", direct=True)
    first = read(door, BIG, 1024 * KIB, 4 * KIB)
    proxy.settled()
    proxy.clear()
    assert read(door, BIG, 1024 * KIB, 4 * KIB) == first
    assert proxy.requests() == []


def test_an_unchanged_file_opened_again_costs_nothing(seen: Door, proxy: Proxy) -> None:
    assert len(read(seen, BIG)) == BIG_SIZE
    proxy.clear()
    for _ in range(3):
        assert len(read(seen, BIG)) == BIG_SIZE
    assert proxy.requests() == []


def test_a_whole_file_is_fetched_once(seen: Door, proxy: Proxy, dataset: tree.Bucket) -> None:
    assert read(seen, BIG) == tree.content(BIG, BIG_SIZE)
    proxy.settled()
    gets = proxy.gets(dataset.path(BIG))
    assert sum(g.sent for g in gets) == BIG_SIZE
    assert all(g.if_match and g.range and g.status == 206 for g in gets)


def test_neighbouring_blocks_are_one_get(seen: Door, proxy: Proxy, dataset: tree.Bucket) -> None:
    """A single large read is not cut into a request per block."""
    handle = seen.open(BIG)
    seen.pread(handle, 256 * KIB, 1024 * KIB)
    seen.close(handle)
    size, gets = 256 * KIB, proxy.gets(dataset.path(BIG))
    wanted = [g for g in gets if _first(g.range) < 1024 * KIB + size]
    # The kernel cuts a read of 256 KiB into two of 128 KiB where its readahead is set so.
    assert len(wanted) <= (1 if seen.kind == "vfs" else 2), gets


def _first(range_: str) -> int:
    return int(range_.removeprefix("bytes=").partition("-")[0])


def test_small_reads_through_a_file_are_few_gets(seen: Door, proxy: Proxy, dataset: tree.Bucket) -> None:
    handle = seen.open(BIG)
    for offset in range(0, BIG_SIZE, 4 * KIB):
        seen.pread(handle, 4 * KIB, offset)
    seen.close(handle)
    proxy.settled()
    gets = proxy.gets(dataset.path(BIG))
    assert sum(g.sent for g in gets) == BIG_SIZE
    assert len(gets) <= BIG_SIZE // (64 * KIB)


def test_scattered_reads_do_not_fetch_the_file(seen: Door, proxy: Proxy, dataset: tree.Bucket) -> None:
    handle = seen.open(BIG)
    places = [2_900_000, 100_000, 1_500_000, 700_000, 2_200_000]
    for offset in places:
        seen.pread(handle, 2 * KIB, offset)
    seen.close(handle)
    proxy.settled()
    gets = proxy.gets(dataset.path(BIG))
    assert sum(g.sent for g in gets) <= len(places) * 256 * KIB
    assert len(gets) <= 2 * len(places)


def test_many_readers_of_one_block_are_one_get(seen: Door, proxy: Proxy, dataset: tree.Bucket) -> None:
    seen.listdir("big")
    proxy.clear()
    proxy.rule("hold", path=dataset.path(BIG))
    handle = seen.open(BIG)

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(seen.pread, handle, 2 * KIB, 0) for _ in range(8)]
        proxy.await_request(lambda r: r.path == dataset.path(BIG))
        proxy.behave()
        assert {r.result(60) for r in readers} == {tree.content(BIG, BIG_SIZE)[: 2 * KIB]}
    seen.close(handle)
    assert len([g for g in proxy.gets() if _first(g.range) == 0]) == 1


def test_many_listers_of_one_directory_are_one_list(seen: Door, proxy: Proxy) -> None:
    proxy.rule("hold", lists=True)
    with ThreadPoolExecutor(8) as pool:
        listers = [pool.submit(seen.listdir, "sizes") for _ in range(8)]
        proxy.await_request(lambda r: r.is_list)
        proxy.behave()
        assert {frozenset(f.result(60)) for f in listers} == {
            frozenset(os.fsencode(n) for n in tree.DIRECTORIES["sizes"])
        }
    assert len(proxy.requests()) == 1


def test_nothing_is_asked_by_those_who_only_look_at_the_root(seen: Door, proxy: Proxy) -> None:
    for _ in range(3):
        seen.stat("")
        seen.listdir("")
        seen.stat("participants.tsv")
    assert proxy.requests() == []


def test_requests_are_unsigned(seen: Door, proxy: Proxy) -> None:
    read_handle(seen, handle := seen.open("participants.tsv"))
    seen.close(handle)
    seen.listdir("sub-01")
    assert proxy.requests()
    assert not any(r.signed for r in proxy.requests())


def test_only_gets_and_heads_are_sent(fresh: Fresh, proxy: Proxy, dataset: tree.Bucket) -> None:
    """A bucket is never written to: not by mounting, walking, reading, nor by what programs try to change."""
    door = fresh(proxy.url, f"s3://{dataset.name}")
    for path, row in walk(door):
        if not row.is_dir:
            read(door, path)
    if isinstance(door, KernelDoor):
        for change in (os.unlink, os.rmdir, os.mkdir, lambda path: os.open(path, os.O_WRONLY | os.O_CREAT)):
            assert errno_from(change, door.path("sub-01/new")) in (errno.EROFS, errno.ENOENT)
        assert errno_from(os.unlink, door.path(BIG)) == errno.EROFS
    assert len(proxy.settled()) > len(tree.FILES) // 2
    assert {r.method for r in proxy.settled()} <= {"GET", "HEAD"}
