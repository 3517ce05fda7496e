"""What servers send, as bytes that a parser is given: listings, headers, refusals, pages of links, snapshots."""

from __future__ import annotations

import email.message
import http.client
import socket
from urllib.parse import quote

from mountnd.catalog.cache import segment
from mountnd.catalog.model.keys import inside, read_page, segment_of
from mountnd.catalog.model.listing import listing_of
from mountnd.errors import BadAnswer, StoreError
from mountnd.lockfile.record import Locked, line_of
from mountnd.snapshots.answers import data_of, files_of, tags_of
from mountnd.stores.base import ObjectId, ObjectStat, Page
from mountnd.stores.directory.http_backend import links
from mountnd.stores.facts import SIZE_MAX, mtime_of, size_of
from mountnd.stores.http import etags, ranges, versions
from mountnd.stores.http.answers import FIRST_BYTES, PlainResponse, answer_of
from mountnd.stores.s3.listing.page import parse
from mountnd.stores.s3.listing.versions import parse_versions
from mountnd.stores.s3.translate import Subject, error_from_response

from .target import DATES, NUMBERS, Target, lines, pure, text

SOURCE = "s3://fuzz"


# -- listings


def _listing(rows: str, head: str = "<KeyCount>1</KeyCount>") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>b</Name><Prefix></Prefix>{head}{rows}</ListBucketResult>"
    ).encode("utf-8", "surrogateescape")


