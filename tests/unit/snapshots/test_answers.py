"""Answers of a service are looked at before they are believed."""

from __future__ import annotations

from typing import Any

import pytest

from mountnd.errors import BadAnswer
from mountnd.snapshots.answers import SnapshotFile, Tag, files_of, tags_of
from mountnd.snapshots.urls import VersionedUrl

MD5 = "0cc175b9c0f1b6a831c399e269772661"


def test_files() -> None:
    rows = [
        {
            "filename": "sub-01/x.nii.gz",
            "urls": ["https://s3.amazonaws.com/openneuro.org/ds000001/sub-01/x.nii.gz?versionId=v1"],
            "size": 12,
            "id": f"MD5E-s12--{MD5}.nii.gz",
        },
        {"filename": "README", "urls": None, "size": "7", "id": "ab" * 20},
        {"filename": "CHANGES", "urls": [], "size": 3, "id": None},
    ]
    url = VersionedUrl("s3.amazonaws.com/openneuro.org/ds000001/sub-01/x.nii.gz", "v1")
    assert files_of(rows, "service") == [
        SnapshotFile("sub-01/x.nii.gz", 12, f"md5:{MD5}", (url,)),
        SnapshotFile("README", 7, f"git-sha1:{'ab' * 20}"),
        SnapshotFile("CHANGES", 3, ""),
    ]


def test_the_keys_size_is_that_of_the_bytes_that_were_hashed() -> None:
    rows = [{"filename": "x", "urls": [], "size": 999, "id": f"MD5E-s12--{MD5}"}]
    assert files_of(rows, "service")[0].size == 12


def test_directories_beside_what_is_in_them_are_no_files() -> None:
    rows = [
        {"filename": "sub-01", "urls": [], "size": 0, "id": "ab" * 20},
        {"filename": "sub-02", "urls": None, "size": 0, "id": "ab" * 20, "directory": True},
        {"filename": "sub-01/x", "urls": [], "size": 1, "id": "ab" * 20},
    ]
    assert [file.path for file in files_of(rows, "service")] == ["sub-01/x"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({}, "a list of files was expected, not {}"),
        ("files", "a list of files was expected"),
        ([None], "None is no file"),
        ([{}], "None is no path"),
        ([{"filename": 7, "size": 1}], "7 is no path"),
        ([{"filename": "/etc/passwd", "size": 1}], "'/etc/passwd' is no path"),
        ([{"filename": "a/../../b", "size": 1}], "is no path"),
        ([{"filename": "a//b", "size": 1}], "is no path"),
        ([{"filename": "a\0b", "size": 1}], "is no path"),
        ([{"filename": "x"}], "'x': its size is None"),
        ([{"filename": "x", "size": -1}], "'x': its size is -1"),
        ([{"filename": "x", "size": "many"}], "'x': its size is 'many'"),
        ([{"filename": "x", "size": 2**63}], "'x': its size is"),
        ([{"filename": "x", "size": 1, "urls": "http://x"}], "'x': its addresses are 'http://x'"),
        ([{"filename": "x", "size": 1}, {"filename": "x", "size": 2}], "'x' is there twice"),
        ([{"filename": "x", "size": 1, "urls": ["u"]}, {"filename": "x/y", "size": 2}], "'x' is there twice"),
    ],
)
def test_what_cannot_be_is_refused_and_named(rows: Any, said: str) -> None:
    with pytest.raises(BadAnswer, match="^service: ") as error:
        files_of(rows, "service")
    assert said in str(error.value)


def test_tags_are_in_the_order_in_which_they_were_made() -> None:
    rows = [
        {"tag": "1.0.10", "created": "2020-03-01T00:00:00.000Z", "size": 5},
        {"tag": "1.0.2", "created": "2019-03-01T00:00:00.000Z", "size": "6"},
        {"tag": "00001", "created": None},
    ]
    assert tags_of(rows, "service") == [
        Tag("00001"),
        Tag("1.0.2", "2019-03-01T00:00:00.000Z", 6),
        Tag("1.0.10", "2020-03-01T00:00:00.000Z", 5),
    ]


@pytest.mark.parametrize("rows", [None, {}, [None], [{}], [{"tag": ""}], [{"tag": 1}], [{"tag": "a\nb"}]])
def test_what_is_no_list_of_tags(rows: Any) -> None:
    with pytest.raises(BadAnswer, match="^service: "):
        tags_of(rows, "service")
