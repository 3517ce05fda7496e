"""Sizes from outside have limits, and what cannot be is refused: StoreErrors, promptly, in little memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mountnd.errors import BadAnswer, ConfigError, ServerFault, StoreError, TimedOut, Unreachable
from mountnd.stores.base import Deadline, ObjectId, Store
from mountnd.stores.links.store import SignedLinkStore
from mountnd.stores.s3 import S3Store

from ..support.raw import Raw, Step, raw_server, say, trickle
from .directory_stores import http_store
from .reading import soon

ETAG = '"00112233445566778899aabbccddeeff"'
BODY = bytes(range(100))


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    with raw_server() as server:
        yield server


def s3(url: str) -> S3Store:
    return S3Store("bkt", endpoint_url=url, region="us-east-1", anonymous=True)


def answer(body: bytes, *headers: str, status: str = "200 OK", length: bool = True) -> Step:
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else [])]
    return say("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


# Run in a process of its own, whose peak of memory is its own.
HOSTILE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from mountnd.errors import StoreError
from mountnd.stores.base import Deadline
from mountnd.stores.s3 import S3Store
from tests.contract.directory_stores import http_store

make = {"s3": lambda url: S3Store("bkt", endpoint_url=url, region="us-east-1", anonymous=True),
        "page": lambda url: http_store(url + "/"), "file": lambda url: http_store(url + "/k")}[sys.argv[2]]
store = make(sys.argv[3])
try:  # imports and clients
    store.head("warm", deadline=Deadline(0.01))
except StoreError:
    pass
if sys.argv[2] == "s3":
    import s3fs
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    page = store.list_page("", deadline=Deadline(40))
    print("page", end=" ")
except StoreError as error:
    print(type(error).__name__, end=" ")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
MIB = 1 << 20
CHUNKED = "Transfer-Encoding: chunked"
EIGHT = 8 * MIB - 1000  # just below what a listing may have
LIST = (b"<ListBucketResult>", b"</ListBucketResult>")
ROW = b"<Contents><Key>%b</Key><Size>1</Size></Contents>"

ENDLESS: dict[str, tuple[str, Step, ...]] = {
    "a listing without end": ("s3", answer(LIST[0], length=False), trickle(b"<Contents>" * 10_000, 0)),
    "a listing without end, in chunks": (
        "s3", answer(b"", CHUNKED, length=False), trickle(b"10000\r\n" + b"x" * 65536 + b"\r\n", 0),
    ),
    "a listing said to be endless": ("s3", answer(b"", f"Content-Length: {10**18}", length=False), trickle(b"x", 0)),
    "listed tags": ("s3", answer(LIST[0] + b"<a/>" * (EIGHT // 4) + LIST[1])),
    "listed tags within tags": ("s3", answer(LIST[0] + b"<a>" * (EIGHT // 3))),
    "listed attributes": ("s3", answer(b"<L " + b"".join(b'a%d=""' % i for i in range(700_000)) + b"/>")),
    "listed entities": ("s3", answer(
        b'<!DOCTYPE l [<!ENTITY a "' + b"a" * 9000 + b'">]>' + LIST[0] + b"&a;" * 100_000 + LIST[1])),
    "an endless error": ("s3", answer(b"<Error>", status="403 Forbidden", length=False), trickle(b"x" * 65536, 0)),
    "headers without end": ("s3", say(b"HTTP/1.1 200 OK\r\n"), trickle(b"X: " + b"y" * 60_000 + b"\r\n", 0)),
    "one header without end": ("s3", say(b"HTTP/1.1 200 OK\r\nX: "), trickle(b"y" * 60_000, 0)),
    "trailers without end": (
        "s3", answer(b"1\r\nx\r\n0\r\n", CHUNKED, length=False), trickle(b"X: y\r\n" * 1000, 0),
    ),
    "a page without end": ("page", answer(b"", length=False), trickle(b"<a href=x>" * 5000, 0)),
    "a page of tags that do not end": ("page", answer(b"<a " * (3 * MIB))),
    "a page of a comment that does not end": ("page", answer(b"<!--" * (2 * MIB))),
    "a page of attributes": ("page", answer(b"<a " + b"x=y " * (2 * MIB))),
    "a head without end": ("file", say(b"HTTP/1.1 200 OK\r\nX: "), trickle(b"y" * 60_000, 0)),
}  # fmt: skip


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_takes_little_memory_and_time(raw: Raw, what: str) -> None:
    kind, *steps = ENDLESS[what]
    raw.play(*steps)
    begun = time.monotonic()
    command = [sys.executable, "-c", HOSTILE, str(Path(__file__).parents[2]), kind, raw.url]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout.split()
    assert said[0] in ("BadAnswer", "Forbidden", "page", "Unreachable"), said
    assert int(said[1]) < 150 << 10, "KiB more than before"
    assert time.monotonic() - begun < 35, "not at the deadline"


# Heads and rows that cannot be. Each may be refused, or taken without what is wrong in it.
DIGITS = "9" * 5000
HEADS: dict[str, list[str]] = {
    "a negative length": ["Content-Length: -1"],
    "a huge length": [f"Content-Length: {10**30}"],
    "a length of many digits": [f"Content-Length: {DIGITS}"],
    "a length with an underscore": ["Content-Length: 1_00"],
    "no length": ["Content-Length: "],
    "two lengths": ["Content-Length: 100", "Content-Length: 5"],
    "a foreign coding": ["Transfer-Encoding: gzip, chunked"],
    "a range of many digits": [f"Content-Range: bytes 0-{DIGITS}/{DIGITS}", "Content-Length: 100"],
    "a range backwards": ["Content-Range: bytes 99-0/100", "Content-Length: 100"],
    "a range of nonsense": ["Content-Range: \xb2\xb2-\xb2", "Content-Length: 100"],
    "a date of many digits": [f"Last-Modified: {DIGITS}", "Content-Length: 100"],
    "a long date": ["Last-Modified: " + "Mon, " * 8000, "Content-Length: 100"],
    "a date of the year 99999": ["Last-Modified: Mon, 12 Oct 99999 17:50:00 GMT", "Content-Length: 100"],
    "NUL in the ETag": ['ETag: "a\0b"', "Content-Length: 100"],
    "a long ETag": ['ETag: "' + "a" * 60_000 + '"', "Content-Length: 100"],
    "a foreign ETag": ['ETag: "\xff\xfe"', "Content-Length: 100"],
    "a foreign type": ["Content-Type: " + "x/" * 20_000, "Content-Length: 100"],
    "a header without a colon": ["nonsense", "Content-Length: 100"],
}
STATUS_LINES = [
    "HTTP/1.1 200", "HTTP/9.9 200 OK", "HTTP/1.1 99999 x", f"HTTP/1.1 {DIGITS} x", "HTTP/1.1 -1 x", "ICY 200", "",
    "HTTP/1.1 \xb2\xb2\xb2 x", "\0\0\0", "HTTP/1.1 204 x", "HTTP/1.1 101 x", "HTTP/1.1 304 x",
]  # fmt: skip

MAKE: dict[str, Callable[[str], Store]] = {"s3": s3, "web": lambda url: http_store(f"{url}/k")}


def ask_all(store: Store) -> list[StoreError | None]:
    """LIST, HEAD and GET; nothing else than StoreErrors may come, and no wrong bytes."""
    view = memoryview(bytearray(100))
    requests: list[Callable[[], object]] = [
        lambda: store.list_page("", deadline=soon()),
        lambda: store.head("k", deadline=soon()),
        lambda: store.read(ObjectId(store.source, "k", ETAG, size=100), 0, [view], deadline=soon()),
    ]
    errors: list[StoreError | None] = []
    for request in requests:
        try:
            request()
            errors.append(None)
        except StoreError as error:
            errors.append(error)
    assert not [said for said in map(str, errors) if "\n" in said or len(said) > 2000]
    assert errors[2] is not None or bytes(view) == BODY
    return errors


@pytest.mark.parametrize("kind", MAKE)
def test_a_head_that_cannot_be_is_no_internal_error(raw: Raw, kind: str) -> None:
    for what, headers in HEADS.items():
        for status in ("200 OK", "206 Partial Content"):
            raw.play(answer(BODY, *headers, status=status, length=False))
            store = MAKE[kind](raw.url)
            errors = ask_all(store)
            assert not [error for error in errors if isinstance(error, TimedOut)], what
            if "length" in what or "coding" in what:
                assert all(isinstance(error, BadAnswer) for error in errors), (what, errors)
            store.close()
    for line in STATUS_LINES:
        raw.play(say(f"{line}\r\nContent-Length: 100\r\n\r\n".encode("latin-1") + BODY))
        store = MAKE[kind](raw.url)
        assert line == STATUS_LINES[0] or ask_all(store)[0] is not None, line
        store.close()


@pytest.mark.parametrize("kind", MAKE)
def test_a_head_that_breaks_off_is_no_head(raw: Raw, kind: str) -> None:
    """Its ETag may be what is missing."""
    for head in (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10", b"HTTP/1.1"):
        raw.play(say(head))
        store = MAKE[kind](raw.url)
        assert all(isinstance(error, BadAnswer | Unreachable) for error in ask_all(store)), head
        store.close()


ROWS: dict[str, tuple[str, ...]] = {
    "a key of 1 MiB": ("k" * MIB, "1", ETAG),
    "a key of 1,025 bytes": ("k" * 1025, "1", ETAG),
    "a key of 1,026 bytes in 513 characters": ("é" * 513, "1", ETAG),
    "a size of many digits": ("k", DIGITS, ETAG),
    "a negative size": ("k", "-1", ETAG),
    "a size past all file systems": ("k", str(2**63), ETAG),
    "digits of another script": ("k", "\u0663", ETAG),
}


def test_a_row_that_cannot_be_costs_no_other(raw: Raw) -> None:
    row = "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>"
    when = "2020-09-13T12:26:40.000Z"
    for what, (key, size, etag) in ROWS.items():
        rows = row.format(key, when, etag, size) + row.format("z", when, ETAG, "5")
        raw.play(answer(LIST[0] + rows.encode() + LIST[1]))
        store = s3(raw.url)
        page = store.list_page("", deadline=soon())
        assert [stat.id.key for stat in page.objects] == ["z"], what
        assert len(page.unshowable) == 1
        assert len(page.unshowable[0]) < 1200
        store.close()


def test_dates_and_etags_that_cannot_be_are_left_out(raw: Raw) -> None:
    rows = "".join(
        f"<Contents><Key>{key}</Key><LastModified>{date}</LastModified><ETag>{etag}</ETag><Size>1</Size>"
        f"<StorageClass>{storage}</StorageClass></Contents>"
        for key, date, etag, storage in (
            ("a", "9" * 5000, ETAG, "STANDARD"),
            ("b", "99999-01-01T00:00:00Z", ETAG, "STANDARD"),
            ("c", "2020-09-13T12:26:40.000Z", f'"{"e" * 65536}"', "STANDARD"),
            ("d", "2020-09-13T12:26:40.000Z", ETAG, "S" * 65536),
        )
    )
    raw.play(answer(LIST[0] + rows.encode() + LIST[1]))
    store = s3(raw.url)
    page = store.list_page("", deadline=soon())
    assert [stat.id.key for stat in page.objects] == ["a", "b", "c", "d"]
    assert all(len(stat.id.etag) < 100 and len(stat.storage_class) <= 64 for stat in page.objects)
    store.close()


def test_a_token_that_fits_no_url_is_refused(raw: Raw) -> None:
    for element in ("NextContinuationToken", "NextMarker"):
        more = f"<IsTruncated>true</IsTruncated><{element}>{'t' * MIB}</{element}>"
        raw.play(answer(LIST[0] + ROW % b"k" + more.encode() + LIST[1]))
        store = s3(raw.url)
        with pytest.raises(BadAnswer, match="token"):
            store.list_page("", deadline=soon())
        store.close()


def test_other_encodings_hide_nothing(raw: Raw) -> None:
    declared = '<?xml version="1.0" encoding="{}"?>' + (LIST[0] + ROW % b"k" + LIST[1]).decode()
    for encoding in ("utf-16", "cp037", "utf-7", "no-such", "x" * 5000):
        codec = encoding if encoding in ("utf-16", "cp037", "utf-7") else "ascii"
        raw.play(answer(declared.format(encoding).encode(codec)))
        store = s3(raw.url)
        with pytest.raises((BadAnswer, ServerFault)):  # the latter where it does not end in ">"
            store.list_page("", deadline=soon())
        store.close()
    raw.play(answer(declared.format("ISO-8859-1").encode()))
    store = s3(raw.url)
    assert len(store.list_page("", deadline=soon()).objects) == 1
    store.close()


def test_a_file_of_links_has_limits(tmp_path: Path) -> None:
    link = "https://host/f?Signature=s&Expires="
    texts = {
        "large": "# " + "x" * 100 + "\n",
        "one line": f"{link}{'1' * (1 << 17)}",
        "wrapped": f"curl {link}1 \\\n" + "  \\\n" * 200_000,
        "a time of many digits": link + "9" * 5000,
        "a time before all": link + "-" + "9" * 20,
    }
    texts["large"] *= 200_000
    for what, text in texts.items():
        (tmp_path / "links").write_text(text)
        begun = time.monotonic()
        with pytest.raises(ConfigError):
            SignedLinkStore(tmp_path / "links")
        assert time.monotonic() - begun < 20, what


def test_the_deadline_of_an_endless_body_of_bytes(raw: Raw) -> None:
    """A body that goes on past its range is not the range."""
    raw.play(answer(BODY, "Content-Range: bytes 0-99/100", f"ETag: {ETAG}", length=False, status="206 Partial Content"),
             trickle(b"x" * 65536, 0))  # fmt: skip
    for make in MAKE.values():
        store = make(raw.url)
        view = memoryview(bytearray(100))
        try:
            store.read(ObjectId(store.source, "k", ETAG, size=100), 0, [view], deadline=Deadline(5))
            assert bytes(view) == BODY
        except StoreError:
            pass
        store.close()