def _row(key: str, etag: str = "&quot;" + "0a" * 16 + "&quot;", size: str = "7", when: str = DATES[1].decode()) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{when}</LastModified><ETag>{etag}</ETag><Size>{size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def listing_seeds() -> list[bytes]:
    url = "<EncodingType>url</EncodingType>"
    more = "<IsTruncated>true</IsTruncated>"
    return [
        _listing(_row("a/b") + _row("a/c", size="0") + "<CommonPrefixes><Prefix>a/d/</Prefix></CommonPrefixes>"),
        _listing(_row(quote("é +\n.nii") + "+%FF"), url),
        _listing(_row("a") + _row("b"), f"{more}<NextContinuationToken>t/+=</NextContinuationToken>"),
        _listing(_row("a") + _row("b"), f"<Marker></Marker>{more}<NextMarker>b</NextMarker>"),
        _listing(_row("a"), more),
        _listing(_row("a&#1;b") + _row("c & d") + _row("\udcff")),
        _listing(_row("x" * 2000) + _row("e", etag="&quot;" + "e" * 70_000 + "&quot;") + _row("n", etag="&#10;")),
        _listing(
            "<Contents/><CommonPrefixes/><Contents><Key/><Size>1</Size></Contents><Contents><Key>a</Key></Contents>"
        ),
        *(_listing(_row("n", size=number.decode())) for number in NUMBERS),
        *(_listing(_row("d", when=date.decode())) for date in DATES),
        b"<html><body>Sign in</body></html>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><ListBucketResult>&b;</ListBucketResult>',
        b"<ListBucketResult>" + b"<a>" * 3000,
    ]


def parse_listing(body: bytes) -> None:
    """Everything that the catalogue does with a page; what it keeps says the same as the page."""
    page = parse(body, SOURCE).page
    assert page.token is None or page.token
    for stat in page.objects:
        assert 0 <= stat.size <= SIZE_MAX and stat.id.size == stat.size and stat.id.key
        assert -(2**63) <= stat.mtime_ns < 2**63
    if b"encoding" not in body[:100].lower():  # the comment sends it to the parser that takes any XML: the same page
        assert parse(body + b"<!-- -->", SOURCE).page == page
    for prefix in ("", "a/"):
        _keep(prefix, inside(prefix, page))


def _keep(prefix: str, page: Page) -> None:
    contents = read_page(prefix, page, check_order=True).contents
    listing = listing_of(contents, 1.0)
    _, kept = segment.decode(segment.encode(prefix, listing), SOURCE, 1.0)
    files = {stat.id.key: stat for stat in page.objects}
    for i in range(kept.count):
        entry = kept.entry(i, prefix, SOURCE)
        assert segment_of(entry.name) is not None and kept.get(entry.name, prefix, SOURCE) == entry
        assert entry.is_dir or (entry.stat is not None and entry.stat in (files[entry.key], *_twins(page, entry.key)))


def _twins(page: Page, key: str) -> list[ObjectStat]:
    """Rows of one key: a server may list it twice."""
    return [stat for stat in page.objects if stat.id.key == key]


# -- headers

_HEADERS = ("ETag", "Last-Modified", "Content-Range", "Content-Length", "Content-Type", "x-amz-bucket-region", "Date")


def header_seeds() -> list[bytes]:
    md5 = b'"' + b"0a" * 16 + b'"'
    good = [md5, DATES[0], b"bytes 0-6/7", b"7", b"binary/octet-stream", b"eu-west-1", DATES[0]]
    seeds = [b"\n".join(good)]
    odd = [b'W/"x"', b"", b'"' + b"0" * 32 + b'-2"', b'"' + b"e" * 70_000 + b'"', b'"a\0b"', b"bytes */*", *DATES]
    odd += NUMBERS + [b"bytes %s-%s/%s" % (number, number, number) for number in NUMBERS]
    for place in range(len(good)):
        seeds += [b"\n".join([*good[:place], value, *good[place + 1 :]]) for value in odd]
    return seeds


def read_headers(data: bytes) -> None:
    """Everything that the head of an answer is asked for, beside a version that was listed."""
    headers = email.message.Message()
    for name, value in zip(_HEADERS, lines(data, len(_HEADERS)), strict=False):
        headers[name] = text(value)
    etag, modified, place = (headers.get(name) or "" for name in ("ETag", "Last-Modified", "Content-Range"))
    length = size_of(headers.get("Content-Length") or "")
    for status in (200, 206):
        answer = versions.Answer.of(headers, versions.size_in(status, place or None, length))
        assert -(2**63) <= answer.mtime_ns < 2**63 and (answer.size is None or 0 <= answer.size <= SIZE_MAX)
        row = ObjectStat(ObjectId(SOURCE, "k", etag, "", 7), 7, mtime_of(modified))
        for known in (None, versions.Known(etags.normalised(etag), modified)):
            versions.compare(row.id, known, answer, by_date=bool(length))
        versions.fits(row, answer)
        versions.is_listed(ObjectId(SOURCE, "k", answer.token, "", 7), row)
        try:
            ranges.check_range(status, headers.get("Content-Range"), length, 0, 7, "fuzz")
        except BadAnswer:
            pass
    assert etags.normalised(etags.normalised(etag)) == etags.normalised(etag)
    for spelling in etags.SPELLINGS:
        etags.spelled(etags.normalised(etag), spelling)
        assert etags.next_spelling(spelling, etag) in etags.SPELLINGS
    _refuse({"Code": etag, "Message": modified, "Region": place}, dict(headers))


def _refuse(fault: dict[str, str], headers: dict[str, str]) -> None:
    lowered = {name.lower(): value for name, value in headers.items()}
    for status in (0, 400, 403, 503):
        error = error_from_response(
            {"Error": fault, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": lowered}},
            Subject(SOURCE, "k"),
        )
        assert isinstance(error, StoreError)


# -- the heads of answers


def head_seeds() -> list[bytes]:
    good = b'HTTP/1.1 206 Partial Content\r\nETag: "a"\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/9\r\n\r\nabcde'
    lengths = [
        good.replace(b"Length: 5", b"Length: " + number) for number in [*NUMBERS, b"5, 5", b"+5", b"5_0", b" 5 "]
    ]
    framings = [good.replace(b"ETag", b"%s\r\nETag" % line) for line in _FRAMINGS]
    return [
        good,
        good.replace(b"\r\n", b"\n"),
        good.replace(b"206", b"100"),
        good.replace(b"206", b"204"),
        *lengths,
        *framings,
    ]


_FRAMINGS = (
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"Content-Length: 5",
    b"Content-Length: 6",
    b" folded",
    b"x",
)


def read_head(data: bytes) -> None:
    """What is taken apart by one expression, `http.client` takes apart in the same way."""
    first = data[:FIRST_BYTES]
    told: list[http.client.HTTPResponse] = []
    # To HEAD, all are left to http.client; what its body is then, its headers tell.
    for method in ("GET", "HEAD"):
        client, server = socket.socketpair()
        with client:
            server.close()
            try:
                told.append(answer_of(first, client, method))
            except http.client.HTTPException:
                assert method == "GET" or not told, "one of them refuses it"
    if told and isinstance(told[0], PlainResponse):
        plain, known = told
        assert (plain.status, plain.will_close, plain.length) == (
            known.status, known.will_close, int(known.headers["Content-Length"])
        )  # fmt: skip
        assert [name.lower() for name, _ in plain.headers.items()] == [name.lower() for name in known.headers]
        for name in known.headers:
            assert plain.headers.get(name) == known.headers[name].strip(" \t")


# -- pages of links


def page_seeds() -> list[bytes]:
    index = (
        b'<html><body><a href="../">..</a><a href="a.nii">a</a><a href="sub/">s</a><a href="?C=N">x</a></body></html>'
    )
    odd = [
        b"//[::1",
        b"http://[x]/",
        b"%2e%2e/",
        b"a%00b",
        b"%FF",
        b"http://host:99999999/d/x",
        b"a b\n",
        b"\xff",
        b"&#x110000;",
    ]
    odd += [b"&#" + number + b";" for number in NUMBERS]
    seeds = [index, *(b'<a href="' + one + b'">' for one in odd)]
    return [*seeds, b"<a " * 8000, b"<!--" * 8000, b"<![" * 3000, b"<!DOCTYPE [" * 2000, b"</a " * 8000, b"&" * 20_000]


def read_links(page: bytes) -> None:
    """Every name is one that can be asked for right below the page."""
    for place in ("http://host/d/", "https://host/d/index.html"):
        for name in links(place, page):
            bare = name.removesuffix("/")
            assert bare not in ("", ".", "..") and "/" not in bare and "\0" not in bare


# -- versions, and snapshots


def versions_seeds() -> list[bytes]:
    """Pages of versions, made of those of listings."""
    renamed = [(b"ListBucketResult", b"ListVersionsResult"), (b"Contents>", b"Version>")]
    seeds = listing_seeds()
    for old, new in renamed:
        seeds = [seed.replace(old, new) for seed in seeds]
    ids = [b"<VersionId>v1</VersionId>", b"<VersionId>" + b"v" * 2000 + b"</VersionId>", b"<VersionId/>"]
    more = b"<IsTruncated>true</IsTruncated><NextKeyMarker>a%2B</NextKeyMarker>"
    return [
        *seeds,
        *(seed.replace(b"<Size>", id + b"<Size>") for seed in seeds[:3] for id in ids),
        *(seed.replace(b"Version>", b"DeleteMarker>") for seed in seeds[:3]),
        *(seed.replace(b"<Prefix>", more + b"<Prefix>", 1) for seed in seeds[:3]),
    ]


def read_versions(body: bytes) -> None:
    """Every row can be one."""
    page = parse_versions(body, SOURCE)
    for row in page.versions:
        assert row.key and row.version and 0 <= row.size <= SIZE_MAX and -(2**63) <= row.mtime_ns < 2**63
        assert not row.deleted or (row.size, row.etag) == (0, "")
    assert page.next is None or page.next.key


def snapshot_seeds() -> list[bytes]:
    """Answers to GraphQL."""
    good = (
        b'{"data": {"snapshot": {"files": [{"filename": "a/b.nii.gz", "size": 7, "id": "MD5E-s7--%s.nii.gz", "urls": '
        b'["https://s3.amazonaws.com/b/d/a/b.nii.gz?versionId=v1"]}, {"filename": "README", "size": "3", "id": "%s", '
        b'"urls": null}]}, "dataset": {"snapshots": [{"tag": "1.0.0", "created": "2020-01-01T00:00:00Z", '
        b'"size": 10}]}}}'
    ) % (b"0a" * 16, b"ab" * 20)
    odd = [b"null", b"[]", b"{}", b'"\\ud800"', b'"../x"', b'"a\\u0000b"', b"true", *NUMBERS]
    return [
        good,
        b'{"errors": [{"message": "no"}], "data": null}',
        *(good.replace(b"7", one) for one in odd),
        *(good.replace(b'"a/b.nii.gz"', one) for one in odd),
        *(good.replace(b'"1.0.0"', one) for one in odd),
        b"[" * 20_000,
        b'{"data":' * 5_000,
    ]


def read_snapshot(body: bytes) -> None:
    """Every file has a path that a lockfile can hold."""
    data, _ = data_of(200, body, SOURCE)
    for part in ("snapshot", "dataset"):
        rows = data.get(part)
        if isinstance(rows, dict) and part == "dataset":
            tags_of(rows.get("snapshots"), SOURCE)
        elif isinstance(rows, dict):
            for file in files_of(rows.get("files"), SOURCE):
                line_of(Locked(file.path, file.path, "", file.size, "", digest=file.digest), "")


TARGETS = [
    Target("versions", versions_seeds, pure(read_versions), [b"<Version>", b"<DeleteMarker>", b"<VersionId>", b"&#x"]),
    Target("snapshot", snapshot_seeds, pure(read_snapshot), [b'"filename":', b"[", b"{", b"null", b"\\ud800"]),
    Target("listing", listing_seeds, pure(parse_listing), [b"<Contents>", b"<Key>", b"&#x", b"<![CDATA[", b"<!-- -->"]),
    Target(
        "head", head_seeds, pure(read_head), [b"\r\n", b"\n", b": ", b"HTTP/1.1 200 ", b"Content-Length: 7\r\n", b"\0"]
    ),
    Target("headers", header_seeds, pure(read_headers), [b"bytes ", b'W/"', b'"', b"GMT", *NUMBERS[:4]]),
    Target("links_page", page_seeds, pure(read_links), [b"<a href=", b"<!", b"&#", b"%2F", b"//", b"'"]),
]
