"""Where a file can be got without a mount, and what its requests cost whom."""

from __future__ import annotations

from typing import Any

import pytest

from mountnd import stats
from mountnd.report.addresses import store_url, web_url
from mountnd.report.costs import GB_OUT, GET_OR_HEAD, KEYS, LIST, OWNER, READER, cost, payer_of
from mountnd.report.figures import figures

from .documents import document, source


@pytest.mark.parametrize(
    ("facts", "key", "url"),
    [
        ({}, "a/b c+d", "https://s3.us-east-1.amazonaws.com/openneuro.org/a/b%20c%2Bd"),
        ({"url": "s3://bkt/p", "root": "p/", "path_style": None}, "p/x", "https://bkt.s3.us-east-1.amazonaws.com/p/x"),
        ({"url": "s3://bkt", "region": "", "path_style": None}, "x", "https://bkt.s3.amazonaws.com/x"),
        ({"url": "s3://bkt", "region": "cn-north-1", "path_style": None}, "x",
         "https://bkt.s3.cn-north-1.amazonaws.com.cn/x"),
        ({"url": "s3://bkt", "endpoint_url": "http://minio:9000/"}, "\udcff?#", "http://minio:9000/bkt/%FF%3F%23"),
        ({"url": "gs://bkt/p", "kind": "gs"}, "p/x", "https://storage.googleapis.com/bkt/p/x"),
        ({"url": "https://host/data/", "kind": "https"}, "d/x y", "https://host/data/d/x%20y"),
        ({"url": "https://host/a%20b.nii", "kind": "https"}, "a b.nii", "https://host/a%20b.nii"),
        ({"url": "https://host/x?sig=***", "kind": "https"}, "x", None),
        ({"url": "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/mine"}, "x", None),
        ({"url": "/links.txt", "kind": "links"}, "x", None),
        ({"url": "dandi://000026", "kind": "dandi"}, "x", None),
    ],
)  # fmt: skip
def test_the_url_of_an_object(facts: dict[str, Any], key: str, url: str | None) -> None:
    assert web_url(source(**facts), key) == url


def test_a_version_is_part_of_it() -> None:
    assert web_url(source(), "x", "v/1") == "https://s3.us-east-1.amazonaws.com/openneuro.org/x?versionId=v%2F1"


def test_what_tools_take() -> None:
    arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine"
    assert store_url(source(), "a b") == "s3://openneuro.org/a b"
    assert store_url(source(url=f"s3://{arn}/p", root="p/"), "p/x") == f"s3://{arn}/p/x"
    assert store_url(source(url="gs://b", kind="gcs"), "x") == "gs://b/x"


def test_the_estimate_is_of_requests_and_bytes() -> None:
    done = figures({stats.GETS: 2000, stats.HEADS: 1000, stats.LISTS: 1000, stats.BYTES_FETCHED: 10**10})
    estimate = cost(done, OWNER)
    assert estimate.requests == pytest.approx(3 * 0.0004 + 0.005)
    assert estimate.transfer == pytest.approx(0.9)
    assert estimate.total == pytest.approx(3000 * GET_OR_HEAD + 1000 * LIST + 10 * GB_OUT)


def test_it_is_said_who_pays() -> None:
    assert payer_of(source()) == OWNER
    assert payer_of(source(signed=True)) == KEYS
    assert payer_of(source(signed=True, requester_pays=True)) == READER
    (row,) = document()["cost"]["by_source"]
    assert row["who"].startswith("the owner of the bucket, not you") and row["at_aws"]
    (row,) = document(sources=[source(endpoint_url="http://minio:9000")])["cost"]["by_source"]
    assert not row["at_aws"]


def test_other_stores_have_no_price() -> None:
    assert document(sources=[source(kind="https", url="https://h/")])["cost"]["by_source"] == []


def test_what_was_saved() -> None:
    saved = document()["saved"]
    assert (saved["read"], saved["fetched"], saved["files"], saved["files_whole"]) == (500, 1000, 1, 1000)
    assert (saved["whole"], saved["whole_files"], saved["whole_is_complete"]) == (9000, 5, True)
