"""Which connections requests for names and for bytes go over: to open one takes a round trip, with TLS two."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.stores.base import ObjectId
from mountnd.stores.http import connections
from mountnd.stores.s3 import S3Store, http_client

from ..support.raw import Raw, raw_server, say
from ..support.waiting import wait_until
from .reading import first_name, read

BODY = b"<ListBucketResult><Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>"
ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'


HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\nETag: {ETAG}\r\n\r\n"
ANSWER = say(HEAD.encode() + BODY)


def kinds(server: Raw) -> list[str]:
    """Of each connection, what was asked over it: L for names, G for bytes."""
    heads = [connection["heads"] for connection in server.connections()]
    return ["".join("L" if "list-type" in head else "G" for head in of) for of in heads if of]


def test_bytes_take_an_idle_connection_of_names_and_names_none_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that has grown is not for a short answer, so names have their own; for bytes theirs are better than
    none."""
    monkeypatch.setattr(http_client, "AHEAD_NEAR", 0)
    monkeypatch.setattr(http_client, "AHEAD", 0)
    with raw_server() as server:
        server.play(ANSWER, close=False)
        store = S3Store("bkt", endpoint_url=server.url, region="us-east-1", anonymous=True, connections=64)
        try:
            first_name(store)
            assert read(store, ObjectId(store.source, "k", ETAG), 0, len(BODY)) == BODY
            assert kinds(server) == ["LG"]
            first_name(store)
            assert read(store, ObjectId(store.source, "k", ETAG), 0, len(BODY)) == BODY
            assert kinds(server) == ["LGG", "L"]
        finally:
            store.close()


def opened(server: Raw) -> int:
    """How many connections are open that nothing was asked over."""
    return sum(not one["heads"] and not one["ended"] for one in server.connections())


@pytest.mark.parametrize(("near_s", "ahead"), [(60.0, http_client.AHEAD_NEAR), (0.0, http_client.AHEAD)])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_who_asks_for_names_has_connections_for_bytes_opened_meanwhile(
    tls: bool, near_s: float, ahead: int, private_ca: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "NEAR_S", near_s)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(private_ca[0]))
    monkeypatch.setattr(connections, "PREPARE_S", 0.0)
    with raw_server(tls=private_ca[1:] if tls else None) as server:
        server.play(ANSWER, close=False)
        store = S3Store("bkt", endpoint_url=server.url, region="us-east-1", anonymous=True, connections=64)
        try:
            first_name(store)
            wait_until(lambda: opened(server) == ahead, "connections are open")
            for _ in range(3):  # TLS 1.3 says something on each, which does not make it one that is broken
                first_name(store)
                assert opened(server) == ahead
            assert read(store, ObjectId(store.source, "k", ETAG), 0, len(BODY)) == BODY
            assert opened(server) == ahead - 1
            assert sorted(kinds(server)) == ["G", "LLLL"]
        finally:
            store.close()
        wait_until(lambda: not opened(server), "they are closed")


def test_connections_that_the_server_closed_are_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "NEAR_S", 60.0)
    monkeypatch.setattr(connections, "PREPARE_S", 0.0)  # one for the name may be among the first that were opened
    with raw_server() as server:
        server.play(ANSWER)  # each is closed behind its first answer
        store = S3Store("bkt", endpoint_url=server.url, region="us-east-1", anonymous=True, connections=64)
        try:
            first_name(store)
            wait_until(lambda: opened(server) == http_client.AHEAD_NEAR, "connections are open")
            monkeypatch.setattr(connections, "PREPARE_S", float("inf"))
            for _ in range(10 * http_client.AHEAD_NEAR):  # a thread may still be about to tell of one
                assert read(store, ObjectId(store.source, "k", ETAG), 0, len(BODY)) == BODY
                if not opened(server):
                    break
            assert opened(server) == 0
            monkeypatch.setattr(http_client, "NEAR_S", 60.0)
            monkeypatch.setattr(connections, "PREPARE_S", 0.0)
            first_name(store)
            wait_until(lambda: opened(server) == http_client.AHEAD_NEAR, "they are open again")
        finally:
            store.close()


def test_a_server_that_takes_no_more_connections_is_asked_over_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_client, "NEAR_S", 60.0)
    monkeypatch.setattr(connections, "PREPARE_S", 0.0)

    def refused(*_: object) -> None:
        raise ConnectionRefusedError

    with raw_server() as server:
        server.play(ANSWER, close=False)
        store = S3Store("bkt", endpoint_url=server.url, region="us-east-1", anonymous=True, connections=64)
        try:
            with monkeypatch.context() as patched:
                first_name(store)
                wait_until(lambda: opened(server) == http_client.AHEAD_NEAR, "connections are open")
                patched.setattr(connections, "connect", refused)
                for _ in range(http_client.AHEAD_NEAR + 3):
                    assert read(store, ObjectId(store.source, "k", ETAG), 0, len(BODY)) == BODY
                    first_name(store)
        finally:
            store.close()
