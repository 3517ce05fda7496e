"""Servers that break the rules: never wrong bytes, never a wait past the deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mountnd.errors import (
    BadAnswer,
    Changed,
    Forbidden,
    NoSuchBucket,
    NotFound,
    ServerFault,
    StoreError,
    Throttled,
    TimedOut,
    Unreachable,
    WrongRegion,
)
from mountnd.stores.base import Deadline, ObjectId, Store
from mountnd.stores.links.store import SignedLinkStore
from mountnd.stores.retry import Retrying
from mountnd.stores.s3 import S3Store

from ..support.servers import Answer, Scripted, free_port
from .directory_stores import http_store
from .reading import read, soon

ETAG = '"00112233445566778899aabbccddeeff"'
WHEN = "Mon, 12 Oct 2009 17:50:00 GMT"
SECONDS = 0.6


class Kind(NamedTuple):
    """How to make a store on a server's URL, and where the bytes of its key `k` lie there."""

    make: Callable[[str, Path], Store]
    path: str


def _signed(url: str, where: Path) -> Store:
    (where / "links").write_text(f"{url}/k?Expires=4000000000&Signature=s")
    return SignedLinkStore(where / "links")


KINDS = {
    "s3": Kind(lambda url, _: S3Store("bkt", endpoint_url=url, region="us-east-1", anonymous=True), "/bkt/k"),
    "s3, an odd key": Kind(lambda url, _: S3Store("bkt", endpoint_url=url, region="us-east-1", anonymous=True),
                           "/bkt/k//"),
    "http": Kind(lambda url, _: http_store(f"{url}/k"), "/k"),
    "signed": Kind(_signed, "/k?Expires=4000000000&Signature=s"),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def id_of(kind: Kind, store: Store) -> ObjectId:
    return ObjectId(store.source, "k//" if kind.path.endswith("//") else "k", ETAG)


def answer(start: int, stop: int, body: bytes, *, status: int = 206, **more: str) -> Answer:
    headers = {
        "Content-Range": f"bytes {start}-{stop - 1}/1000",
        "Content-Length": str(len(body)),
        "ETag": ETAG,
        "Last-Modified": WHEN,
    }
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    return Answer(status, {name: value for name, value in headers.items() if value}, body)


WHOLE = bytes(range(250)) * 4


def test_the_right_answer_is_taken(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    stage.play({f"GET {kind.path}": answer(100, 110, WHOLE[100:110])})
    store = kind.make(stage.url, tmp_path)
    assert read(store, id_of(kind, store), 100, 4, 6) == WHOLE[100:110]
    store.close()


BAD = {
    "another range": answer(99, 109, WHOLE[99:109]),
    "a shorter range": answer(100, 109, WHOLE[100:109]),
    "a longer range": answer(100, 120, WHOLE[100:120]),
    "the whole object": answer(0, 0, WHOLE, status=200, Content_Range=""),
    "the whole object, called a part": answer(0, 1000, WHOLE),
    "no Content-Range": answer(0, 0, WHOLE[100:110], Content_Range=""),
    "fewer bytes than promised": Answer(
        206,
        {"Content-Range": "bytes 100-109/1000", "Content-Length": "10", "ETag": ETAG, "Last-Modified": WHEN},
        WHOLE[100:105],
        then="close",
    ),
    "a length that contradicts the range": answer(100, 110, WHOLE[100:105]),
    "nonsense in Content-Range": answer(0, 0, WHOLE[100:110], Content_Range="bytes many"),
}


def test_a_wrong_answer_gives_no_bytes(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    store = kind.make(stage.url, tmp_path)
    for what, bad in BAD.items():
        stage.play({f"GET {kind.path}": bad})
        with pytest.raises((BadAnswer, Unreachable)):
            read(store, id_of(kind, store), 100, 4, 6)
            pytest.fail(f"took {what}")
    store.close()


def test_a_chunked_body_is_read_rightly_or_not_at_all(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    """S3 sends none, and gateways before it may."""
    headers = {"Content-Range": "bytes 100-109/1000", "ETag": ETAG, "Last-Modified": WHEN}
    body = b"4\r\n" + WHOLE[100:104] + b"\r\n6\r\n" + WHOLE[104:110] + b"\r\n0\r\n\r\n"
    stage.play({f"GET {kind.path}": Answer(206, {**headers, "Transfer-Encoding": "chunked"}, body)})
    store = kind.make(stage.url, tmp_path)
    for _ in range(2):  # nor may its end be taken for the next answer
        try:
            assert read(store, id_of(kind, store), 100, 3, 7) == WHOLE[100:110]
        except (BadAnswer, Unreachable):
            pass
    store.close()


def test_a_body_that_ends_with_the_connection(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    headers = {"Content-Range": "bytes 100-109/1000", "ETag": ETAG, "Last-Modified": WHEN}
    store = kind.make(stage.url, tmp_path)
    stage.play({f"GET {kind.path}": Answer(206, headers, WHOLE[100:110], then="close")})
    try:
        assert read(store, id_of(kind, store), 100, 3, 7) == WHOLE[100:110]
    except (BadAnswer, Unreachable):
        pass
    stage.play({f"GET {kind.path}": Answer(206, headers, WHOLE[100:107], then="close")})
    with pytest.raises((BadAnswer, Unreachable)):
        read(store, id_of(kind, store), 100, 3, 7)
    store.close()


def test_after_a_wrong_answer_the_next_is_right(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    """What is left of a bad body must not be taken for the next answer on the same connection."""
    good = answer(100, 110, WHOLE[100:110])
    stage.play({f"GET {kind.path}": [BAD["the whole object"], good]})
    store = kind.make(stage.url, tmp_path)
    with pytest.raises(StoreError):
        read(store, id_of(kind, store), 100, 10)
    assert read(store, id_of(kind, store), 100, 10) == WHOLE[100:110]
    store.close()


def test_another_etag_is_another_version_whatever_the_status(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    """Servers that ignore If-Match are seen through."""
    stage.play({f"GET {kind.path}": answer(100, 110, WHOLE[100:110], ETag='"other"')})
    store = kind.make(stage.url, tmp_path)
    with pytest.raises(Changed):
        read(store, id_of(kind, store), 100, 10)
    store.close()


STATUSES = {
    301: WrongRegion, 400: StoreError, 401: Forbidden, 403: Forbidden, 404: NotFound, 410: NotFound, 412: Changed,
    416: BadAnswer, 429: Throttled, 500: ServerFault, 502: ServerFault, 503: Throttled, 504: ServerFault,
}  # fmt: skip


def test_a_status_says_what_it_was(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    store = kind.make(stage.url, tmp_path)
    for status, expected in STATUSES.items():
        stage.play({"GET *": Answer(status, {"Content-Length": "0"})})
        with pytest.raises(StoreError) as caught:
            read(store, id_of(kind, store), 0, 10)
        assert type(caught.value) is expected, status
        assert "\n" not in str(caught.value)
    store.close()


def test_a_server_that_stops_in_the_middle_of_a_body(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    headers = {"Content-Range": "bytes 0-999/1000", "Content-Length": "1000", "ETag": ETAG, "Last-Modified": WHEN}
    stuck = Answer(206, headers, WHOLE[:300], then="hang")
    stage.play({f"GET {kind.path}": [stuck, answer(0, 1, WHOLE[:1])]})  # the second to whoever asks why
    store = kind.make(stage.url, tmp_path)
    id, view = id_of(kind, store), memoryview(bytearray(1000))
    _in_time(lambda deadline: store.read(id, 0, [view], deadline=deadline), TimedOut, Unreachable)
    store.close()


def test_a_server_that_trickles(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    """Each byte comes soon, and all of them never do."""
    headers = {"Content-Range": "bytes 0-999/1000", "Content-Length": "1000", "ETag": ETAG, "Last-Modified": WHEN}
    stage.play({f"GET {kind.path}": [Answer(206, headers, WHOLE[:300], then="trickle"), answer(0, 1, WHOLE[:1])]})
    store = kind.make(stage.url, tmp_path)
    id, view = id_of(kind, store), memoryview(bytearray(1000))
    _in_time(lambda deadline: store.read(id, 0, [view], deadline=deadline), TimedOut, Unreachable)
    store.close()


@pytest.mark.parametrize("patient", [False, True], ids=["one attempt", "with retries"])
def test_a_server_that_never_answers(kind: Kind, patient: bool, tmp_path: Path, silence: str) -> None:
    bare = kind.make(silence, tmp_path)
    store: Store = Retrying(bare) if patient else bare
    id = id_of(kind, bare)
    _in_time(lambda deadline: store.head(id.key, deadline=deadline), TimedOut)
    _in_time(lambda deadline: store.list_page("", deadline=deadline), TimedOut)
    _in_time(lambda deadline: store.read(id, 0, [memoryview(bytearray(10))], deadline=deadline), TimedOut)
    store.close()


def _in_time(ask: Callable[[Deadline], object], *transient: type[StoreError]) -> None:
    begun = time.monotonic()
    with pytest.raises(transient):
        ask(Deadline(SECONDS))
    # The bound is generous for a busy machine, and far from the ten seconds after which a store gives up by itself.
    assert time.monotonic() - begun < SECONDS + 4


def test_a_refused_connection_is_unreachable(kind: Kind, tmp_path: Path) -> None:
    store = kind.make(f"http://127.0.0.1:{free_port()}", tmp_path)
    for ask in (
        lambda: store.head("k", deadline=soon()),
        lambda: store.list_page("", deadline=soon()),
        lambda: read(store, id_of(kind, store), 0, 1),
    ):
        with pytest.raises(Unreachable):
            ask()
    store.close()


def test_an_unknown_host_is_unreachable(kind: Kind, tmp_path: Path) -> None:
    store = kind.make("http://no-such-host.invalid", tmp_path)
    with pytest.raises(Unreachable):
        read(store, id_of(kind, store), 0, 1)
    store.close()


def test_a_transient_refusal_is_asked_again(kind: Kind, tmp_path: Path, stage: Scripted) -> None:
    busy = Answer(503, {"Content-Length": "0"})
    good = answer(100, 110, WHOLE[100:110])
    stage.play({f"GET {kind.path}": [busy, busy, busy, busy, good]})
    bare = kind.make(stage.url, tmp_path)
    store = Retrying(bare, random=lambda: 0.0)
    assert read(store, id_of(kind, bare), 100, 10) == WHOLE[100:110]
    store.close()


# listings of S3


def _listing(body: str, status: int = 200) -> Answer:
    raw = body.encode()
    return Answer(status, {"Content-Length": str(len(raw)), "Content-Type": "application/xml"}, raw)


LISTINGS: list[tuple[str, int, type[StoreError]]] = [
    ("", 200, BadAnswer),
    ("<html>hello", 200, ServerFault),
    ("<html/>", 200, BadAnswer),
    ("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", 200, BadAnswer),
    ("<Error><Code>SlowDown</Code></Error>", 503, Throttled),
    ("<Error><Code>InternalError</Code></Error>", 500, ServerFault),
    ("<Error><Code>InternalError</Code></Error>", 200, StoreError),
    ("<Error><Code>NoSuchBucket</Code></Error>", 404, NoSuchBucket),
    ("<Error><Code>AccessDenied</Code></Error>", 403, Forbidden),
    ("<Error><Code>PermanentRedirect</Code></Error>", 301, WrongRegion),
    ("not XML", 403, Forbidden),
    ("", 502, ServerFault),
]


def test_a_listing_that_is_none(stage: Scripted) -> None:
    store = S3Store("bkt", endpoint_url=stage.url, region="us-east-1", anonymous=True)
    for body, status, expected in LISTINGS:
        stage.play({"GET *": _listing(body, status)})
        with pytest.raises(StoreError) as caught:
            store.list_page("", deadline=soon())
        assert isinstance(caught.value, expected), body
        assert "\n" not in str(caught.value)
        assert len(stage.log()) == 1  # one attempt
    store.close()
