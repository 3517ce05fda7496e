"""Keys that change while a store is used: any refusal has them read anew, and both clients sign with the new ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from pathlib import Path

import pytest

from mountnd.errors import Forbidden, NoCredentials
from mountnd.stores.base import ObjectId
from mountnd.stores.s3 import S3Store
from mountnd.stores.s3.access import credentials
from mountnd.stores.s3.access.credentials import RENEW_S

from ..support.key_sources import KeySource, key_source
from ..support.quirky import Quirky, Request
from ..support.waiting import Clock, wait_until
from .reading import first_name, read, soon

BODY = b"bytes of an object"
ETAG = f'"{md5(BODY).hexdigest()}"'
# All kinds but sso, which needs a HOME from the start.
KINDS = ("file", "process", "process that tells no end", "role", "web identity", "container")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[KeySource], None]:
    """Makes this process find its keys there."""

    def use(source: KeySource) -> None:
        for name, value in source.environment.items():
            monkeypatch.setenv(name, value)

    return use


@pytest.fixture
def keys(tmp_path: Path, use: Callable[[KeySource], None]) -> Iterator[KeySource]:
    """A credential process, whose runs are counted."""
    (tmp_path / "keys").mkdir()
    with key_source(tmp_path / "keys", "process that tells no end") as source:
        use(source)
        source.put("old")
        yield source


def make(server: Quirky, **how: object) -> S3Store:
    return S3Store("bkt", endpoint_url=server.url, region="us-east-1", **how)  # type: ignore[arg-type]


def signers(log: list[Request]) -> list[str]:
    """Which access key signed each request, "" for none."""
    return [r.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0] for r in log]


ASK: dict[str, Callable[[S3Store], object]] = {
    "list": first_name,
    "head": lambda store: store.head("k", deadline=soon()),
    "read": lambda store: read(store, ObjectId(store.source, "k", ETAG), 0, len(BODY)),
}

REFUSALS = [
    [400, "ExpiredToken"], [400, "InvalidToken"], [400, "TokenRefreshRequired"], [403, "InvalidAccessKeyId"],
    [403, "InvalidTokenId"], [400, "InvalidTokenId"], [403, "InvalidClientTokenId"], [400, "InvalidClientTokenId"],
    [403, "SignatureDoesNotMatch"], [403, "RequestExpired"], [400, "RequestExpired"], [403, "AccessDenied"],
    [401, "Unauthorized"], [401, ""], [403, "NobodyKnowsThisCode"],
]  # fmt: skip


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_any_refusal_has_the_keys_read_anew_and_the_request_made_again(
    quirky: Quirky, keys: KeySource, refusal: list[object], ask: Callable[[S3Store], object]
) -> None:
    quirky.hold({"k": BODY}, keys=["old"], refusal=refusal)
    store = make(quirky)
    ask(store)
    quirky.switch(keys=["new"])
    keys.put("new")
    ask(store)
    assert set(signers(quirky.log())) == {"old", "new"}
    quirky.switch()
    for each in ASK.values():  # both clients know them, and nothing is refused any more
        each(store)
    assert signers(quirky.log()) == ["new"] * 3
    store.close()


@pytest.mark.parametrize("kind", KINDS)
def test_wherever_the_keys_come_from(
    quirky: Quirky, use: Callable[[KeySource], None], tmp_path: Path, kind: str
) -> None:
    (tmp_path / "keys").mkdir()
    with key_source(tmp_path / "keys", kind) as source:
        use(source)
        source.put("old")
        quirky.hold({"k": BODY}, keys=["old"])
        store = make(quirky)
        ASK["read"](store)
        source.put("new")
        quirky.switch(keys=["new"])
        assert ASK["read"](store) == BODY
        assert ASK["list"](store) is None
        assert signers(quirky.log()) == ["old", "new", "new"]
        store.close()


def test_without_other_keys_the_refusal_stands_and_nothing_is_asked_twice(quirky: Quirky, keys: KeySource) -> None:
    clock = Clock()
    quirky.hold({"k": BODY, "private": {"body": "", "status": [403, "AccessDenied"]}})
    store = make(quirky, clock=clock)
    first_name(store)
    runs = keys.runs
    quirky.switch()
    for _ in range(5):
        with pytest.raises(Forbidden):
            read(store, ObjectId(store.source, "private", ""), 0, 1)
    assert len(quirky.log()) == 5
    assert keys.runs == runs + 1
    clock.now += RENEW_S
    for _ in range(5):
        with pytest.raises(Forbidden):
            read(store, ObjectId(store.source, "private", ""), 0, 1)
    assert len(quirky.log()) == 10
    assert keys.runs == runs + 2
    store.close()


def test_an_anonymous_store_never_looks_for_keys(quirky: Quirky, keys: KeySource) -> None:
    quirky.hold({"k": {"body": "", "status": [403, "AccessDenied"]}})
    store = make(quirky, anonymous=True)
    with pytest.raises(Forbidden):
        ASK["read"](store)
    assert signers(quirky.log()) == [""]
    assert keys.runs == 0
    assert not store.renew(deadline=soon())
    store.close()


def test_many_that_are_refused_at_once_share_one_look(quirky: Quirky, keys: KeySource) -> None:
    quirky.hold({"k": BODY}, keys=["old"])
    store = make(quirky)
    ASK["read"](store)
    runs = keys.runs
    keys.put("new")
    quirky.switch(keys=["new"])
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda i: list(ASK.values())[i % 3](store), range(48)))
    assert found.count(BODY) == 16
    assert keys.runs == runs + 1
    assert store.renewals.count == 1
    store.close()


def test_keys_that_appear_later_do_not_sign_for_a_source_that_is_unsigned_by_its_identity(
    quirky: Quirky, use: Callable[[KeySource], None], tmp_path: Path
) -> None:
    """Its cache is for everybody: what keys can read must not get there. A store that is made later signs."""
    (tmp_path / "keys").mkdir()
    with key_source(tmp_path / "keys", "file") as source:
        use(source)
        quirky.hold({"k": BODY}, keys=[""])
        store = make(quirky)
        first_name(store)
        source.put("mine")
        quirky.switch(keys=["mine"])
        for ask in ASK.values():
            with pytest.raises(Forbidden):
                ask(store)
        assert set(signers(quirky.log())) == {""}
        later = make(quirky)
        assert later.source != store.source
        for ask in ASK.values():
            ask(later)
        for each in (store, later):
            each.close()


def test_a_file_that_is_half_written_is_read_once_more(
    quirky: Quirky, use: Callable[[KeySource], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs that write it do not always replace it at once."""
    monkeypatch.setattr(credentials, "REPLACED_S", 5.0)  # for a busy machine
    (tmp_path / "keys").mkdir()
    with key_source(tmp_path / "keys", "file") as source:
        use(source)
        source.put("old")
        quirky.hold({"k": BODY}, keys=["old"])
        store = make(quirky)
        first_name(store)
        quirky.switch(keys=["new"])
        (tmp_path / "keys" / ".aws" / "credentials").write_text("[default]\naws_access_key_id = new\n")
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(ASK["read"], store)
            wait_until(lambda: len(quirky.log()) > 0, "the first refusal")
            source.put("new")
            assert reading.result() == BODY
        store.close()


