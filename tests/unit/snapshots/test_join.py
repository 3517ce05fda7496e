"""Which version of an object a file of a snapshot is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from mountnd.snapshots.answers import SnapshotFile
from mountnd.snapshots.join import BLOB_MAX, Chosen, Missing, Undecided, choose, join
from mountnd.snapshots.urls import VersionedUrl
from mountnd.stores.object_versions import Version

KEY = "ds000001/x.nii.gz"


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


def stored(version: str, body: bytes, etag: str | None = None) -> Version:
    return Version(KEY, version, len(body), f'"{md5(body)}"' if etag is None else etag, 10**18)


def annexed(body: bytes, *named: str) -> SnapshotFile:
    return SnapshotFile("x.nii.gz", len(body), f"md5:{md5(body)}", urls(named))


def urls(named: Sequence[str]) -> tuple[VersionedUrl, ...]:
    return tuple(VersionedUrl(f"s3.amazonaws.com/openneuro.org/{KEY}", version) for version in named)


OLD, NEW = stored("v1", b"old"), stored("v2", b"new")


def test_the_version_that_is_named() -> None:
    assert choose(annexed(b"old", "v1"), [NEW, OLD]) == Chosen(annexed(b"old", "v1"), OLD)


def test_an_older_version_of_the_same_bytes_is_taken_where_it_is_the_one_that_is_named() -> None:
    again = stored("v3", b"old")
    assert choose(annexed(b"old", "v1"), [again, NEW, OLD]) == Chosen(annexed(b"old", "v1"), OLD)


@pytest.mark.parametrize("named", [(), ("gone",), ("v2",)], ids=["not named", "gone", "named is another"])
def test_the_version_with_its_size_and_md5(named: tuple[str, ...]) -> None:
    file = annexed(b"old", *named)
    assert choose(file, [NEW, OLD]) == Chosen(file, OLD)


def test_of_several_with_the_same_bytes_the_newest() -> None:
    again = stored("v3", b"old")
    assert choose(annexed(b"old"), [again, NEW, OLD]) == Chosen(annexed(b"old"), again)


@pytest.mark.parametrize(
    ("held", "named", "why"),
    [
        ([], (), "the bucket has no version of it"),
        ([NEW], (), "none of 1 version has its size and MD5"),
        ([NEW, stored("v0", b"longer")], ("v9",), "the version that is named is gone, and none of 2 versions has"),
        ([NEW], ("v2",), "the version that is named has other bytes"),
    ],
)
def test_what_is_missing_says_why(held: list[Version], named: tuple[str, ...], why: str) -> None:
    found = choose(annexed(b"old", *named), held)
    assert isinstance(found, Missing)
    assert found.why.startswith(why)


def test_an_object_in_parts_is_told_by_its_size_where_no_other_has_it() -> None:
    in_parts = stored("v1", b"old", '"00000000000000000000000000000000-2"')
    assert choose(annexed(b"old"), [in_parts]) == Chosen(annexed(b"old"), in_parts, by_size=True)
    assert choose(annexed(b"old", "v1"), [in_parts]) == Chosen(annexed(b"old", "v1"), in_parts)
    other = stored("v2", b"odd", '"00000000000000000000000000000001-2"')
    found = choose(annexed(b"old"), [other, in_parts])
    assert isinstance(found, Missing)
    assert "2 different ones have its size" in found.why


def test_copies_of_an_object_in_parts_are_one() -> None:
    etag = '"00000000000000000000000000000000-2"'
    first, second = stored("v1", b"old", etag), stored("v2", b"old", etag)
    found = choose(annexed(b"old"), [second, first])
    assert isinstance(found, Chosen)
    assert found.by_size


def test_a_version_with_the_md5_goes_before_one_in_parts() -> None:
    in_parts = stored("v2", b"odd", '"00000000000000000000000000000000-2"')
    assert choose(annexed(b"old"), [in_parts, OLD]) == Chosen(annexed(b"old"), OLD)


def test_git_blobs_are_to_be_read_newest_first_each_once() -> None:
    blob = SnapshotFile("x.nii.gz", 3, f"git-sha1:{'ab' * 20}")
    again = stored("v3", b"old")
    assert choose(blob, [again, NEW, OLD, stored("v0", b"longer")]) == Undecided(blob, (again, NEW))


def test_a_git_blob_that_is_named_is_not_read() -> None:
    blob = SnapshotFile("x.nii.gz", 3, f"git-sha1:{'ab' * 20}", urls(["v1"]))
    assert choose(blob, [NEW, OLD]) == Chosen(blob, OLD)


def test_a_large_git_blob_is_not_read() -> None:
    blob = SnapshotFile("x.nii.gz", BLOB_MAX + 1, f"git-sha1:{'ab' * 20}")
    found = choose(blob, [OLD._replace(size=BLOB_MAX + 1)])
    assert isinstance(found, Missing)
    assert "too many" in found.why


def test_a_file_of_another_digest_is_told_by_its_size() -> None:
    file = SnapshotFile("x.nii.gz", 3, f"sha256:{'ab' * 32}")
    assert choose(file, [OLD]) == Chosen(file, OLD, by_size=True)


def test_join_sorts_all_files() -> None:
    lost = SnapshotFile("lost", 1, "")
    blob = SnapshotFile("x.nii.gz", 3, f"git-sha1:{'ab' * 20}")
    joined = join([annexed(b"old"), lost, blob], "ds000001/", {KEY: [NEW, OLD]})
    assert [one.version for one in joined.chosen] == [OLD]
    assert [one.file for one in joined.missing] == [lost]
    assert [one.file for one in joined.undecided] == [blob]


def test_where_not_all_versions_are_known_only_what_proves_to_be_it_is_taken() -> None:
    in_parts = stored("v1", b"old", '"00000000000000000000000000000000-2"')
    assert choose(annexed(b"old", "v1"), [in_parts], whole=False) == Chosen(annexed(b"old", "v1"), in_parts)
    assert choose(annexed(b"old"), [OLD], whole=False) == Chosen(annexed(b"old"), OLD)
    blob = SnapshotFile("x.nii.gz", 3, f"git-sha1:{'ab' * 20}")
    assert choose(blob, [OLD], whole=False) == Undecided(blob, (OLD,))
    for held in ([in_parts], [NEW], []):
        found = choose(annexed(b"old"), held, whole=False)
        assert isinstance(found, Missing)
        assert found.why == "no version is named, and the bucket does not let its versions be listed"
