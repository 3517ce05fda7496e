"""Which connections requests for names and for bytes go over: to open one takes a round trip, with TLS two."""

from __future__ import annotations

from mountnd.stores.base import ObjectId
from mountnd.stores.s3 import S3Store

from ..support.raw import Raw, raw_server, say
from .reading import first_name, read

BODY = b"<ListBucketResult><Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>"
ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'


def kinds(server: Raw) -> list[str]:
    """Of each connection, what was asked over it: L for names, G for bytes."""
    heads = [connection["heads"] for connection in server.connections()]
    return ["".join("L" if "list-type" in head else "G" for head in of) for of in heads if of]


def test_bytes_take_an_idle_connection_of_names_and_names_none_of_bytes() -> None:
    """A window that has grown is not for a short answer, so names have their own; for bytes theirs are better than
    none."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\nETag: {ETAG}\r\n\r\n"
    with raw_server() as server:
        server.play(say(head.encode() + BODY), close=False)
        store = S3Store("bkt", endpoint_url=server.url, region="us-east-1", anonymous=True)
        try:
            first_name(store)
            assert read(store, ObjectId(store.source, "k", ETAG), 0, len(BODY)) == BODY
            assert kinds(server) == ["LG"]
            first_name(store)
            assert read(store, ObjectId(store.source, "k", ETAG), 0, len(BODY)) == BODY
            assert kinds(server) == ["LGG", "L"]
        finally:
            store.close()