def test_credentials_that_can_be_had_only_later(
    quirky: Quirky, use: Callable[[KeySource], None], tmp_path: Path
) -> None:
    """What is remembered of the time before is counted as of other keys."""
    (tmp_path / "keys").mkdir()
    clock = Clock()
    with key_source(tmp_path / "keys", "file") as source:
        use(source)
        quirky.hold({"k": BODY}, keys=["mine"])
        store = make(quirky, anonymous=False, clock=clock)
        with pytest.raises(NoCredentials):
            first_name(store)
        assert not store.renew(deadline=soon()), "it has just looked"
        clock.now += RENEW_S
        assert not store.renew(deadline=soon())
        source.put("mine")
        clock.now += RENEW_S
        assert store.renew(deadline=soon())
        assert store.renewals.count == 1
        assert ASK["read"](store) == BODY
        store.close()


def test_keys_that_vanish_are_used_on(
    quirky: Quirky, use: Callable[[KeySource], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "keys").mkdir()
    with key_source(tmp_path / "keys", "file") as source:
        use(source)
        source.put("old")
        quirky.hold({"k": BODY, "private": {"body": "", "status": [403, "AccessDenied"]}}, keys=["old"])
        store = make(quirky, anonymous=False)
        first_name(store)
        (tmp_path / "keys" / ".aws" / "credentials").unlink()
        with caplog.at_level(logging.WARNING, "mountnd"), pytest.raises(Forbidden):
            read(store, ObjectId(store.source, "private", ""), 0, 1)
        assert [r.getMessage() for r in caplog.records if "no new credentials" in r.getMessage()]
        assert ASK["read"](store) == BODY
        store.close()


def test_a_process_that_fails_for_a_while_costs_nothing(
    quirky: Quirky, use: Callable[[KeySource], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its keys are about to end by what it says, so it is asked again and again; the server takes them still."""
    (tmp_path / "keys").mkdir()
    clock = Clock()
    with key_source(tmp_path / "keys", "process") as source:
        use(source)
        source.put("old", seconds=30)
        quirky.hold({"k": BODY}, keys=["old", "new"])
        store = make(quirky, clock=clock)
        ASK["read"](store)
        (tmp_path / "keys" / "keys").rename(tmp_path / "away")
        with caplog.at_level(logging.WARNING, "mountnd"):
            for _ in range(3):
                clock.now += 61
                assert ASK["read"](store) == BODY
                first_name(store)
        said = [r.getMessage() for r in caplog.records if r.name.startswith("mountnd")]
        assert len(said) == 1 and "old ones are used on" in said[0]
        source.put("new")
        clock.now += 61
        assert ASK["read"](store) == BODY
        assert signers(quirky.log())[-1] == "new"
        store.close()


def test_keys_that_ended_by_a_wrong_clock_are_tried(
    quirky: Quirky, use: Callable[[KeySource], None], tmp_path: Path
) -> None:
    """This machine's clock is hours ahead: every key it is given has ended already, as it sees it."""
    (tmp_path / "keys").mkdir()
    with key_source(tmp_path / "keys", "process") as source:
        use(source)
        source.put("good", seconds=-3600)
        quirky.hold({"k": BODY}, keys=["good"], skew=-5 * 3600)
        store = make(quirky)
        assert ASK["read"](store) == BODY
        first_name(store)
        store.close()


def test_renew_tells_whether_there_are_other_keys(quirky: Quirky, keys: KeySource) -> None:
    clock = Clock()
    quirky.hold({"k": BODY})
    store = make(quirky, clock=clock)
    first_name(store)
    assert not store.renew(deadline=soon())
    keys.put("new")
    assert not store.renew(deadline=soon()), "it has just looked"
    clock.now += RENEW_S
    assert store.renew(deadline=soon())
    assert store.renewals.count == 1
    quirky.switch()
    ASK["read"](store)
    assert signers(quirky.log()) == ["new"]
    store.close()
