"""A deadline is the whole request's, whatever the server trickles or floods; and whoever cancels it is rid of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from mountnd.errors import BadAnswer, Cancelled, StoreError, TimedOut
from mountnd.stores.base import Deadline, ObjectId, Store
from mountnd.stores.links.store import SignedLinkStore
from mountnd.stores.retry import Retrying
from mountnd.stores.s3 import S3Store, http_client

from ..support.raw import HANG, Raw, Step, raw_server, say, trickle
from ..support.waiting import holds_within, wait_until
from .directory_stores import http_store

T = TypeVar("T")

ETAG = '"00112233445566778899aabbccddeeff"'
SECONDS = 0.6
# What a busy machine may add; less than the ten seconds of silence after which a store gives up by itself.
SLACK_S = 8.0


@pytest.fixture(scope="module", autouse=True)
def nothing_opened_ahead() -> Iterator[None]:
    """A raw server says over a connection what it was told to say when that was opened."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(http_client, "AHEAD", 0)
        patched.setattr(http_client, "AHEAD_NEAR", 0)
        yield


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    with raw_server() as server:
        yield server


@pytest.fixture(scope="module")
def raw_tls(private_ca: tuple[Path, Path, Path]) -> Iterator[Raw]:
    with raw_server(tls=private_ca[1:]) as server:
        yield server


def _s3(url: str, _: Path) -> Store:
    return S3Store("bkt", endpoint_url=url, region="us-east-1", anonymous=True)


def _links(url: str, where: Path) -> Store:
    (where / "links").write_text(f"{url}/k?Expires=4000000000&Signature=s")
    return SignedLinkStore(where / "links")


STORES: dict[str, Callable[[str, Path], Store]] = {
    "s3": _s3,
    "web file": lambda url, _: http_store(f"{url}/k"),
    "web page": lambda url, _: http_store(f"{url}/"),
    "links": _links,
}

EMPTY = b"<ListBucketResult></ListBucketResult>"

ASK: dict[str, Callable[[Store, Deadline], object]] = {
    "list": lambda store, deadline: store.list_page("", deadline=deadline),
    "head": lambda store, deadline: store.head("k", deadline=deadline),
    "read": lambda store, deadline: store.read(
        ObjectId(store.source, "k", ETAG), 0, [memoryview(bytearray(1000))], deadline=deadline
    ),
}

PART = b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-999/5000\r\nETag: " + ETAG.encode() + b"\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nETag: " + ETAG.encode() + b"\r\n"
LISTED = WHOLE + f"Content-Length: {len(EMPTY)}\r\n\r\n".encode() + EMPTY
GOOD = say(PART + b"Content-Length: 1000\r\n\r\n" + b"y" * 1000)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

