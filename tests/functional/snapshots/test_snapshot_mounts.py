"""What `openneuro/ds000001@1.0.2` shows, through both doors, over a real server and a real service."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from mountnd.errors import MountndError
from tests.support import tree
from tests.support.doors import Door, errno_from, read, walk
from tests.support.proxy import Proxy
from tests.support.snapshots import annex_key

from .conftest import BOLD, JSON, OTHER, SECRET, T1W, TABLE, TREES, Open, Stage

STALE = errno.ESTALE


def sizes(door: Door) -> dict[str, int]:
    """Every file's path and size."""
    return {path.decode(): door.stat(path).size for path, row in walk(door) if not row.is_dir}


def unreadable(door: Door, tree: Mapping[str, bytes]) -> dict[str, int]:
    """The files that do not give their bytes, with the errno; wrong bytes fail the test."""
    failed = {}
    for path, body in tree.items():
        try:
            assert read(door, path) == body, path
        except OSError as error:
            failed[path] = error.errno or -1
    return failed


@pytest.mark.parametrize("tag", ["1.0.0", "1.0.1", "1.0.2"])
def test_a_snapshot_is_its_git_tree(tag: str, open_snapshot: Open) -> None:
    door = open_snapshot(f"openneuro/ds000001@{tag}")
    assert sizes(door) == {path: len(body) for path, body in TREES[tag].items()}
    assert unreadable(door, TREES[tag]) == {}


@pytest.mark.parametrize("tag", ["1.0.0", "1.0.1", "1.0.2"])
def test_versions_that_the_service_does_not_name_are_found(tag: str, stage: Stage, open_snapshot: Open) -> None:
    """By size and MD5, git blobs by their hash: several have the same size."""
    _unnamed(stage, tag, *(path for path in TREES[tag] if path != BOLD))
    door = open_snapshot(f"openneuro/ds000001@{tag}")
    assert sizes(door) == {path: len(body) for path, body in TREES[tag].items()}
    assert unreadable(door, TREES[tag]) == {}


def _changed(stage: Stage, tag: str, changes: Mapping[str, Mapping[str, object]]) -> None:
    """The service says something else of these files."""
    known = [
        {**one, "files": [{**row, **changes.get(row["filename"], {})} for row in one["files"]]}
        if one["tag"] == tag
        else one
        for one in stage.exported.snapshots
    ]
    stage.service.know({"ds000001": known})


def _unnamed(stage: Stage, tag: str, *paths: str) -> None:
    """The service does not name these versions."""
    _changed(stage, tag, {path: {"urls": []} for path in paths})


def test_an_object_in_parts_that_is_not_named_is_missing_where_several_have_its_size(
    stage: Stage, open_snapshot: Open
) -> None:
    _unnamed(stage, "1.0.2", BOLD)
    door = open_snapshot("openneuro/ds000001@1.0.2")
    assert sizes(door) == {path: len(body) for path, body in TREES["1.0.2"].items()}
    assert unreadable(door, TREES["1.0.2"]) == {BOLD: STALE}


def test_what_the_bucket_does_not_have_any_more_is_shown_and_stale(stage: Stage, open_snapshot: Open) -> None:
    lost = {"filename": "sub-03/lost.nii.gz", "size": 77, "id": f"MD5E-s77--{'0' * 32}.nii.gz", "urls": []}
    (one,) = [one for one in stage.exported.snapshots if one["tag"] == "1.0.1"]
    stage.service.know({"ds000001": [{**one, "files": [*one["files"], lost]}]})
    door = open_snapshot("openneuro/ds000001@1.0.1")
    assert sizes(door) == {**{path: len(body) for path, body in TREES["1.0.1"].items()}, "sub-03/lost.nii.gz": 77}
    assert errno_from(read, door, "sub-03/lost.nii.gz") == STALE
    assert unreadable(door, TREES["1.0.1"]) == {}


def test_a_version_with_wrong_bytes_is_not_believed(stage: Stage, open_snapshot: Open) -> None:
    """OpenNeuro's issue 3875: what is named is another version than the one whose MD5 the key has."""
    _changed(stage, "1.0.0", {T1W: {"urls": stage.exported.row("1.0.1", T1W)["urls"]}})
    for tag in ("1.0.0", "1.0.1"):
        door = open_snapshot(f"openneuro/ds000001@{tag}")
        assert read(door, T1W) == TREES[tag][T1W]


