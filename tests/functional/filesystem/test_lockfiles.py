"""A lockfile, mounted: the objects that there were, whatever became of the bucket since, and not one listing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import cli, tree
from tests.support.cli import run_mountnd
from tests.support.doors import Door, Fresh, errno_from, read, walk
from tests.support.proxy import Proxy
from tests.support.servers import s3_client

FILES = {
    "CHANGES": tree.content("changes", 300),
    "sub-01/anat/T1w.nii": tree.content("T1w", 300_000),
    "sub-01/anat/T1w.json": tree.content("json", 500),
    "sub-02/anat/T1w.nii": tree.content("two", 200_000),
    "sub-02/empty": b"",
}
# Those that moto takes; a newline in a path is not among them, and keys that no file can have are hidden by both.
ODD = ("a\tb", "%41", "# x", "é", "s p/ ", "a//b", "dir/", "dir/x", "both", "both/x")
REPLACED, DELETED, RESTORED, ADDED = "sub-01/anat/T1w.nii", "sub-02/anat/T1w.nii", "CHANGES", "sub-03/new"
PARTS = "parts.nii"


def locked(bucket: tree.Bucket, where: Path, *more: str, name: str = "data.lock") -> str:
    """A lockfile of a bucket as it is now; its path."""
    path = where / name
    done = run_mountnd("lock", f"s3://{bucket.name}/ds", "-o", path, "--endpoint-url", bucket.url, "--anonymous", *more)
    assert done.returncode == 0, done.stderr
    return str(path)


def fill(bucket: tree.Bucket) -> None:
    bucket.put_all({f"ds/{path}": body for path, body in FILES.items()})
    bucket.put("elsewhere/x", b"no part of it")


def as_it_was(door: Door, **more: bytes) -> None:
    """Names, sizes and bytes are those of `FILES` (and `more`)."""
    files = {**FILES, **more}
    found = {os.fsdecode(path): row.is_dir for path, row in walk(door)}
    assert {path for path, is_dir in found.items() if not is_dir} == set(files)
    for path, body in files.items():
        assert door.stat(path).size == len(body)
        assert read(door, path) == body


@pytest.fixture
def client(server: str) -> Any:
    return s3_client(server)


@pytest.fixture
def versioned(bucket: tree.Bucket, client: Any) -> tree.Bucket:
    """A bucket that keeps versions, of whose objects one came in parts."""
    client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    fill(bucket)
    begun = client.create_multipart_upload(Bucket=bucket.name, Key=f"ds/{PARTS}", ACL="public-read")
    parts = [
        {"PartNumber": n, "ETag": client.upload_part(
            Bucket=bucket.name, Key=f"ds/{PARTS}", UploadId=begun["UploadId"], PartNumber=n, Body=part)["ETag"]}
        for n, part in enumerate(IN_PARTS, 1)
    ]  # fmt: skip
    client.complete_multipart_upload(
        Bucket=bucket.name, Key=f"ds/{PARTS}", UploadId=begun["UploadId"], MultipartUpload={"Parts": parts}
    )
    return bucket


IN_PARTS = (tree.content("part one", 5 * tree.MIB), tree.content("part two", 1000))


def change(bucket: tree.Bucket) -> None:
    bucket.put(f"ds/{REPLACED}", tree.content("another", 300_000))
    bucket.put(f"ds/{PARTS}", b"in one")
    bucket.delete(f"ds/{DELETED}")
    bucket.delete(f"ds/{RESTORED}")
    bucket.put(f"ds/{RESTORED}", b"restored, with other bytes")
    bucket.put(f"ds/{ADDED}", b"new")


def test_a_bucket_with_versions_shows_what_was_there(
    versioned: tree.Bucket, proxy: Proxy, fresh: Fresh, tmp_path: Path
) -> None:
    lockfile = locked(versioned, tmp_path)
    change(versioned)
    door = fresh(proxy.url, lockfile)
    as_it_was(door, **{PARTS: b"".join(IN_PARTS)})
    requests = proxy.settled()
    assert {(r.method, r.is_list, "versions" in r.query) for r in requests} == {("GET", False, False)}
    assert all(r.query["versionId"] and r.if_match.startswith('"') for r in requests)


def test_names_and_attributes_take_no_request_at_all(
    versioned: tree.Bucket, proxy: Proxy, fresh: Fresh, tmp_path: Path
) -> None:
    door = fresh(proxy.url, locked(versioned, tmp_path, name="data.lock.gz"))
    paths = [path for path, row in walk(door) if not row.is_dir]
    assert sum(door.stat(path).size for path in paths) == sum(map(len, [*FILES.values(), *IN_PARTS]))
    assert errno_from(door.stat, "sub-01/none") == errno_from(door.stat, "none/at/all") == errno.ENOENT
    assert door.stat("CHANGES").mtime_ns % 10**9 == 0
    assert proxy.settled() == []


def test_without_versions_what_was_replaced_or_deleted_is_stale(
    bucket: tree.Bucket, proxy: Proxy, fresh: Fresh, tmp_path: Path
) -> None:
    fill(bucket)
    lockfile = locked(bucket, tmp_path)
    change(bucket)
    door = fresh(proxy.url, lockfile)
    for _ in "again", "and again":
        for path in (REPLACED, DELETED, RESTORED):
            assert door.stat(path).size == len(FILES[path])
            assert errno_from(read, door, path) == errno.ESTALE
    assert read(door, "sub-01/anat/T1w.json") == FILES["sub-01/anat/T1w.json"]
    assert ADDED.encode().split(b"/")[0] not in door.listdir()
    assert not [r for r in proxy.settled() if r.is_list]
    bucket.put(f"ds/{REPLACED}", FILES[REPLACED])  # the same bytes again
    assert read(door, REPLACED) == FILES[REPLACED]


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        ({"status": 403, "code": "AccessDenied"}, errno.ESTALE),
        ({"status": 404, "code": "NoSuchVersion"}, errno.ESTALE),
        ({"status": 412, "code": "PreconditionFailed"}, errno.ESTALE),
        ({"status": 403, "code": "ExpiredToken"}, errno.EACCES),
        ({"status": 403, "code": "InvalidObjectState"}, errno.EIO),
    ],
)
def test_what_the_bucket_refuses_is_stale_and_what_refuses_the_reader_is_not(
    versioned: tree.Bucket, proxy: Proxy, fresh: Fresh, tmp_path: Path, rule: dict[str, Any], seen: int
) -> None:
    lockfile = locked(versioned, tmp_path)
    proxy.rule("status", path=versioned.path(f"ds/{REPLACED}"), **rule)
    door = fresh(proxy.url, lockfile)
    assert errno_from(read, door, REPLACED) == seen
    assert read(door, DELETED) == FILES[DELETED]
    assert not [r for r in proxy.settled() if r.is_list]


def test_a_version_that_was_removed_is_stale(
    versioned: tree.Bucket, client: Any, proxy: Proxy, fresh: Fresh, tmp_path: Path
) -> None:
    lockfile = locked(versioned, tmp_path)
    change(versioned)
    found = client.list_object_versions(Bucket=versioned.name, Prefix=f"ds/{REPLACED}")["Versions"]
    (old,) = (one["VersionId"] for one in found if not one["IsLatest"])
    client.delete_object(Bucket=versioned.name, Key=f"ds/{REPLACED}", VersionId=old)
    door = fresh(proxy.url, lockfile)
    assert errno_from(read, door, REPLACED) == errno.ESTALE
    assert read(door, DELETED) == FILES[DELETED]


def test_odd_keys_are_shown_as_a_listing_shows_them(
    bucket: tree.Bucket, proxy: Proxy, fresh: Fresh, tmp_path: Path
) -> None:
    for key in ODD:
        bucket.put(f"ds/{key}", key.encode())
    lockfile = locked(bucket, tmp_path)
    plain = {path: row.is_dir for path, row in walk(fresh(bucket.url, f"s3://{bucket.name}/ds"))}
    door = fresh(proxy.url, lockfile)
    assert {path: row.is_dir for path, row in walk(door)} == plain
    for path in ODD[:5]:
        assert read(door, path) == path.encode()


def test_without_a_network_what_a_plain_mount_has_read_is_read(
    versioned: tree.Bucket, proxy: Proxy, fresh: Fresh, tmp_path: Path
) -> None:
    door = fresh(proxy.url, f"s3://{versioned.name}/ds", cache_dir=tmp_path / "cache")
    assert read(door, REPLACED) == FILES[REPLACED]
    lockfile = locked(versioned, tmp_path)
    proxy.settled()
    proxy.down()
    door = fresh(proxy.url, lockfile, cache_dir=tmp_path / "cache", offline=True)
    assert read(door, REPLACED) == FILES[REPLACED]
    assert errno_from(read, door, DELETED) == errno.EIO


def test_two_lockfiles_of_a_bucket_beside_each_other(versioned: tree.Bucket, fresh: Fresh, tmp_path: Path) -> None:
    old = locked(versioned, tmp_path, name="old.lock")
    change(versioned)
    new = locked(versioned, tmp_path, name="new.lock")
    assert read(fresh(versioned.url, old), REPLACED) == FILES[REPLACED]
    assert read(fresh(versioned.url, new), REPLACED) == tree.content("another", 300_000)
    assert DELETED.encode().rpartition(b"/")[2] not in fresh(versioned.url, new).listdir("sub-02")


@pytest.mark.kernel
def test_explain_says_that_names_are_those_of_the_lockfile(versioned: tree.Bucket, tmp_path: Path) -> None:
    lockfile = locked(versioned, tmp_path)
    with cli.mountpoint(tmp_path.resolve() / "mnt") as where:
        done = run_mountnd(lockfile, where, "--anonymous", "--cache-dir", tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        (told,) = json.loads(f"[{run_mountnd('explain', where / REPLACED, '--json').stdout}]")
        assert (told["kind"], told["names"]["told_by"]) == ("file", "lockfile"), "nobody has to be asked for a name"
        for path in (where / REPLACED, where / "sub-01"):
            done = run_mountnd("explain", path)
            assert "from the lockfile, as long as it is mounted" in " ".join(done.stdout.split())
        assert "there is no such name" in " ".join(run_mountnd("explain", where / "none").stdout.split())


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("mount.fuse3", path="/sbin:/usr/sbin") is None, reason="fuse3 is not installed")
def test_a_line_of_fstab_names_a_lockfile(versioned: tree.Bucket, tmp_path: Path) -> None:
    """As mount(8) does it: by mount.fuse3, which runs `mountnd` through a shell."""
    lockfile = locked(versioned, tmp_path)
    change(versioned)
    stand_in = tmp_path / "mountnd"
    stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m mountnd "$@"\n')
    stand_in.chmod(0o755)
    with cli.mountpoint(tmp_path.resolve() / "mnt") as where:
        where.mkdir()
        options = f"rw,noauto,user,_netdev,anonymous,cache-dir={tmp_path / 'cache'}"
        argv = ["/sbin/mount.fuse3", lockfile, str(where), "-o", options, "-t", "fuse.mountnd"]
        env = cli.environment() | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert (where / REPLACED).read_bytes() == FILES[REPLACED]
        assert not (where / ADDED).exists()
