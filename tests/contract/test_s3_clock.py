"""A machine whose clock is wrong: requests are signed by the server's, after one refusal that tells it."""

from __future__ import annotations

import time
from calendar import timegm
from collections.abc import Callable, Iterator
from hashlib import md5
from pathlib import Path

import pytest

from mountnd.errors import Forbidden
from mountnd.stores.base import ObjectId
from mountnd.stores.s3 import S3Store

from ..support.key_sources import key_source
from ..support.quirky import Quirky, Request
from .reading import first_name, read, soon

BODY = b"bytes of an object"
ETAG = f'"{md5(BODY).hexdigest()}"'
HOUR = 3600
SKEWS = (HOUR, -HOUR, 20 * 60, -20 * 60, 40 * 86400)
ASK: dict[str, Callable[[S3Store], object]] = {
    "list": first_name,
    "head": lambda store: store.head("k", deadline=soon()),
    "read": lambda store: read(store, ObjectId(store.source, "k", ETAG), 0, len(BODY)),
}

pytestmark = pytest.mark.usefixtures("signed")


@pytest.fixture
def store(quirky: Quirky) -> Iterator[S3Store]:
    store = S3Store("bkt", endpoint_url=quirky.url, region="us-east-1")
    yield store
    store.close()


def signed_at(request: Request) -> float:
    """Seconds by which the time of its signature is ahead of this machine's."""
    said = request.headers["x-amz-date"]
    scope = request.headers["authorization"].partition("Credential=")[2].split("/")[1]
    assert scope == said[:8]
    return timegm(time.strptime(said, "%Y%m%dT%H%M%SZ")) - request.at


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_a_wrong_clock_costs_one_refusal(
    quirky: Quirky, store: S3Store, ask: Callable[[S3Store], object], skew: int
) -> None:
    quirky.hold({"k": BODY}, skew=skew)
    ask(store)
    log = quirky.log()
    assert abs(signed_at(log[-1]) - skew) < 10
    quirky.switch()
    for each in ASK.values():
        each(store)
    log = quirky.log()
    assert len(log) == 3, "none was refused"
    assert all(abs(signed_at(request) - skew) < 10 for request in log)


@pytest.mark.parametrize("refusal", [[403, "AccessDenied"], [403, "SignatureDoesNotMatch"], [401, ""]], ids=str)
@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_a_server_that_does_not_say_that_it_is_the_time(
    quirky: Quirky, store: S3Store, ask: Callable[[S3Store], object], refusal: list[object]
) -> None:
    quirky.hold({"k": BODY}, skew=HOUR, skew_refusal=refusal)
    ask(store)
    assert abs(signed_at(quirky.log()[-1]) - HOUR) < 10


def test_a_clock_that_is_put_right_later(quirky: Quirky, store: S3Store) -> None:
    quirky.hold({"k": BODY}, skew=HOUR)
    ASK["read"](store)
    quirky.switch(skew=0)
    ASK["read"](store)
    first_name(store)
    assert [round(signed_at(r) / HOUR) for r in quirky.log()] == [1, 0, 0]


def test_an_ordinary_refusal_is_not_about_time(quirky: Quirky, store: S3Store) -> None:
    quirky.hold({"k": {"body": "", "status": [403, "AccessDenied"]}}, skew=30)
    with pytest.raises(Forbidden):
        ASK["read"](store)
    assert len(quirky.log()) == 1


@pytest.mark.parametrize("date_off", [None, HOUR, -HOUR])
def test_a_date_that_is_not_the_servers_time(quirky: Quirky, store: S3Store, date_off: int | None) -> None:
    """A proxy writes it, or nobody does: what is allowed stays readable, and what is not costs no storm of requests."""
    private = {"body": "", "status": [403, "AccessDenied"]}
    quirky.hold({"k": BODY, "private": private}, date_off=date_off)
    for _ in range(3):
        with pytest.raises(Forbidden):
            read(store, ObjectId(store.source, "private", ""), 0, 1)
        assert ASK["read"](store) == BODY
        first_name(store)
    assert len(quirky.log()) <= 9 + 2
    assert abs(signed_at(quirky.log()[-1])) < 10


def test_a_server_whose_time_cannot_be_learnt(quirky: Quirky, store: S3Store) -> None:
    quirky.hold({"k": BODY}, skew=HOUR, date_off=None)
    with pytest.raises(Forbidden, match="clock"):
        ASK["read"](store)
    quirky.hold({"k": BODY}, skew=HOUR, date_off=-HOUR)  # its Date is this machine's
    with pytest.raises(Forbidden, match="clock"):
        ASK["read"](store)


@pytest.mark.parametrize("skew", [HOUR, -HOUR])
def test_sts_goes_by_the_same_clock(quirky: Quirky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skew: int) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with key_source(tmp_path, "role", skew=skew) as source:
        for name, value in source.environment.items():
            monkeypatch.setenv(name, value)
        source.put("role", seconds=skew + HOUR / 2)
        quirky.hold({"k": BODY}, keys=["role"], skew=skew)
        store = S3Store("bkt", endpoint_url=quirky.url, region="us-east-1")
        for ask in ASK.values():
            ask(store)
        assert len(quirky.log()) == 3, "the clock was learnt from STS"
        store.close()


def test_unsigned_requests_have_no_time(quirky: Quirky) -> None:
    store = S3Store("bkt", endpoint_url=quirky.url, region="us-east-1", anonymous=True)
    quirky.hold({"k": {"body": "", "status": [403, "AccessDenied"]}}, skew=HOUR)
    with pytest.raises(Forbidden):
        ASK["read"](store)
    assert len(quirky.log()) == 1
    store.close()