@pytest.mark.parametrize("named", [True, False])
def test_a_version_that_is_not_public_is_refused_alone(
    named: bool, stage: Stage, open_snapshot: Open, bucket_proxy: Proxy
) -> None:
    """Public access is a tag of each version. One that is named is shown and stale; of one that is not named nobody can
    tell that it is the git blob that is meant."""
    version = stage.exported.version("1.0.0", SECRET)
    bucket_proxy.rule("status", query=f"versionId={version}", status=403, code="AccessDenied")
    if not named:
        _unnamed(stage, "1.0.0", SECRET)
    door = open_snapshot("openneuro/ds000001@1.0.0", url=bucket_proxy.url)
    assert sizes(door) == {path: len(body) for path, body in TREES["1.0.0"].items()}
    assert unreadable(door, TREES["1.0.0"]) == {SECRET: STALE}


@pytest.mark.parametrize("listable", [True, False])
def test_a_mirror_that_has_one_snapshot_and_keeps_no_versions(
    listable: bool, stage: Stage, open_snapshot: Open, bucket_proxy: Proxy
) -> None:
    """The ids that the service names are of another bucket: files are told by their bytes, or are missing."""
    with contextlib.suppress(stage.exported.client.exceptions.BucketAlreadyOwnedByYou):
        stage.exported.client.create_bucket(Bucket="mirror")
    for path, body in TREES["1.0.2"].items():
        key = f"copies/ds000001/{path}"
        stage.exported.client.put_object(Bucket="mirror", Key=key, Body=body, ACL="public-read")
    if not listable:
        bucket_proxy.rule("status", query="versions", status=403, code="AccessDenied")
    door = open_snapshot("s3://mirror/copies/ds000001@1.0.2", url=bucket_proxy.url)
    assert sizes(door) == {path: len(body) for path, body in TREES["1.0.2"].items()}
    assert unreadable(door, TREES["1.0.2"]) == {}
    older = open_snapshot("s3://mirror/copies/ds000001@1.0.1", url=bucket_proxy.url)
    assert unreadable(older, TREES["1.0.1"]) == dict.fromkeys((T1W, BOLD), STALE)


def test_a_directory_of_a_snapshot(open_snapshot: Open) -> None:
    door = open_snapshot("openneuro/ds000001@1.0.1/sub-01/anat")
    assert door.listdir() == {b"sub-01_T1w.nii.gz", b"sub-01_T1w.json"}
    assert read(door, "sub-01_T1w.json") == TREES["1.0.1"][JSON]


@pytest.mark.parametrize(
    "word",
    ["ds000001@1.0.1", "10.18112/openneuro.ds000001.v1.0.1", "https://doi.org/10.18112/openneuro.ds000001.v1.0.1"],
)
def test_other_words_for_it(word: str, open_snapshot: Open) -> None:
    door = open_snapshot(word)
    assert read(door, TABLE) == TREES["1.0.1"][TABLE]


def test_latest_is_the_newest(open_snapshot: Open) -> None:
    door = open_snapshot("openneuro/ds000001@latest")
    assert sizes(door) == {path: len(body) for path, body in TREES["1.0.2"].items()}


def test_without_a_tag_it_is_what_the_bucket_shows(stage: Stage, open_snapshot: Open) -> None:
    door = open_snapshot("openneuro/ds000001")
    assert read(door, OTHER) == TREES["1.0.2"][OTHER]
    assert stage.service.log() == []


