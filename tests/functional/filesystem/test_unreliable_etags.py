"""Whole files from servers whose ETags mean nothing, and of objects replaced before their first byte; by the kernel."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.doors import Fresh, KernelDoor, open_kernel_door, read
from tests.support.quirky import WHEN, Quirky, thing
from tests.support.tree import KIB, version
from tests.support.waiting import holds_within

pytestmark = pytest.mark.kernel

SIZE = 300 * KIB + 7
OLD, NEW = version(5, SIZE), version(10, SIZE)
SLACK_S = 20


def mounted(fresh: Fresh, quirky: Quirky, **options: object) -> KernelDoor:
    door = fresh(quirky.url, "s3://bkt", **options)
    assert isinstance(door, KernelDoor)
    return door


def held(new: bytes | None = None, **more: object) -> dict[str, dict[str, dict[str, object]]]:
    """Two objects, the first of them replaced by `new`."""
    first = thing(OLD, mtime=WHEN, **more) if new is None else thing(new, mtime=WHEN + 50, **more)
    return {"bkt": {"d/k": first, "d/l": thing(b"another", **more)}}


@pytest.mark.parametrize("quirks", [{"etag_listing": "constant", "etag_answer": "constant"}, {"etag_listing": "empty"},
                                    {"etag_listing": "other"}, {"if_match": "bare only"}], ids=str)  # fmt: skip
def test_new_bytes_under_a_new_date_also_after_a_remount(
    fresh_kernel: Fresh, quirky: Quirky, tmp_path: Path, quirks: dict[str, str]
) -> None:
    quirky.hold({}, **quirks)
    quirky.switch(buckets=held())
    door = mounted(fresh_kernel, quirky, ttl=1, cache_dir=tmp_path / "kept")
    assert read(door, "d/k") == OLD
    assert read(door, "d/l") == b"another"
    quirky.switch(buckets=held(NEW))
    assert holds_within(lambda: door.stat("d/k").mtime_ns == (WHEN + 50) * 10**9, SLACK_S)
    assert read(door, "d/k") == NEW
    again = mounted(fresh_kernel, quirky, ttl=1, cache_dir=tmp_path / "kept")
    assert again.stat("d/k").mtime_ns == (WHEN + 50) * 10**9
    assert read(again, "d/k") == NEW
    assert door.mount.log.count("tell versions apart") + door.mount.log.count("If-Match is refused") == 1


def test_listings_kept_from_before_the_evidence(fresh_kernel: Fresh, quirky: Quirky, tmp_path: Path) -> None:
    """One ETag for all: noticed only when a second object is seen, after the first was replaced and listed again."""
    quirky.hold({})
    same = {"etag": "same"}
    quirky.switch(buckets={"bkt": {"1/k": thing(OLD, mtime=WHEN, **same), "2/l": thing(b"another", **same)}})
    door = mounted(fresh_kernel, quirky, ttl=1, cache_dir=tmp_path / "kept")
    assert read(door, "1/k") == OLD
    quirky.switch(buckets={"bkt": {"1/k": thing(NEW, mtime=WHEN + 50, **same), "2/l": thing(b"another", **same)}})
    assert holds_within(lambda: door.stat("1/k").mtime_ns == (WHEN + 50) * 10**9, SLACK_S)
    assert read(door, "2/l") == b"another"
    assert holds_within(lambda: read(door, "1/k") == NEW, SLACK_S)
    again = mounted(fresh_kernel, quirky, ttl="indefinite", cache_dir=tmp_path / "kept")
    assert read(again, "1/k") == NEW


def test_the_same_etag_with_a_new_date_stays_cached(fresh_kernel: Fresh, quirky: Quirky) -> None:
    quirky.hold({})
    quirky.switch(buckets=held())
    door = mounted(fresh_kernel, quirky, ttl=1)
    assert read(door, "d/k") == OLD
    quirky.switch(buckets={"bkt": {"d/k": thing(OLD, mtime=WHEN + 50)}})
    assert holds_within(lambda: door.stat("d/k").mtime_ns == (WHEN + 50) * 10**9, SLACK_S)
    assert read(door, "d/k") == OLD
    assert not [r for r in quirky.log() if "list-type" not in r.target]


def test_where_the_date_is_the_version_a_new_one_is_fetched_anew(fresh_kernel: Fresh, quirky: Quirky) -> None:
    quirky.hold({}, etag_listing="empty", etag_answer="absent")
    quirky.switch(buckets=held())
    door = mounted(fresh_kernel, quirky, ttl=1)
    assert read(door, "d/k") == OLD
    quirky.switch()
    assert read(door, "d/k") == OLD
    assert not [r for r in quirky.log() if r.target.startswith("/bkt/d/k")]
    quirky.switch(buckets=held(OLD))
    assert holds_within(lambda: door.stat("d/k").mtime_ns == (WHEN + 50) * 10**9, SLACK_S)
    assert read(door, "d/k") == OLD
    assert [r.method for r in quirky.log() if r.target.startswith("/bkt/d/k")].count("GET") >= 1


def test_a_login_page_is_an_error_and_then_the_object_is_read(fresh_kernel: Fresh, quirky: Quirky) -> None:
    quirky.hold({})
    quirky.switch(buckets=held(), html=["d/k"])
    door = mounted(fresh_kernel, quirky, timeout=2)
    with pytest.raises(OSError) as refused:
        read(door, "d/k")
    assert refused.value.errno in (errno.EIO, errno.ETIMEDOUT)
    assert "text/html" in door.mount.log
    quirky.switch(html=[])
    assert holds_within(lambda: _bytes(lambda: read(door, "d/k")) == OLD, SLACK_S)


def _bytes(call: Callable[[], bytes]) -> bytes | int:
    try:
        return call()
    except OSError as e:
        return e.errno or -1


def _cat(path: str) -> bytes | int:
    done = subprocess.run(["cat", path], check=False, capture_output=True, timeout=60)
    return errno.ESTALE if done.returncode and not done.stdout else done.stdout


def _cp(path: str) -> bytes | int:
    done = subprocess.run(["cp", path, "/dev/stdout"], check=False, capture_output=True, timeout=60)
    return errno.ESTALE if done.returncode and not done.stdout else done.stdout


def _fstat_and_read(path: str) -> bytes | int:
    fd = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        parts: list[bytes] = []
        while part := os.pread(fd, 64 * KIB, sum(map(len, parts))):
            parts.append(part)
        assert sum(map(len, parts)) == size
        return b"".join(parts)
    finally:
        os.close(fd)


_MAP = (
    "import mmap,os,sys; f=open(sys.argv[1],'rb');"
    "m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ); sys.stdout.buffer.write(m[:])"
)


def _mmap(path: str) -> bytes | int:
    command = [sys.executable, "-c", _MAP, path]  # SIGBUS when stale
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    return errno.ESTALE if done.returncode and not done.stdout else done.stdout


WAYS = {"cat": _cat, "cp": _cp, "fstat and read": _fstat_and_read, "mmap": _mmap}


@pytest.mark.parametrize("size", [SIZE, SIZE + 100 * KIB, SIZE - 100 * KIB], ids=["same size", "longer", "shorter"])
@pytest.mark.parametrize("etags", ["quoted", "empty"])
def test_replaced_between_the_listing_and_the_first_byte(
    fresh_kernel: Fresh, quirky: Quirky, size: int, etags: str
) -> None:
    """Of the same size: its new bytes. Of another: those, or ESTALE once. Never a cut or padded file."""
    new = version(10, size)
    quirky.hold({}, etag_listing=etags)
    names = [f"d/{i}" for i in range(len(WAYS))]
    quirky.switch(buckets={"bkt": {name: thing(OLD, mtime=WHEN) for name in names}})
    door = mounted(fresh_kernel, quirky, ttl="indefinite")
    assert {door.stat(name).size for name in names} == {SIZE}
    quirky.switch(buckets={"bkt": {name: thing(new, mtime=WHEN + 50) for name in names}})
    for name, (way, take) in zip(names, WAYS.items(), strict=True):
        path = os.fsdecode(door.path(name))
        first = _bytes(lambda take=take, path=path: take(path))  # type: ignore[misc]
        if size == SIZE:
            assert first == new, way
        else:
            assert first in (errno.ESTALE, new), way
        assert _bytes(lambda take=take, path=path: take(path)) == new, way  # type: ignore[misc]
        assert door.stat(name).size == size
        assert holds_within(lambda name=name: door.stat(name).mtime_ns == (WHEN + 50) * 10**9), way  # type: ignore[misc]


def test_a_file_that_moved_to_a_new_version_shows_its_date(fresh_kernel: Fresh, quirky: Quirky) -> None:
    """Before the first byte, and to one of the same size: the kernel, which was told the former date, is told anew."""
    quirky.hold({"k": thing(OLD, mtime=WHEN)})
    door = mounted(fresh_kernel, quirky, ttl="indefinite")
    handle = door.open("k")
    try:
        assert os.fstat(handle).st_mtime == WHEN
        quirky.switch(buckets={"bkt": {"k": thing(version(10, SIZE), mtime=WHEN + 50)}})
        assert door.pread(handle, 4 * KIB, 0) == version(10, SIZE)[: 4 * KIB]
        assert holds_within(lambda: os.fstat(handle).st_mtime == WHEN + 50)
    finally:
        door.close(handle)


def test_a_handle_that_has_given_bytes_stays_at_its_version(fresh_kernel: Fresh, quirky: Quirky) -> None:
    quirky.hold({})
    big = version(5, 3 << 20)
    quirky.switch(buckets={"bkt": {"k": thing(big)}})
    door = mounted(fresh_kernel, quirky, ttl="indefinite")
    handle = door.open("k")
    assert door.pread(handle, 4 * KIB, 0) == big[: 4 * KIB]
    quirky.switch(buckets={"bkt": {"k": thing(version(10, 3 << 20), mtime=WHEN + 50)}})
    with pytest.raises(OSError) as refused:
        door.pread(handle, 4 * KIB, (3 << 20) - 4 * KIB)
    assert refused.value.errno == errno.ESTALE
    door.close(handle)
    assert read(door, "k") == version(10, 3 << 20)


MD5_LIKE = "00112233445566778899aabbccddeeff"


@pytest.mark.parametrize(
    ("etag", "remounted", "others"),
    [(MD5_LIKE, False, 1), ("same", False, 0), (f"{MD5_LIKE}-3", True, 1), ("same", True, 0)],
)
def test_a_silent_replacement(
    fresh_kernel: Fresh, quirky: Quirky, tmp_path: Path, etag: str, remounted: bool, others: int
) -> None:
    """One ETag on objects of one size and one date, and all that a replacement changes is the date."""
    quirky.hold({})

    def objects(first: bytes, when: int) -> dict[str, dict[str, dict[str, object]]]:
        rest = {f"d/{i}": thing(version(7 + i, SIZE), etag=etag, mtime=when) for i in range(others)}
        return {"bkt": {"d/k": thing(first, etag=etag, mtime=when), **rest}}

    quirky.switch(buckets=objects(OLD, WHEN))
    options = {"ttl": 1, "cache_dir": tmp_path / "kept"}
    if remounted:
        (tmp_path / "before").mkdir()
        with open_kernel_door(tmp_path / "before", quirky.url, "s3://bkt", **options) as before:
            assert read(before, "d/k") == OLD
        quirky.switch(buckets=objects(NEW, WHEN + 50))
        door = mounted(fresh_kernel, quirky, **options)
    else:
        door = mounted(fresh_kernel, quirky, **options)
        assert read(door, "d/k") == OLD
        quirky.switch(buckets=objects(NEW, WHEN + 50))
    assert holds_within(lambda: door.stat("d/k").mtime_ns == (WHEN + 50) * 10**9, SLACK_S)
    assert read(door, "d/k") == NEW
    assert door.mount.log.count("tell versions apart") == 1


def test_two_contents_under_one_checksum(fresh_kernel: Fresh, quirky: Quirky, tmp_path: Path) -> None:
    """Known as soon as both were read; then a new date is a new version, without a look at the bytes."""
    quirky.hold({})
    bodies = {"d/k": OLD, "d/l": version(7, SIZE)}
    same = {key: thing(body, etag=MD5_LIKE, mtime=WHEN) for key, body in bodies.items()}
    quirky.switch(buckets={"bkt": same})
    door = mounted(fresh_kernel, quirky, ttl=1, cache_dir=tmp_path / "kept")
    assert {key: read(door, key) for key in bodies} == bodies
    assert "one ETag stands for different objects" in door.mount.log
    quirky.switch(buckets={"bkt": {**same, "d/k": thing(NEW, etag=MD5_LIKE, mtime=WHEN + 50)}})
    assert holds_within(lambda: door.stat("d/k").mtime_ns == (WHEN + 50) * 10**9, SLACK_S)
    assert not [r for r in quirky.log() if "list-type" not in r.target]
    assert read(door, "d/k") == NEW


@pytest.mark.parametrize("etag", [MD5_LIKE, "opaque"])
def test_a_harmless_new_date_costs_one_look(fresh_kernel: Fresh, quirky: Quirky, etag: str) -> None:
    """No checksum that is known to be an MD5: the first bytes are asked for once, and what is cached stays."""
    quirky.hold({})
    quirky.switch(buckets={"bkt": {"d/k": thing(OLD, etag=etag, mtime=WHEN)}})
    door = mounted(fresh_kernel, quirky, ttl=1)
    assert read(door, "d/k") == OLD
    quirky.switch(buckets={"bkt": {"d/k": thing(OLD, etag=etag, mtime=WHEN + 50)}})
    assert holds_within(lambda: door.stat("d/k").mtime_ns == (WHEN + 50) * 10**9, SLACK_S)
    assert read(door, "d/k") == OLD
    assert [r.headers["range"] for r in quirky.log() if "list-type" not in r.target] == [f"bytes=0-{64 * KIB - 1}"]
    assert "tell versions apart" not in door.mount.log


def test_a_silent_replacement_is_not_mixed_into_an_open_file(fresh_kernel: Fresh, quirky: Quirky) -> None:
    quirky.hold({})
    size = 3 << 20
    old, new = version(5, size), version(10, size)
    quirky.switch(buckets={"bkt": {"k": thing(old, etag=MD5_LIKE, mtime=WHEN)}})
    door = mounted(fresh_kernel, quirky, ttl="indefinite")
    handle = door.open("k")
    assert door.pread(handle, 4 * KIB, 0) == old[: 4 * KIB]
    quirky.switch(buckets={"bkt": {"k": thing(new, etag=MD5_LIKE, mtime=WHEN + 50)}})
    with pytest.raises(OSError) as refused:
        door.pread(handle, 4 * KIB, size - 4 * KIB)
    assert refused.value.errno == errno.ESTALE
    door.close(handle)
    assert read(door, "k") == new
