"""Listings with rows that cannot be, and pages that go on in their own ways, through both doors."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doors import Door, Fresh, KernelDoor, errno_from, read, walk
from tests.support.quirky import WHEN, Quirky, quirky_server, thing
from tests.support.servers import weed_server
from tests.support.tree import Bucket
from tests.support.waiting import holds_within

# 2000-01-01T00:00:00Z: what has no date, or none that can be (help/semantics.md).
UNKNOWN_NS = 946_684_800 * 10**9


@pytest.fixture(scope="module")
def server() -> Iterator[Quirky]:
    with quirky_server() as server:
        yield server


def tree(door: Door) -> dict[bytes, int]:
    """Every file with its size."""
    return {path: door.stat(path).size for path, row in walk(door) if not row.is_dir}


BAD = {
    "year-1": {"LastModified": "0001-01-01T00:00:00Z"},
    "year-9999": {"LastModified": "9999-12-31T23:59:59Z"},
    "rfc-1123": {"LastModified": "Sun, 13 Sep 2020 12:26:40 GMT"},
    "no-zone": {"LastModified": "2020-09-13T12:26:40"},
    "empty-date": {"LastModified": ""},
    "no-date": {"LastModified": None},
    "empty-etag": {"ETag": ""},
    "no-etag": {"ETag": None},
    "binary-etag": {"ETag": "&#1;\x02"},
    "mebibyte-etag": {"ETag": "e" * (1 << 20)},
}
DATED = ("rfc-1123", "no-zone", "empty-etag", "no-etag", "binary-etag", "mebibyte-etag")
SIZES = {"negative": "-5", "empty": "", "text": "five", "over": str(2**63)}


def test_bad_rows_are_shown_with_what_is_known_and_cost_no_other(fresh: Fresh, server: Quirky) -> None:
    bad = {f"d/{name}": thing(name.encode(), row=row) for name, row in BAD.items()}
    sizes = {f"d/size-{name}": thing(b"12345", row={"Size": size}) for name, size in SIZES.items()}
    server.hold({**bad, **sizes, "d/good": b"good", "d/sub/below": b"x"})
    door = fresh(server.url, "s3://bkt")
    assert door.listdir("d") == {*(name.encode() for name in BAD), b"good", b"sub"}
    for name in BAD:
        stat = door.stat(f"d/{name}")
        assert (stat.size, stat.mtime_ns) == (len(name), WHEN * 10**9 if name in DATED else UNKNOWN_NS), name
        assert read(door, f"d/{name}") == name.encode()
    assert read(door, "d/good") == b"good"
    for name in SIZES:
        assert errno_from(door.stat, f"d/size-{name}") == errno.ENOENT
    assert tree(door).keys() >= {b"d/good", b"d/sub/below"}


@pytest.mark.kernel
def test_a_row_without_a_size_is_reported_like_a_hidden_key(fresh_kernel: Fresh, server: Quirky) -> None:
    server.hold({"d/bad": thing(b"12345", row={"Size": "many"}), "d/good": b"good"})
    door = fresh_kernel(server.url, "s3://bkt")
    assert isinstance(door, KernelDoor)
    assert door.listdir("d") == {b"good"}
    assert "d/bad" in door.mount.log
    assert "many" in door.mount.log


PAGING = [
    {"token": "absent"},
    {"v1_only": "ignored"},
    {"v1_only": "refused"},
    {"empty_pages": 3},
    {"v1_only": "ignored", "token": "absent"},
]


@pytest.mark.parametrize("quirk", PAGING, ids=str)
def test_a_tree_is_whole_however_its_pages_go_on(fresh: Fresh, server: Quirky, quirk: dict[str, object]) -> None:
    names = [f"{directory}/f{n:02}" for directory in ("a", "a-b", "c/d", "e") for n in range(12)] + ["a", "z"]
    server.hold({name: name.encode() for name in names}, page=5, **quirk)
    door = fresh(server.url, "s3://bkt")
    assert tree(door) == {name.encode(): len(name) for name in names if name != "a"}
    again = fresh(server.url, "s3://bkt")
    assert read(again, "c/d/f11") == b"c/d/f11"
    assert errno_from(again.stat, "c/d/f12") == errno.ENOENT
    assert again.stat("e").is_dir


def test_names_are_found_behind_empty_pages(fresh: Fresh, server: Quirky) -> None:
    """The first answer to a look-up may be an empty page; that says nothing yet."""
    server.hold({"d/e/f": b"f", **{f"d/g{n:03}": b"x" for n in range(30)}}, page=10, empty_pages=2)
    door = fresh(server.url, "s3://bkt")
    assert read(door, "d/e/f") == b"f"
    assert door.stat("d/g029").size == 1
    assert errno_from(door.stat, "d/g030") == errno.ENOENT
    assert len(door.listdir("d")) == 31


def test_a_server_that_sorts_by_directories_does_not_go_back(fresh: Fresh, tmp_path: Path) -> None:
    """SeaweedFS gives `a/` before `a-b`, which S3 sorts the other way round; here the pages meet between them."""
    with weed_server() as url:
        bucket = Bucket(url, "edge")
        names = [f"{n:04}" for n in range(999)] + ["a/x", "a-b", "a.c", "b"]
        bucket.put_all((f"d/{name}", b"x") for name in names)
        door = fresh(url, "s3://edge")
        assert door.listdir("d") == {name.removesuffix("/x").encode() for name in names}


@pytest.mark.parametrize("token", ["same", "back", "cycle", "fresh"])
def test_pages_without_end_are_an_error(fresh: Fresh, server: Quirky, token: str) -> None:
    server.hold({f"d/f{n:02}": b"x" for n in range(20)}, page=6, token=token)
    door = fresh(server.url, "s3://bkt", timeout=20)
    assert errno_from(door.listdir, "d") == errno.EIO
    server.switch(token="honest")
    assert len(door.listdir("d")) == 20


@pytest.mark.parametrize("token", ["cycle", "fresh"])
@pytest.mark.parametrize("row", [{"Size": "many"}, {"Key": None}], ids=["no sizes", "no keys"])
def test_pages_of_nothing_to_show_end_at_the_deadline(
    fresh: Fresh, server: Quirky, token: str, row: dict[str, object]
) -> None:
    server.hold({f"d/f{n:02}": thing(b"x", row=row) for n in range(20)}, page=6, token=token)
    door = fresh(server.url, "s3://bkt", timeout=3)
    begun = time.monotonic()
    assert errno_from(door.listdir, "d") in (errno.EIO, errno.ETIMEDOUT)
    assert time.monotonic() - begun < 3 + 10


def test_empty_pages_with_tokens_that_never_came_end_at_the_deadline(fresh: Fresh, server: Quirky) -> None:
    server.hold({"d/f": b"x"}, empty_pages=10**9)
    door = fresh(server.url, "s3://bkt", timeout=3)
    begun = time.monotonic()
    assert errno_from(door.listdir, "d") in (errno.EIO, errno.ETIMEDOUT)
    assert time.monotonic() - begun < 3 + 10


def test_a_server_that_does_not_know_the_prefix_shows_nothing_from_elsewhere(fresh: Fresh, server: Quirky) -> None:
    """Its keys need not be in order: what is from elsewhere may stand between rows that are not."""
    server.hold({"d/a": b"1", "e/b": b"22", "f": b"333", "d/c": b"4"}, prefix="ignored")
    door = fresh(server.url, "s3://bkt")
    assert door.listdir("d") == {b"a", b"c"}
    assert door.listdir("e") == {b"b"}


@pytest.mark.kernel
def test_a_failed_listing_stands_in_the_log_once_a_cause(fresh_kernel: Fresh, server: Quirky) -> None:
    server.hold({f"{d}/f{n:02}": b"x" for d in "ab" for n in range(20)}, page=6, token="back")
    door = fresh_kernel(server.url, "s3://bkt", timeout=20)
    assert isinstance(door, KernelDoor)
    for _ in range(3):
        assert errno_from(os.listdir, door.path("a")) == errno.EIO
    lines = [line for line in door.mount.log.splitlines() if "s3://bkt/a/ cannot be listed" in line]
    assert len(lines) == 1, door.mount.log
    assert errno_from(os.listdir, door.path("b")) == errno.EIO
    assert len([line for line in door.mount.log.splitlines() if "s3://bkt/b/ cannot be listed" in line]) == 1


@pytest.mark.kernel
def test_a_failed_look_up_stands_in_the_log(fresh_kernel: Fresh, server: Quirky) -> None:
    server.hold({"d/f": b"x"})
    door = fresh_kernel(server.url, "s3://bkt", ttl=0, timeout=2)
    assert isinstance(door, KernelDoor)
    server.switch(keys=["nobody"], refusal=[400, "Nonsense"])
    for _ in range(3):
        assert errno_from(os.stat, door.path("d/f")) == errno.EIO
    lines = [line for line in door.mount.log.splitlines() if "cannot be looked up" in line]
    assert lines
    assert all("Nonsense" in line for line in lines)
    assert len(lines) == len(set(lines)) <= 2, door.mount.log  # of `d`, and of `f`
    assert "Traceback" not in door.mount.log


def test_a_prefix_without_keys_that_its_parent_shows_is_an_empty_directory(fresh: Fresh, server: Quirky) -> None:
    """As MinIO and versitygw list what holds deleted versions only."""
    server.hold({"d/k": b"k", "top": b"t"}, hollow=["only/", "d/gone/", "d/deep/er/"])
    door = fresh(server.url, "s3://bkt", ttl=1)
    assert door.listdir() == {b"d", b"top", b"only"}
    assert door.listdir("only") == set()
    for _ in range(2):
        assert door.stat("only").is_dir
        assert door.listdir("only") == set()
    assert errno_from(door.stat, "only/x") == errno.ENOENT
    assert door.listdir("d") >= {b"k"}
    assert {path for path, _ in walk(door)} >= {b"d/k", b"top", b"only"}
    server.switch(hollow=[])
    assert holds_within(lambda: b"only" not in door.listdir(), 10)
    assert holds_within(lambda: errno_from(door.listdir, "only") == errno.ENOENT, 10)
