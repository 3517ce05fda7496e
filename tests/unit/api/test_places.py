"""Which source, and which path in it, a path means."""

from __future__ import annotations

import pytest

from mountnd.api.places import Place, joined, normal, place_of

ARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/lab"


@pytest.mark.parametrize(
    ("path", "word", "below"),
    [
        ("", "", ""),
        ("openneuro", "openneuro", ""),
        ("openneuro/ds000001/sub-01", "openneuro", "ds000001/sub-01"),
        ("ds000001/sub-01", "ds000001", "sub-01"),
        ("DANDI:000026/sub-1", "dandi://000026", "sub-1"),
        ("10.18112/openneuro.ds000001.v1.0.0/sub-01", "10.18112/openneuro.ds000001.v1.0.0", "sub-01"),
        ("doi:10.18112/openneuro.ds000001", "doi:10.18112/openneuro.ds000001", ""),
        ("s3:bucket", "s3://bucket", ""),
        ("s3:bucket/a/b", "s3://bucket", "a/b"),
        ("s3:bucket/a:b/c", "s3://bucket", "a:b/c"),
        (f"s3:{ARN}/a/b", f"s3://{ARN}", "a/b"),
        ("arn:aws:s3:::bucket/a", "arn:aws:s3:::bucket", "a"),
        ("gs:bucket/a", "gs://bucket", "a"),
        ("https:host:8000/a/b", "https://host:8000", "a/b"),
        ("file:data/x", "file:///", "data/x"),
        ("file:", "file:///", ""),
        ("s3:", "s3://", ""),
    ],
)
def test_a_source_and_a_path_below_it(path: str, word: str, below: str) -> None:
    assert place_of(path) == Place(word, below)
    assert normal(path) == path


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/openneuro/ds000001/", "openneuro/ds000001"),
        ("s3://bucket/a/", "s3:bucket/a"),
        ("S3:/bucket/a", "s3:bucket/a"),
        ("file:///data/x", "file:data/x"),
        ("https://host/a/b/", "https:host/a/b"),
        ("a:b/C:/d", "a:b/C:/d"),
        ("/", ""),
        ("sub-01/a//b", "sub-01/a//b"),
    ],
)
def test_a_path_is_always_written_in_one_way(written: str, path: str) -> None:
    assert normal(written) == path
    assert normal(path) == path


@pytest.mark.parametrize(
    ("path", "name", "below"),
    [("", "a", "a"), ("a", "b", "a/b"), ("s3:bucket", "k", "s3:bucket/k"), ("file:", "data", "file:data")],
)
def test_names_in_a_directory(path: str, name: str, below: str) -> None:
    assert joined(path, name) == below
    assert normal(below) == below
