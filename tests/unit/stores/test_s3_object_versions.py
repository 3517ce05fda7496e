"""Pages of ListObjectVersions, as servers write them."""

from __future__ import annotations

import pytest

from mountnd.errors import BadAnswer
from mountnd.stores.object_versions import NO_VERSIONS, Marker, Version
from mountnd.stores.s3.listing.versions import goes_on, parse_versions

SECOND = 10**9
# 2024-05-01T12:00:00Z
WHEN = 1_714_564_800 * SECOND


def page(rows: str, head: str = "<IsTruncated>false</IsTruncated>", *, encoded: bool = True) -> bytes:
    encoding = "<EncodingType>url</EncodingType>" if encoded else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>p</Prefix>'
        f"{encoding}{head}{rows}</ListVersionsResult>"
    ).encode()


def version(key: str, id: str = "v1", *, etag: str = "&quot;abc&quot;", size: str = "3", latest: str = "true") -> str:
    return (
        f"<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>"
        f"<LastModified>2024-05-01T12:00:00.250Z</LastModified><ETag>{etag}</ETag><Size>{size}</Size>"
        "<Owner><ID>x</ID><DisplayName>y</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Version>"
    )


def marker(key: str, id: str = "d1", latest: str = "true") -> str:
    return (
        f"<DeleteMarker><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>"
        "<LastModified>2024-05-01T12:00:00.000Z</LastModified><Owner><ID>x</ID></Owner></DeleteMarker>"
    )


def test_versions_and_delete_markers() -> None:
    found = parse_versions(page(marker("p/a%2Bb") + version("p/a%2Bb", latest="false") + version("p/c+d")), "s3://b")
    assert found.next is None
    assert found.versions == [
        Version("p/a+b", "d1", 0, "", WHEN, latest=True, deleted=True),
        Version("p/a+b", "v1", 3, '"abc"', WHEN + SECOND // 4, storage_class="STANDARD"),
        Version("p/c d", "v1", 3, '"abc"', WHEN + SECOND // 4, latest=True, storage_class="STANDARD"),
    ]
    assert found.versions[1].mtime_ns == WHEN  # whole seconds: a HEAD gives no more


def test_keys_of_servers_that_do_not_encode_them() -> None:
    found = parse_versions(page(version("p/a+b%20") + version("p/x&#1;y"), encoded=False), "s3://b")
    assert [one.key for one in found.versions] == ["p/a+b%20", "p/x\x01y"]


def test_where_it_goes_on() -> None:
    truncated = "<IsTruncated>true</IsTruncated>"
    said = truncated + "<NextKeyMarker>p/a%2Bb</NextKeyMarker><NextVersionIdMarker>v7</NextVersionIdMarker>"
    assert parse_versions(page(version("p/a"), said), "s3://b").next == Marker("p/a+b", "v7")
    assert parse_versions(page(version("p/a"), truncated), "s3://b").next == Marker("p/a", "v1")
    with pytest.raises(BadAnswer, match="s3://b: a listing of versions does not say where it goes on"):
        parse_versions(page("", truncated), "s3://b")


def test_it_goes_on_only_to_later_places() -> None:
    assert goes_on(None, Marker("a"))
    assert goes_on(Marker("a", "v2"), Marker("a", "v1"))
    assert goes_on(Marker("a"), Marker("b"))
    assert goes_on(Marker("Z"), Marker("a"))
    assert not goes_on(Marker("b"), Marker("a", "v9"))
    assert not goes_on(Marker("a", "v1"), Marker("a", "v1"))


def test_a_bad_row_costs_no_other() -> None:
    rows = version("p/a", size="-1") + version("p/b", id="x" * 2000) + version("") + version("p/c") + version("p/d")
    found = parse_versions(page(rows.replace("&quot;abc&quot;", "a\u00e9b", 1)), "s3://b")
    assert [one.key for one in found.versions] == ["p/c", "p/d"]
    assert len(found.unshowable) == 3
    assert "its size is '-1'" in found.unshowable[0]


def test_an_etag_that_cannot_be_one_is_left_out() -> None:
    found = parse_versions(page(version("p/a", etag="a\u00e9b") + version("p/b", etag="ABC")), "s3://b")
    assert [one.etag for one in found.versions] == ["", '"ABC"']


def test_objects_from_before_versions_were_kept() -> None:
    rows = version("p/a", id="null") + version("p/b", id="")
    assert [one.version for one in parse_versions(page(rows), "s3://b").versions] == ["null", "null"]


def test_servers_that_do_not_know_versions() -> None:
    body = b"<ListBucketResult><Name>b</Name><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>"
    with pytest.raises(BadAnswer, match="s3://b: the server does not know versions") as error:
        parse_versions(body, "s3://b")
    assert error.value.code == NO_VERSIONS


@pytest.mark.parametrize("body", [b"", b"<html>", b"<Error><Code>X</Code></Error>", b"<!DOCTYPE x><a/>", b"\0\0\0"])
def test_what_is_no_page(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_versions(body, "s3://b")
