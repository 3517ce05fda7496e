"""A server that answers wrongly, or refuses: right bytes or an error, never wrong bytes, and nobody else suffers."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import tree
from tests.support.doors import Door, Fresh, KernelDoor, errno_from, read
from tests.support.proxy import Proxy
from tests.support.tree import BIG, KIB
from tests.support.waiting import holds_within

from .conftest import RECOVERY_S, VICTIMS, Victim

REFUSED = {errno.EIO, errno.ETIMEDOUT}


def bytes_or_errno(call: Callable[..., bytes], *args: object) -> bytes | int:
    """What `call(*args)` reads, or the errno with which it is refused."""
    try:
        return call(*args)
    except OSError as e:
        return e.errno or -1


Rule = dict[str, Any]
BROKEN: list[Rule] = [
    {"action": "status", "status": 503, "code": "SlowDown"},
    {"action": "reset"},
    {"action": "short"},
]
TRANSIENT: list[Rule] = [
    *BROKEN,
    {"action": "status", "status": 500, "code": "InternalError"},
    {"action": "status", "status": 502, "code": "BadGateway"},
    {"action": "reset-body"},
]


def named(rule: Rule) -> str:
    return " ".join(str(value) for value in rule.values())


@pytest.mark.parametrize("rule", TRANSIENT, ids=named)
class TestTransientFailures:
    def test_bytes(self, victim: Victim, rule: Rule) -> None:
        victim.proxy.rule(path=victim.path, times=2, **rule)
        assert bytes_or_errno(read, victim.door, victim.key) == victim.content
        assert [r.rule for r in victim.proxy.gets(victim.path)].count(str(rule["action"])) == 2

    def test_names(self, fresh: Fresh, proxy: Proxy, dataset: tree.Bucket, rule: Rule) -> None:
        door = fresh(proxy.url, f"s3://{dataset.name}", timeout=20)  # two failures and their pauses on a busy machine
        proxy.rule(lists=True, times=2, **rule)
        assert door.listdir("sub-02/anat") == {b"sub-02_T1w.json", b"sub-02_T1w.nii.gz"}


@pytest.mark.parametrize("rule", BROKEN, ids=named)
class TestLastingFailures:
    def test_bytes(self, victim: Victim, rule: Rule) -> None:
        victim.proxy.rule(path=victim.path, **rule)
        assert bytes_or_errno(read, victim.door, victim.key) in REFUSED
        victim.proxy.behave()
        assert holds_within(lambda: bytes_or_errno(read, victim.door, victim.key) == victim.content, RECOVERY_S)

    def test_names(self, bare: Door, proxy: Proxy, rule: Rule) -> None:
        proxy.rule(lists=True, **rule)
        assert errno_from(bare.listdir, "sub-02") in REFUSED
        assert errno_from(bare.stat, "sub-02/anat") in REFUSED, "a failure is not an absence"
        proxy.behave()
        assert holds_within(lambda: errno_from(bare.listdir, "sub-02") == 0, RECOVERY_S), (
            "a failure is not remembered for long"
        )
        assert bare.listdir("sub-02") == {b"anat"}


@pytest.mark.parametrize("rule", [{"action": "truncate"}, {"action": "shift", "by": -1}, {"action": "shift", "by": 1},
                                  {"action": "mislabel"}, {"action": "whole"}],
                         ids=named)  # fmt: skip
@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
def test_wrong_answers_never_become_wrong_bytes(victim: Victim, rule: Rule, times: int | None) -> None:
    door, size = victim.door, len(victim.content)
    victim.proxy.rule(path=victim.path, times=times, **rule)
    handle = door.open(victim.key)
    try:
        for offset in (0, 300 * KIB + 5, 450 * KIB, size - 4 * KIB):
            for _ in range(2):  # what was fetched, and what was kept of it
                found = bytes_or_errno(door.pread, handle, 4 * KIB, offset)
                assert found == victim.content[offset : offset + 4 * KIB] or found in REFUSED, offset
    finally:
        door.close(handle)


class TestForbidden:
    @pytest.fixture
    def forbidden(self, victim: Victim) -> Victim:
        victim.proxy.rule("status", path=victim.path, status=403, code="AccessDenied")
        return victim

    def test_a_forbidden_object_is_shown_and_refused_when_read(self, forbidden: Victim) -> None:
        door, key = forbidden.door, forbidden.key
        assert door.stat(key).size == len(forbidden.content)
        assert errno_from(read, door, key) == errno.EACCES
        assert key.encode() in door.listdir()
        assert door.stat(key).size == len(forbidden.content)

    def test_another_object_is_read(self, forbidden: Victim) -> None:
        assert errno_from(read, forbidden.door, forbidden.key) == errno.EACCES
        assert read(forbidden.door, VICTIMS[-1], 0, 1000) == tree.content(VICTIMS[-1], 1000)

    def test_a_refusal_is_not_retried(self, forbidden: Victim) -> None:
        assert errno_from(read, forbidden.door, forbidden.key) == errno.EACCES
        # Of each extent that the reading of the file began: once, once more where no code came, and the kernel's retry.
        gets = [r.range for r in forbidden.proxy.gets(forbidden.path)]
        assert max(map(gets.count, gets)) <= 3, gets

    def test_the_object_is_read_once_it_is_allowed(self, forbidden: Victim) -> None:
        assert errno_from(read, forbidden.door, forbidden.key) == errno.EACCES
        forbidden.proxy.behave()
        assert holds_within(
            lambda: bytes_or_errno(read, forbidden.door, forbidden.key) == forbidden.content, RECOVERY_S
        )


def test_a_forbidden_listing_is_eacces(bare: Door, proxy: Proxy, dataset: tree.Bucket) -> None:
    """Without the right to list, S3 answers 403, not 404, for what is not there."""
    # Two directories, and all that would tell of them without naming them.
    secret = "prefix=sub-02|prefix=sub-01(/|%2F)anat|^(?!.*delimiter)"
    proxy.rule("status", lists=True, query=secret, status=403, code="AccessDenied")
    proxy.rule("status", lists=False, prefix=dataset.path("sub-02"), status=403, code="AccessDenied")
    assert errno_from(bare.listdir, "sub-02") == errno.EACCES
    assert errno_from(bare.stat, "sub-02/anat") == errno.EACCES
    path = "sub-01/anat/sub-01_T1w.json"
    assert len(read(bare, path)) == tree.FILES[path], "an object may be read all the same"


class TestArchived:
    @pytest.fixture
    def glacier(self, bucket: tree.Bucket) -> tree.Bucket:
        bucket.put("cold.nii", b"x" * 5000, **{"x-amz-storage-class": "GLACIER"})
        bucket.put("warm.nii", b"y" * 5000)
        return bucket

    def test_an_archived_object_is_shown_and_not_read(self, fresh: Fresh, proxy: Proxy, glacier: tree.Bucket) -> None:
        door = fresh(proxy.url, f"s3://{glacier.name}")
        assert door.listdir() == {b"cold.nii", b"warm.nii"}
        assert door.stat("cold.nii").size == 5000
        assert errno_from(read, door, "cold.nii") == errno.EIO
        assert read(door, "warm.nii") == b"y" * 5000

    @pytest.mark.kernel
    def test_the_log_says_why_it_is_not_read(self, fresh_kernel: Fresh, proxy: Proxy, glacier: tree.Bucket) -> None:
        door = fresh_kernel(proxy.url, f"s3://{glacier.name}")
        assert isinstance(door, KernelDoor)
        assert errno_from(read, door, "cold.nii") == errno.EIO
        lines = [line for line in door.mount.log.splitlines() if "cold.nii" in line]
        assert lines, door.mount.log
        assert any("archive" in line.lower() or "restore" in line.lower() for line in lines)
        assert "Traceback" not in door.mount.log


@pytest.fixture
def two_pages(bucket: tree.Bucket, proxy: Proxy) -> tree.Bucket:
    """A directory whose listing takes two pages."""
    bucket.put_all((f"dir/{n:04d}", b"x") for n in range(1_002))
    return bucket


def test_a_listing_whose_second_page_fails_is_an_error(fresh: Fresh, proxy: Proxy, two_pages: tree.Bucket) -> None:
    """When the second page fails the reader must learn it: a directory that looks complete and is not loses data."""
    door = fresh(proxy.url, f"s3://{two_pages.name}")
    door.listdir()
    proxy.rule("status", lists=True, query="continuation-token|start-after", status=403, code="AccessDenied")
    assert errno_from(door.listdir, "dir") == errno.EACCES
    assert errno_from(door.stat, "dir/1001") != errno.ENOENT
    proxy.behave()
    assert len(door.listdir("dir")) == 1_002


def test_a_truncated_listing_is_an_error(bare: Door, proxy: Proxy) -> None:
    proxy.rule("cut-xml", lists=True)
    assert errno_from(bare.listdir, "sub-02") in REFUSED
    assert errno_from(bare.stat, "derivatives/fmriprep") in REFUSED
    proxy.behave()
    assert holds_within(lambda: errno_from(bare.listdir, "sub-02") == 0, RECOVERY_S)
    assert bare.listdir("sub-02") == {b"anat"}


@pytest.mark.kernel
def test_no_traceback_for_what_servers_do(fresh_kernel: Fresh, proxy: Proxy, dataset: tree.Bucket) -> None:
    door = fresh_kernel(proxy.url, f"s3://{dataset.name}", timeout=0.5)
    assert isinstance(door, KernelDoor)
    door.listdir("big")
    refused: Rule = {"action": "status", "status": 403, "code": "AccessDenied"}
    for rule in [*TRANSIENT, refused, {"action": "truncate"}]:
        proxy.behave()
        proxy.clear()
        proxy.rule(path=dataset.path(BIG), **rule)
        handle = door.open(BIG)
        assert errno_from(door.pread, handle, 4 * KIB, 0) in {*REFUSED, errno.EACCES}
        door.close(handle)
        assert rule["action"] in {r.rule for r in proxy.requests()}
    assert "Traceback" not in door.mount.log, door.mount.log