SLOW: dict[str, tuple[Step, ...]] = {
    "status line": (trickle(b"H"),),
    "head": (say(b"HTTP/1.1 206 Partial\r\n"), trickle(b"X-A: b\r\n")),
    "one header": (say(b"HTTP/1.1 206 Partial\r\nX-A: "), trickle(b"b")),
    "100 Continue": (trickle(b"HTTP/1.1 100 Continue\r\n\r\n"),),
    "103 Early Hints": (trickle(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),),
    "body": (say(PART + b"Content-Length: 1000\r\n\r\n"), trickle(b"x")),
    "body of a listing": (say(WHOLE + b"Content-Length: 1000\r\n\r\n"), trickle(b"x")),
    "body without a length": (say(WHOLE + b"\r\n"), trickle(b"<a>")),
    "chunks": (say(PART + CHUNKED), trickle(b"1\r\nx\r\n")),
    "chunks of a listing": (say(WHOLE + CHUNKED), trickle(b"1\r\nx\r\n")),
    "one chunk's length": (say(PART + CHUNKED), trickle(b"0")),
    "trailers": (say(PART + CHUNKED + b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n"), trickle(b"X: y\r\n")),
    "refusal": (say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\n"), trickle(b"x")),
    "redirect": (say(b"HTTP/1.1 302 Found\r\nLocation: /k\r\nContent-Length: 1000\r\n\r\n"), trickle(b"x")),
    "silence": (HANG,),
}


def ends_in_time(store: Store, ask: Callable[[Store, Deadline], object], *kinds: type[StoreError]) -> None:
    begun = time.monotonic()
    with pytest.raises(kinds):
        ask(store, Deadline(SECONDS))
    assert time.monotonic() - begun < SECONDS + SLACK_S


def side_by_side(call: Callable[[str], T], items: Iterable[str], seconds: float) -> dict[str, T]:
    """What `call` says of each, all at once: of those where it ends within `seconds`. No other is waited for."""
    said: dict[str, T] = {}

    def run(item: str) -> None:
        said[item] = call(item)

    threads = [threading.Thread(target=run, args=(item,), daemon=True) for item in items]
    end = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(said)


@pytest.fixture(scope="module")
def slow_servers() -> Iterator[dict[str, Raw]]:
    """One for each way to be slow, so that all are waited for side by side."""
    with ExitStack() as stack:
        servers = {slow: stack.enter_context(raw_server()) for slow in SLOW}
        for slow, server in servers.items():
            server.play(*SLOW[slow])
        yield servers


@pytest.fixture(scope="module")
def warm_s3(slow_servers: dict[str, Raw], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """A store of each server that has asked before: what a first request makes may take all the time there is."""
    with ExitStack() as stack:
        stores = {}
        for slow, server in slow_servers.items():
            stores[slow] = store = _s3(server.url, tmp_path_factory.getbasetemp())
            stack.callback(store.close)
            for what, answer in (("list", say(LISTED)), ("read", GOOD)):
                server.play(answer)
                ASK[what](store, Deadline(60))
            server.play(*SLOW[slow])
        yield stores


@pytest.mark.parametrize("what", ASK)
@pytest.mark.parametrize("kind", STORES)
def test_whoever_trickles_holds_nobody(
    slow_servers: dict[str, Raw], warm_s3: dict[str, Store], kind: str, what: str, tmp_path: Path
) -> None:
    def ask(slow: str) -> tuple[float, object]:
        (tmp_path / slow).mkdir()
        store = warm_s3[slow] if kind == "s3" else STORES[kind](slow_servers[slow].url, tmp_path / slow)
        begun, error = time.monotonic(), None
        try:
            ASK[what](store, Deadline(SECONDS))
        except StoreError as raised:  # some are refused as soon as it can be told, such as a 206 to a listing
            error = type(raised)
        took = time.monotonic() - begun
        if kind != "s3":
            store.close()
        return took, error

    outcomes = side_by_side(ask, SLOW, SECONDS + SLACK_S)
    assert not [slow for slow in SLOW if slow not in outcomes or outcomes[slow][0] > SECONDS + SLACK_S]
    # A HEAD, or the head of a GET, may tell all that is asked for before anything is slow. Bytes never came.
    assert what != "read" or all(error is not None for _, error in outcomes.values())
    silent = {error for slow, (_, error) in outcomes.items() if slow in ("status line", "100 Continue", "silence")}
    assert kind == "web page" or silent == {TimedOut}


HELD = 8


@pytest.mark.parametrize("kind", ["s3", "web file"])
def test_a_server_that_has_healed_is_read_at_once_and_holds_nobody_from_before(
    slow_servers: dict[str, Raw], warm_s3: dict[str, Store], kind: str, tmp_path: Path
) -> None:
    """It goes on to trickle on the connections that were there, and answers on others."""

    def read(store: Store, seconds: float) -> bytes | None:
        view = memoryview(bytearray(1000))
        try:
            store.read(ObjectId(store.source, "k", ETAG), 0, [view], deadline=Deadline(seconds))
        except StoreError:
            return None
        return bytes(view)

    def heal(slow: str) -> tuple[bytes | None, float, int]:
        server = slow_servers[slow]
        store = warm_s3[slow] if kind == "s3" else STORES[kind](server.url, tmp_path)
        server.play(*SLOW[slow])
        threads = [threading.Thread(target=read, args=(store, 2 * SECONDS), daemon=True) for _ in range(HELD)]
        for thread in threads:
            thread.start()
        alive = lambda: sum(thread.is_alive() for thread in threads)  # noqa: E731
        wait_until(lambda: len(server.connections()) >= HELD or not alive(), "all have asked")
        server.play(GOOD)
        begun = time.monotonic()
        got, took = read(store, 30), time.monotonic() - begun
        holds_within(lambda: not alive(), SLACK_S)
        held = alive()
        server.play(*SLOW[slow])
        if kind != "s3":
            store.close()
        return got, took, held

    outcomes = side_by_side(
        heal, kinds := ["head", "100 Continue", "chunks", "body", "refusal", "redirect", "trailers"], 60
    )
    assert {slow: outcome[0] for slow, outcome in outcomes.items()} == dict.fromkeys(kinds, b"y" * 1000)
    assert not [slow for slow in kinds if outcomes[slow][1] > SLACK_S]
    assert {slow: outcomes[slow][2] for slow in kinds} == dict.fromkeys(kinds, 0), "held from before"


def test_the_deadline_is_what_ends_a_trickled_body(raw: Raw, tmp_path: Path) -> None:
    for kind in ("s3", "web file"):
        for slow in ("one header", "chunks", "trailers"):
            raw.play(*SLOW[slow])
            store = STORES[kind](raw.url, tmp_path)
            ends_in_time(store, ASK["read"], TimedOut)
            store.close()


@pytest.mark.parametrize("kind", STORES)
def test_a_handshake_that_never_ends_holds_nobody(raw: Raw, kind: str, tmp_path: Path) -> None:
    url = raw.url.replace("http:", "https:")
    for steps in ((say(b"\x16\x03\x03\x40\x00"), trickle(b"\x02")), (HANG,)):
        raw.play(*steps, at_once=True)
        store = STORES[kind](url, tmp_path)
        ends_in_time(store, ASK["list"], TimedOut)
        store.close()


@pytest.mark.parametrize("kind", STORES)
def test_a_proxy_that_trickles_its_answer_to_connect_holds_nobody(
    raw: Raw, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", raw.url)
    for slow in ("head", "100 Continue"):
        raw.play(*SLOW[slow])
        store = STORES[kind]("https://bucket.invalid", tmp_path)
        ends_in_time(store, ASK["list"], TimedOut)
        store.close()


def test_bytes_over_tls_that_trickle_hold_nobody(
    raw_tls: Raw, private_ca: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(private_ca[0]))
    for kind in ("s3", "web file"):
        for slow in ("head", "body", "chunks"):
            raw_tls.play(*SLOW[slow])
            store = STORES[kind](raw_tls.url, tmp_path)
            ends_in_time(store, ASK["read"], TimedOut)
            store.close()


@pytest.mark.parametrize("kind", STORES)
def test_a_flood_of_interim_answers_is_ended_soon(raw: Raw, kind: str, tmp_path: Path) -> None:
    """Not at the deadline: until then it would keep a core busy."""
    raw.play(trickle(b"HTTP/1.1 100 Continue\r\n\r\n" * 50, 0))
    store = STORES[kind](raw.url, tmp_path)
    begun = time.monotonic()
    with pytest.raises(BadAnswer, match="announces"):
        ASK["list" if kind == "web page" else "head"](store, Deadline(60))
    assert time.monotonic() - begun < 20
    store.close()


def test_a_few_interim_answers_are_legal(raw: Raw, tmp_path: Path) -> None:
    noise = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    raw.play(say(noise + LISTED), close=False)
    store = _s3(raw.url, tmp_path)
    for _ in range(2):
        assert store.list_page("", deadline=Deadline(30)).objects == []
    assert len(raw.connections()) == 1, "the connection is kept"
    store.close()


# cancelling


def cancelled_in_time(store: Store, ask: Callable[[Store, Deadline], object], ready: Callable[[], object]) -> None:
    """That `ask`, which waits once `ready`, raises Cancelled promptly when another thread cancels its deadline."""
    deadline, raised = Deadline(60), []

    def run() -> None:
        try:
            ask(store, deadline)
            raised.append(None)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(ready, "the request is under way", 30)
    time.sleep(0.2)
    assert thread.is_alive()
    begun = time.monotonic()
    deadline.cancel()
    thread.join(30)
    assert time.monotonic() - begun < SLACK_S
    assert [type(error) for error in raised] == [Cancelled], raised


@pytest.mark.parametrize("patient", [False, True], ids=["one attempt", "with retries"])
@pytest.mark.parametrize("kind", STORES)
def test_a_cancelled_request_ends_at_once_and_closes_its_connection(
    raw: Raw, kind: str, patient: bool, tmp_path: Path
) -> None:
    bare = STORES[kind](raw.url, tmp_path)
    store: Store = Retrying(bare) if patient else bare
    for what, slow in (
        ("list", "silence"),
        ("read", "silence"),
        ("read", "body"),
        ("read", "chunks"),
        ("head", "head"),
    ):
        if kind == "web page" and what == "read":
            continue
        raw.play(*SLOW[slow])
        cancelled_in_time(store, ASK[what], raw.connections)
        wait_until(lambda: all(c["ended"] for c in raw.connections()), "the connection is closed", 20)
        assert len(raw.connections()) == 1, "nobody asks again"
    store.close()


def test_what_is_cancelled_before_it_begins_asks_nobody(raw: Raw, tmp_path: Path) -> None:
    raw.play(HANG)
    for make in STORES.values():
        store = make(raw.url, tmp_path)
        for ask in ASK.values():
            deadline = Deadline(60)
            deadline.cancel()
            with pytest.raises(Cancelled):
                ask(store, deadline)
        store.close()
    assert not raw.connections()


def test_a_pause_between_attempts_is_cancelled(raw: Raw, tmp_path: Path) -> None:
    raw.play(say(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"))
    store = Retrying(_s3(raw.url, tmp_path), random=lambda: 1.0)
    cancelled_in_time(store, ASK["head"], lambda: len(raw.connections()) > 2)
    store.close()


def test_the_first_request_is_cancelled_for_itself_only(raw: Raw, tmp_path: Path) -> None:
    """Others wait for what it finds out, the bucket's region; one of them then finds it out."""
    raw.play(HANG)
    store = S3Store("bkt", endpoint_url=raw.url, anonymous=True)
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(store.list_page("", deadline=Deadline(30)))
        except StoreError as error:
            answers.append(error)

    first = Deadline(60)
    refused: list[object] = []

    def ask_first() -> None:
        with pytest.raises(Cancelled):
            store.list_page("", deadline=first)
        refused.append(True)

    threads = [threading.Thread(target=ask_first)]
    threads[0].start()
    wait_until(raw.connections, "the region is asked for", 30)
    threads += [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.3)
    raw.play(say(LISTED))
    first.cancel()
    for thread in threads:
        thread.join(30)
    assert refused == [True]
    assert [getattr(answer, "objects", answer) for answer in answers] == [[], [], []]
    store.close()