class TestWhatIsKept:
    def test_the_next_mount_asks_nobody(self, stage: Stage, open_snapshot: Open, bucket_proxy: Proxy) -> None:
        url = bucket_proxy.url
        assert unreadable(open_snapshot("openneuro/ds000001@1.0.1", url=url), TREES["1.0.1"]) == {}
        asked = stage.service.log()
        assert len(asked) == 1  # one query for all files
        bucket_proxy.clear()
        door = open_snapshot("openneuro/ds000001@1.0.1", url=url)
        assert sizes(door) == {path: len(body) for path, body in TREES["1.0.1"].items()}
        assert stage.service.log() == asked
        assert [one for one in bucket_proxy.requests() if "encoding-type" in one.query] == []  # which listings have

    def test_offline(self, stage: Stage, open_snapshot: Open) -> None:
        first = open_snapshot("openneuro/ds000001@1.0.1")
        assert read(first, T1W) == TREES["1.0.1"][T1W]
        stage.service.switch(fault={"status": 503})
        door = open_snapshot("openneuro/ds000001@1.0.1", offline=True)
        assert sizes(door) == {path: len(body) for path, body in TREES["1.0.1"].items()}
        assert stage.service.log() == []

    def test_latest_without_the_service_is_the_newest_that_is_known(self, stage: Stage, open_snapshot: Open) -> None:
        open_snapshot("openneuro/ds000001@1.0.0")
        open_snapshot("openneuro/ds000001@latest")
        stage.service.switch(fault={"status": 404, "body": "no such page"})
        door = open_snapshot("openneuro/ds000001@latest")
        assert read(door, "CHANGES") == TREES["1.0.2"]["CHANGES"]

    def test_files_that_were_missing_are_looked_for_again(
        self, stage: Stage, open_snapshot: Open, tmp_path: Path
    ) -> None:
        """An export takes its time; a mount made meanwhile must not be what the snapshot is from then on."""
        late = "sub-03/late.nii.gz"
        body = tree.content(late, 70)
        row = {"filename": late, "size": 70, "id": annex_key(late, body), "urls": []}
        (one,) = [one for one in stage.exported.snapshots if one["tag"] == "1.0.1"]
        stage.service.know({"ds000001": [{**one, "files": [*one["files"], row]}]})
        assert errno_from(read, open_snapshot("openneuro/ds000001@1.0.1"), late) == STALE
        exported = stage.exported
        version = exported.put(late, body)
        try:
            asked = stage.service.log()
            assert errno_from(read, open_snapshot("openneuro/ds000001@1.0.1"), late) == STALE
            assert stage.service.log() == asked, "not at each mount"
            (kept,) = (tmp_path / "cache/snapshots").glob("*/*.lock.gz")
            os.utime(kept, (time.time() - 7 * 3600,) * 2)
            stage.service.switch(fault={"status": 404, "body": "no such page"})
            assert errno_from(read, open_snapshot("openneuro/ds000001@1.0.1"), late) == STALE
            stage.service.know({"ds000001": [{**one, "files": [*one["files"], row]}]})
            assert read(open_snapshot("openneuro/ds000001@1.0.1"), late) == body
        finally:
            exported.client.delete_object(Bucket=exported.bucket, Key=exported.key(late), VersionId=version)

    def test_without_a_cache_it_works_as_well(self, stage: Stage, open_snapshot: Open) -> None:
        door = open_snapshot("openneuro/ds000001@1.0.1", cache_size=0)
        assert unreadable(door, TREES["1.0.1"]) == {}


def test_where_versions_may_not_be_listed(open_snapshot: Open, bucket_proxy: Proxy) -> None:
    """As OpenNeuro's in 2023 (issue 2809): what is named can be read all the same."""
    bucket_proxy.rule("status", query="versions", status=403, code="AccessDenied")
    door = open_snapshot("openneuro/ds000001@1.0.1", url=bucket_proxy.url)
    assert sizes(door) == {path: len(body) for path, body in TREES["1.0.1"].items()}
    assert unreadable(door, TREES["1.0.1"]) == {}


def test_where_versions_may_not_be_listed_nor_are_named(stage: Stage, open_snapshot: Open, bucket_proxy: Proxy) -> None:
    """What is there now may be the file, or not."""
    _unnamed(stage, "1.0.0", *TREES["1.0.0"])
    bucket_proxy.rule("status", query="versions", status=403, code="AccessDenied")
    door = open_snapshot("openneuro/ds000001@1.0.0", url=bucket_proxy.url)
    assert sizes(door) == {path: len(body) for path, body in TREES["1.0.0"].items()}
    readable = set(TREES["1.0.0"]) - unreadable(door, TREES["1.0.0"]).keys()
    # by MD5, as they are again in 1.0.2; by git's hash; and empty
    assert readable == {T1W, OTHER, "derivatives/aparc+aseg.mgz", "dataset_description.json", "empty.txt"}


def test_wrong_tags_and_data_sets(open_snapshot: Open) -> None:
    for word, said in [
        ("openneuro/ds000001@1.0.3", "ds000001 has no snapshot 1.0.3; it has 1.0.0, 1.0.1, 1.0.2"),
        ("openneuro/ds000002@1.0.0", "knows no public data set ds000002"),
        ("openneuro/ds000002@latest", "knows no public data set ds000002"),
    ]:
        with pytest.raises((MountndError, RuntimeError)) as error:
            open_snapshot(word)
        assert said in str(error.value)
