"""What the tree looks like, through both doors."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from mountnd.vfs.inodes import DIRECTORY_MTIME_NS
from tests.support import tree
from tests.support.doors import Door, Fresh, errno_from, read, walk
from tests.support.servers import s3_client


def last_modified(bucket: tree.Bucket) -> dict[str, int]:
    """LastModified of every object as its listing says it, in nanoseconds."""
    pages = s3_client(bucket.url).get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    return {o["Key"]: int(o["LastModified"].timestamp()) * 10**9 for page in pages for o in page["Contents"]}


@pytest.mark.parametrize("path", tree.DIRECTORIES)
def test_directories_hold_what_the_bucket_holds(door: Door, path: str) -> None:
    assert door.listdir(path) == {os.fsencode(name) for name in tree.DIRECTORIES[path]}


@pytest.mark.parametrize("path", tree.DIRECTORIES)
def test_directory_entries_have_type_and_inode_number(door: Door, path: str) -> None:
    for name, row in door.rows(path).items():
        below = os.path.join(os.fsencode(path), name)
        assert row.is_dir == (os.fsdecode(below) in tree.DIRECTORIES), below
        assert row.ino == door.stat(below).ino, below


def test_everything_is_a_regular_file_or_a_directory(door: Door) -> None:
    found = dict(walk(door))
    assert {os.fsdecode(p) for p, row in found.items() if not row.is_dir} == set(tree.FILES)
    for path, row in found.items():
        mode = door.stat(path).mode
        assert mode == (stat.S_IFDIR | 0o755 if row.is_dir else stat.S_IFREG | 0o644), path


@pytest.mark.parametrize("path", tree.FILES)
def test_a_file_has_the_size_of_its_object(door: Door, path: str) -> None:
    assert door.stat(path).size == tree.FILES[path]


def test_mtime_is_last_modified(door: Door, dataset: tree.Bucket) -> None:
    times = last_modified(dataset)
    for path in tree.FILES:
        assert door.stat(path).mtime_ns // 10**9 == times[path] // 10**9, path
    for marker in tree.MARKERS:
        assert door.stat(marker).mtime_ns // 10**9 == times[marker] // 10**9, marker


def test_a_directory_without_a_marker_has_the_documented_constant(door: Door) -> None:
    assert DIRECTORY_MTIME_NS > 0
    for path in ("", "sub-01", "sub-01/anat", "derivatives/fmriprep", "sizes"):
        assert door.stat(path).mtime_ns == DIRECTORY_MTIME_NS, path


def test_owner_and_links(door: Door) -> None:
    for path in ("", "sub-01", "participants.tsv", "hollow"):
        found = door.stat(path)
        assert (found.uid, found.gid) == (os.getuid(), os.getgid())
        assert found.nlink >= 1


def test_inode_numbers_are_distinct_and_positive(door: Door) -> None:
    numbers = [row.ino for _, row in walk(door)]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < n < 1 << 63 for n in numbers)
    assert door.stat("").ino not in numbers


def test_inode_numbers_survive_a_remount(fresh: Fresh, dataset: tree.Bucket) -> None:
    first, second = ({p: row.ino for p, row in walk(fresh(dataset.url, f"s3://{dataset.name}"))} for _ in range(2))
    assert first == second


def test_inode_numbers_do_not_depend_on_the_order_of_look_ups(fresh: Fresh, dataset: tree.Bucket) -> None:
    walked = {p: row.ino for p, row in walk(fresh(dataset.url, f"s3://{dataset.name}"))}
    other = fresh(dataset.url, f"s3://{dataset.name}")
    for path in sorted(walked, reverse=True):
        assert other.stat(path).ino == walked[path]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("missing", errno.ENOENT),
        ("missing/below", errno.ENOENT),
        ("sub-01/missing", errno.ENOENT),
        ("sub-01/anat/sub-01_T1w.nii", errno.ENOENT),  # a prefix of a key is no name
        ("sub-0", errno.ENOENT),
        ("hollow/missing", errno.ENOENT),
        ("participants.tsv/below", errno.ENOTDIR),
        ("sub-01/anat/sub-01_T1w.json/a/b", errno.ENOTDIR),
        ("n" * 255, errno.ENOENT),
        ("n" * 256, errno.ENOENT),
    ],
)
def test_the_errno_of_missing_paths(door: Door, path: str, expected: int) -> None:
    assert errno_from(door.stat, path) == expected
    assert errno_from(read, door, path) == expected
    assert errno_from(door.listdir, path) == expected


def test_files_are_no_directories_and_directories_no_files(door: Door) -> None:
    assert errno_from(door.listdir, "participants.tsv") == errno.ENOTDIR
    assert errno_from(read, door, "sub-01") == errno.EISDIR
    assert errno_from(read, door, "hollow") == errno.EISDIR


def test_a_slash_after_a_directory_changes_nothing(door: Door) -> None:
    assert door.stat("hollow/") == door.stat("hollow")
    assert door.stat("sub-01/") == door.stat("sub-01")


def test_owner_and_modes_can_be_chosen(fresh: Fresh, dataset: tree.Bucket) -> None:
    door = fresh(dataset.url, f"s3://{dataset.name}", uid=1234, gid=2345, file_mode=0o440, dir_mode=0o550)
    for path, mode in (("sub-01", stat.S_IFDIR | 0o550), ("participants.tsv", stat.S_IFREG | 0o440)):
        found = door.stat(path)
        assert (found.uid, found.gid, found.mode) == (1234, 2345, mode)


def test_a_prefix_can_be_the_root(fresh: Fresh, dataset: tree.Bucket) -> None:
    for source in (f"s3://{dataset.name}/sub-01", f"s3://{dataset.name}/sub-01/"):
        door = fresh(dataset.url, source)
        assert door.listdir() == {b"anat", b"func"}
        assert door.stat("anat/sub-01_T1w.json").size == tree.FILES["sub-01/anat/sub-01_T1w.json"]
        assert errno_from(door.stat, "sub-02") == errno.ENOENT


def test_an_empty_bucket_is_an_empty_directory(fresh: Fresh, bucket: tree.Bucket) -> None:
    door = fresh(bucket.url, f"s3://{bucket.name}")
    assert door.listdir() == set()
    assert errno_from(door.stat, "anything") == errno.ENOENT


def test_several_sources_are_a_directory_each(fresh: Fresh, dataset: tree.Bucket, bucket: tree.Bucket) -> None:
    bucket.put("only/here.txt", b"here")
    door = fresh(dataset.url, f"s3://{dataset.name}", f"s3://{bucket.name}")
    assert door.listdir() == {dataset.name.encode(), bucket.name.encode()}
    assert all(row.is_dir for row in door.rows().values())
    assert door.listdir(dataset.name) == {os.fsencode(n) for n in tree.DIRECTORIES[""]}
    assert read(door, f"{bucket.name}/only/here.txt") == b"here"
    assert errno_from(door.stat, "only") == errno.ENOENT
    assert errno_from(door.stat, f"{bucket.name}/sub-01") == errno.ENOENT
    numbers = [row.ino for _, row in walk(door)]
    assert len(set(numbers)) == len(numbers)


def test_one_bucket_twice_has_distinct_inode_numbers(fresh: Fresh, dataset: tree.Bucket) -> None:
    """Two subtrees of one bucket are two sources; the whole and a part overlap in their keys."""
    door = fresh(dataset.url, f"s3://{dataset.name}", f"s3://{dataset.name}/sub-01")
    numbers = [row.ino for _, row in walk(door)]
    assert len(set(numbers)) == len(numbers)
