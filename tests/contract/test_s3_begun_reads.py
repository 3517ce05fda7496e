"""`begin_read` of buckets: exactly what `read` gives, without a thread that waits, or nothing at all."""

from __future__ import annotations

import queue
import random
from contextlib import suppress
from pathlib import Path

import pytest

from mountnd.errors import NotFound
from mountnd.stores.base import ObjectId, ShortRead, Store
from mountnd.stores.common import StoreBase
from mountnd.stores.http.connection import Connection
from mountnd.stores.memory import MemoryStore
from mountnd.stores.one_object import OneObject
from mountnd.stores.retry import Retrying
from mountnd.stores.s3 import S3Store
from mountnd.stores.shared import Shared

from ..support.servers import Answer, Scripted
from ..support.waiting import holds_within, wait_until
from .reading import read, soon
from .s3_stage import BYTE, ETAG, Make

DATA = random.Random(20261127).randbytes(200_000)
START, SIZE = 7, 150_000
WHEN = "Mon, 12 Oct 2009 17:50:00 GMT"
ID = ("k", ETAG, "", len(DATA))


def part(etag: str = ETAG, status: int = 206, start: int = START, when: str = WHEN, size: int = SIZE) -> Answer:
    body = DATA[start : start + size]
    headers = {
        "Content-Range": f"bytes {start}-{start + size - 1}/{len(DATA)}",
        "Content-Length": str(size),
        "ETag": etag,
        "Last-Modified": when,
    }
    return Answer(status, headers, body)


def begun(store: Store, id: ObjectId, start: int = START, sharing: int = 0) -> bytes | bool:
    """The bytes; True where they did not come, False where nothing was begun."""
    buffer, told = bytearray(SIZE), queue.SimpleQueue[bool]()
    view = memoryview(buffer)
    if not store.begin_read(ShortRead(id, start, [view[:1], view[1:]], soon(), told.put, sharing)):
        return False
    return bytes(buffer) if told.get(timeout=30) else True


def connected(store: S3Store, stage: Scripted, answer: Answer) -> ObjectId:
    """The id, once a connection is idle and the server gives `answer`."""
    stage.play({"GET /bkt/k": BYTE})
    id = ObjectId(store.source, *ID)
    read(store, ObjectId(store.source, "k", ETAG), 0, 1)
    stage.play({"GET /bkt/k": answer})
    return id


@pytest.mark.parametrize("keys", ["none", "signed"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_same_bytes(
    make: Make,
    stage: Scripted,
    tls_stage: Scripted,
    private_ca: tuple[Path, Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    keys: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(private_ca[0]))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = tls_stage if scheme == "https" else stage
    store = make(endpoint_url=server.url, anonymous=keys == "none", connections=64)
    id = connected(store, server, part())
    for _ in range(3):
        assert holds_within(lambda: begun(store, id) == DATA[START : START + SIZE]), "once the connection is free"
    log = server.log()
    assert len(log) == 3
    for _, _, headers in log:
        assert headers["range"] == f"bytes={START}-{START + SIZE - 1}"
        assert headers["if-match"] == ETAG
        assert ("authorization" in headers) == (keys == "signed")
    assert store.latency is not None
    store.close()


WRONG = {
    "another version": part(etag='"u"'),
    "another range": part(start=START + 1),
    "the whole object": Answer(200, {"Content-Length": "5", "ETag": ETAG, "Last-Modified": WHEN}, b"hello"),
    "no ETag": part(etag=""),
    "replaced": Answer(412, {"Content-Length": "0"}),
    "slow down": Answer(503, {"Content-Length": "0"}),
    "not allowed": Answer(403, {"Content-Length": "0"}),
}


@pytest.mark.parametrize("what", WRONG)
def test_no_bytes_that_are_not_of_the_version(make: Make, stage: Scripted, what: str) -> None:
    store = make(anonymous=True, connections=64)
    assert begun(store, connected(store, stage, WRONG[what])) is True
    assert [method for method, _, _ in stage.log()] == ["GET"], "`read` finds out more"
    store.close()


def test_a_date_that_changes_under_one_etag_is_left_to_read(make: Make, stage: Scripted) -> None:
    store = make(anonymous=True, connections=64)
    id = connected(store, stage, part())
    assert begun(store, id) == DATA[START : START + SIZE]
    stage.play({"GET /bkt/k": part(when="Tue, 13 Oct 2009 17:50:00 GMT")})
    assert holds_within(lambda: begun(store, id) is True)
    store.close()


def test_parts_of_several_dates_are_left_to_read(make: Make, stage: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object is replaced under one ETag while two connections bring a part each."""
    half = SIZE // 2
    monkeypatch.setattr(Connection, "window", property(lambda self: half))
    store = make(anonymous=True, connections=64)
    stage.play({"GET *": BYTE, "HEAD *": BYTE})
    with suppress(NotFound):
        store.head("k", deadline=soon())
    wait_until(lambda: store.connections_for(ObjectId(store.source, *ID), SIZE, 1) == 2, "connections are idle")
    later = "Tue, 13 Oct 2009 17:50:00 GMT"
    stage.play({"GET /bkt/k": [part(size=half), part(start=START + half, size=half, when=later)]})
    assert begun(store, ObjectId(store.source, *ID), sharing=1) is True
    asked = [headers["range"] for _, _, headers in stage.log()]
    assert sorted(asked) == sorted(f"bytes={start}-{start + half - 1}" for start in (START, START + half))
    store.close()


def test_nothing_is_begun_where_it_may_take_more(make: Make, stage: Scripted) -> None:
    store = make(anonymous=True, connections=64)
    id = ObjectId(store.source, *ID)
    assert begun(store, id) is False, "before the first request it is not known how the bucket is reached"
    connected(store, stage, part())
    assert begun(store, id._replace(etag="", version="v")) is False
    assert begun(store, id._replace(key="\udcff")) is False
    assert begun(store, id._replace(etag="100@Mon, 12 Oct 2009 17:50:00 GMT")) is False, "it goes by its date"
    assert stage.log() == []
    store.close()
    assert begun(store, id) is False


def test_a_proxy_that_wants_whole_urls_is_left_to_read(
    make: Make, stage: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", stage.url)
    store = make(endpoint_url="http://s3.example", anonymous=True, connections=64)
    stage.play({"GET *": BYTE})
    read(store, ObjectId(store.source, "k", ETAG), 0, 1)
    assert stage.log()[0][1] == "http://s3.example/bkt/k"
    stage.play({"GET *": part()})
    assert begun(store, ObjectId(store.source, *ID)) is False
    assert stage.log() == []
    store.close()


def test_who_wraps_and_who_cannot(make: Make, stage: Scripted) -> None:
    few = make(anonymous=True, connections=32)
    assert not few.begins_reads and begun(few, connected(few, stage, part())) is False
    proxied = make(anonymous=True, connections=64, via=["http://127.0.0.1:9"])
    assert not proxied.begins_reads
    assert not MemoryStore().begins_reads and not StoreBase().begins_reads
    store = make(anonymous=True, connections=64)
    id = connected(store, stage, part())
    one = OneObject(store, "k")
    wrapping: list[tuple[Store, ObjectId]] = [(Retrying(store), id), (Shared([Retrying(store)]), id)]
    for wrapped, shown in [*wrapping, (one, id._replace(source=one.source))]:
        assert wrapped.begins_reads
        assert holds_within(lambda wrapped=wrapped, shown=shown: begun(wrapped, shown) == DATA[START : START + SIZE]), (
            type(wrapped)
        )
    for opened in (few, proxied, store):
        opened.close()
