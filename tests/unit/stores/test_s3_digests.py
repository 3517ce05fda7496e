"""What a HEAD says of an object's content, and when an ETag is known to be an MD5."""

from __future__ import annotations

import hashlib
from http.client import HTTPMessage

import pytest

from mountnd.checks.digest import Told
from mountnd.stores.base import ObjectId
from mountnd.stores.s3.digests import digests_in, etags_are_md5s

MD5 = hashlib.md5(b"x").hexdigest()
ID = ObjectId("s", "a.nii", f'"{MD5}"', size=1)


def said(**given: str) -> HTTPMessage:
    made = HTTPMessage()
    for name, text in {"etag": ID.etag, "content_length": "1", **given}.items():
        made[name.replace("_", "-")] = text
    return made


def test_of_this_version() -> None:
    found = digests_in(said(x_amz_checksum_crc32="AAAAAA=="), ID, by_etag=True, md5s=True)
    assert [(one.algorithm, one.value) for one in found.digests] == [("crc32", "00000000")]
    assert (found.etag_is_md5, found.requests) == (True, 1)


@pytest.mark.parametrize("given", [{"content_length": "2"}, {"etag": '"other"'}, {"content_length": ""}])
def test_of_another_version_it_says_nothing(given: dict[str, str]) -> None:
    headers = said(x_amz_checksum_crc32="AAAAAA==", **given)
    assert digests_in(headers, ID, by_etag=True, md5s=True) == Told(requests=1)


def test_an_etag_that_tells_nothing_is_not_compared() -> None:
    id = ID._replace(etag="1-Thu, 01 Jan 1970 00:00:00 GMT")
    assert len(digests_in(said(x_amz_checksum_crc32="AAAAAA=="), id, by_etag=False, md5s=None).digests) == 1


def test_encryption_with_a_key_of_kms() -> None:
    headers = said(x_amz_server_side_encryption="aws:kms")
    assert digests_in(headers, ID, by_etag=True, md5s=True).etag_is_md5 is False


@pytest.mark.parametrize(
    ("endpoint", "directory_bucket", "seen", "known"),
    [
        ("https://s3.us-east-1.amazonaws.com", False, False, True),
        ("https://s3.cn-north-1.amazonaws.com.cn", False, False, True),
        ("https://bkt--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com", True, True, False),
        ("https://s3.example.org", False, False, None),
        ("https://s3.example.org", False, True, True),
        ("https://amazonaws.com.example.org", False, False, None),
    ],
)
def test_whose_etags_are_md5s(endpoint: str, directory_bucket: bool, seen: bool, known: bool | None) -> None:
    assert etags_are_md5s(endpoint, directory_bucket=directory_bucket, seen=seen) is known
