"""Bodies over TLS: record by record, in turns."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from mountnd.errors import StoreError, TimedOut, Unreachable
from mountnd.stores.base import Deadline, ObjectId
from mountnd.stores.s3 import S3Store

from ..support.servers import Answer, Scripted
from .reading import soon
from .s3_stage import BYTE, ETAG, Make

LONG = random.Random(20261125).randbytes(3_000_000)


@pytest.fixture
def store(
    make: Make, tls_stage: Scripted, private_ca: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> S3Store:
    monkeypatch.setenv("SSL_CERT_FILE", str(private_ca[0]))
    return make(endpoint_url=tls_stage.url, anonymous=True)


def part(start: int, stop: int, *, then: str = "keep", sent: int | None = None) -> Answer:
    headers = {
        "Content-Range": f"bytes {start}-{stop - 1}/{len(LONG)}",
        "Content-Length": str(stop - start),
        "ETag": ETAG,
    }
    return Answer(206, headers, LONG[start:stop][:sent], then=then)


def test_long_bodies_at_once_are_right(store: S3Store, tls_stage: Scripted) -> None:
    """More than one turn each, in views that end within a record."""
    start, stop = 7, 2_900_000
    tls_stage.play({"GET /bkt/k": part(start, stop)})

    def whole(_: int) -> bytes:
        data = bytearray(stop - start)
        view, cuts = memoryview(data), [0, 1, 65_536, 100_000, 2_000_003, stop - start]
        views = [view[a:b] for a, b in pairwise(cuts)]
        store.read(ObjectId(store.source, "k", ETAG), start, views, deadline=soon())
        return bytes(data)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(whole, range(12))) == [LONG[start:stop]] * 12
    store.close()


def test_a_long_body_that_stops_holds_up_no_other(store: S3Store, tls_stage: Scripted) -> None:
    """It gives its turn back while it waits."""
    tls_stage.play({"GET /bkt/k": [part(0, 2_000_000, sent=500_000, then="hang"), part(0, 1_000_000)]})

    def read(seconds: float, size: int) -> bytes:
        data = bytearray(size)
        store.read(ObjectId(store.source, "k", ETAG), 0, [memoryview(data)], deadline=Deadline(seconds))
        return bytes(data)

    with ThreadPoolExecutor(2) as pool:
        stuck = pool.submit(read, 4, 2_000_000)
        for _ in range(100):
            if len(tls_stage.log()) == 1:
                break
            time.sleep(0.02)
        assert read(10, 1_000_000) == LONG[:1_000_000]
        assert not stuck.done()
        assert isinstance(stuck.exception(), StoreError)
    store.close()


def test_a_trickle_of_records_ends_with_the_deadline(store: S3Store, tls_stage: Scripted) -> None:
    """The kernel's time-out, which each of them renews, is not what bounds the wait."""
    tls_stage.play({"GET /bkt/k": [part(0, 1000, sent=300, then="trickle"), BYTE]})  # the second to whoever asks why
    begun = time.monotonic()
    with pytest.raises((TimedOut, Unreachable)):
        store.read(ObjectId(store.source, "k", ETAG), 0, [memoryview(bytearray(1000))], deadline=Deadline(0.6))
    assert time.monotonic() - begun < 4  # it goes on for over a minute
    store.close()
