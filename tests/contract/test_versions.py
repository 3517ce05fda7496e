"""Versions of objects on servers whose ETags are missing, spelled otherwise, or mean nothing."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

import pytest

from mountnd.errors import Changed, Intercepted, NotFound
from mountnd.stores.base import ObjectStat
from mountnd.stores.notes import FileNotes
from mountnd.stores.s3 import S3Store

from ..support.quirky import WHEN, Quirky, thing
from .reading import listed, read, soon

OLD, NEW = b"old bytes!" * 500, b"new bytes." * 500
LISTINGS = ("quoted", "bare", "open", "weak", "upper", "empty", "absent", "constant", "zeros", "other")
ANSWERS = ("quoted", "bare", "weak", "upper", "empty", "absent", "constant", "zeros", "other", "fresh")
IF_MATCH = ("honest", "ignored", "bare only", "refused")


def store_of(quirky: Quirky) -> S3Store:
    return S3Store("bkt", endpoint_url=quirky.url, region="us-east-1", anonymous=True)


def stat_of(store: S3Store, key: str = "k") -> ObjectStat:
    """What is listed of `key`."""
    return next(stat for stat in listed(store, "", delimiter="")[0] if stat.id.key == key)


def whole(store: S3Store, stat: ObjectStat) -> bytes:
    """The object in two reads: what the second one expects, the first one has told."""
    return read(store, stat.id, 0, 1000) + read(store, stat.id, 1000, stat.size - 1000)


def asked(quirky: Quirky, method: str, *, listing: bool = False) -> int:
    return sum(r.method == method and ("list-type" in r.target) == listing for r in quirky.log())


def read_and_replace(quirky: Quirky, **quirks: str) -> None:
    """An unchanged object is read, a replaced one is noticed, and the new one is read."""
    quirky.hold({"k": thing(OLD, mtime=WHEN), "l": b"another"}, **quirks)
    store = store_of(quirky)
    try:
        first = stat_of(store)
        assert whole(store, store.relied(first)) == OLD
        quirky.switch(buckets={"bkt": {"k": thing(NEW, mtime=WHEN + 100), "l": thing(b"another")}})
        with pytest.raises(Changed):
            read(store, first.id, 0, 10)
        second = stat_of(store)
        assert second.id != first.id
        assert whole(store, second) == NEW
    finally:
        store.close()


@pytest.mark.parametrize(
    ("listing", "answer"),
    sorted(
        {(listing, answer) for listing in LISTINGS for answer in ("quoted", "absent")}
        | {(listing, answer) for listing in ("quoted", "other", "empty") for answer in ANSWERS}
    ),
)
def test_however_etags_are_written(quirky: Quirky, listing: str, answer: str) -> None:
    read_and_replace(quirky, etag_listing=listing, etag_answer=answer)


@pytest.mark.parametrize("if_match", IF_MATCH)
@pytest.mark.parametrize("answer", ["quoted", "bare", "upper", "other", "fresh"])
def test_however_if_match_is_taken(quirky: Quirky, if_match: str, answer: str) -> None:
    for listing in ("quoted", "empty"):
        read_and_replace(quirky, etag_listing=listing, etag_answer=answer, if_match=if_match)


def test_a_server_that_behaves_sees_one_get_a_read(quirky: Quirky) -> None:
    quirky.hold({"k": OLD})
    store = store_of(quirky)
    stat = stat_of(store)
    quirky.switch()
    assert whole(store, stat) == OLD
    log = quirky.log()
    assert [r.method for r in log] == ["GET", "GET"]
    assert {r.headers["if-match"] for r in log} == {stat.id.etag}
    store.close()


@pytest.mark.parametrize("listing", ["empty", "constant", "weak"])
def test_size_and_date_are_compared_in_the_answers_themselves(quirky: Quirky, listing: str) -> None:
    """And the ETag that answers give is asked for from the second GET on."""
    quirky.hold({"k": OLD}, etag_listing=listing)
    store = store_of(quirky)
    stat = stat_of(store)
    quirky.switch()
    assert whole(store, stat) == OLD
    first, second = quirky.log()
    assert "if-match" not in first.headers
    assert second.headers["if-match"].strip('"')
    store.close()


def test_what_is_learnt_of_one_object_is_not_asked_for_the_next(quirky: Quirky) -> None:
    for quirks in ({"if_match": "bare only"}, {"if_match": "refused"}, {"etag_listing": "other"},
                   {"etag_answer": "absent"}, {"etag_answer": "upper"}):  # fmt: skip
        quirky.hold({"k": OLD, "l": NEW}, **quirks)
        store = store_of(quirky)
        first, second = stat_of(store, "k"), stat_of(store, "l")
        assert whole(store, first) == OLD
        assert asked(quirky, "HEAD") >= 1
        quirky.switch()
        assert whole(store, store.relied(second)) == NEW
        assert [r.method for r in quirky.log()] == ["GET", "GET"], quirks
        store.close()


def test_what_is_learnt_outlives_the_store_and_is_said_once(
    quirky: Quirky, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quirky.hold({"k": OLD, "l": NEW}, etag_listing="other", if_match="bare only")
    caplog.set_level(logging.WARNING)
    store = store_of(quirky)
    store.remember(FileNotes(tmp_path / "notes" / "server.json"))
    assert whole(store, stat_of(store)) == OLD
    assert whole(store, stat_of(store, "l")) == NEW
    assert len([r for r in caplog.records if "other ETags than listings" in r.message]) == 1
    assert len(store.remarks) == len(set(store.remarks)) >= 1
    store.close()
    again = store_of(quirky)
    again.remember(FileNotes(tmp_path / "notes" / "server.json"))
    assert again.remarks == store.remarks
    stat = stat_of(again)
    quirky.switch()
    assert whole(again, stat) == OLD
    assert [r.method for r in quirky.log()] == ["GET", "GET"]
    again.close()


def test_a_note_that_cannot_be_read_or_written_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "bad").write_bytes(b"\xff{")
    assert FileNotes(tmp_path / "bad").read() == {}
    (tmp_path / "list").write_text("[1]")
    assert FileNotes(tmp_path / "list").read() == {}
    FileNotes(tmp_path / "bad" / "below").write({"a": "b"})  # whoever keeps listings there says why
    assert "is not kept" not in caplog.text
    (tmp_path / "held" / "notes").mkdir(parents=True)
    FileNotes(tmp_path / "held" / "notes").write({"a": "b"})
    assert "is not kept" in caplog.text


class TestOneEtagForAll:
    def held(self, quirky: Quirky, *bodies: bytes, etag: str = "same") -> S3Store:
        quirky.hold({f"{i}/k": thing(body, etag=etag, mtime=WHEN + i) for i, body in enumerate(bodies)})
        return store_of(quirky)

    def test_on_objects_of_different_size_in_one_page(self, quirky: Quirky) -> None:
        md5 = "00112233445566778899aabbccddeeff"
        store = self.held(quirky, OLD, NEW + b"longer", etag=md5)
        before = ObjectStat(stat_of(store, "0/k").id._replace(etag=f'"{md5}"'), len(OLD), WHEN * 10**9)
        assert not stat_of(store, "0/k").id.etag.startswith('"')
        assert store.relied(before) == stat_of(store, "0/k")._replace(storage_class="")
        store.close()

    def test_on_objects_of_pages_of_their_own(self, quirky: Quirky) -> None:
        store = self.held(quirky, OLD, NEW)  # of one size and of two dates, and the ETag is no checksum
        (first,), _ = listed(store, "0/")
        assert first.id.etag == '"same"'
        (second,), _ = listed(store, "1/")
        assert not second.id.etag.startswith('"')
        assert store.relied(first).id.etag == listed(store, "0/")[0][0].id.etag != '"same"'
        with pytest.raises(Changed):  # perhaps: it was listed before the ETags turned out to mean nothing
            read(store, first.id, 0, 10)
        assert read(store, store.relied(first).id, 0, len(OLD)) == OLD
        store.close()

    def test_copies_of_one_file_share_a_checksum(self, quirky: Quirky) -> None:
        quirky.hold({"0/k": OLD, "1/k": OLD})
        store = store_of(quirky)
        assert stat_of(store, "0/k").id.etag == stat_of(store, "1/k").id.etag
        assert store.remarks == ()
        store.close()

    def test_what_was_read_before_is_compared_by_its_date_from_then_on(self, quirky: Quirky) -> None:
        store = self.held(quirky, OLD, NEW)
        (first,), _ = listed(store, "0/")
        assert read(store, first.id, 0, 10) == OLD[:10]
        listed(store, "1/")
        assert read(store, first.id, 10, 10) == OLD[10:20]
        quirky.switch(buckets={"bkt": {"0/k": thing(NEW, etag="same", mtime=WHEN + 9)}})
        with pytest.raises(Changed):
            read(store, first.id, 20, 10)
        store.close()

    def test_at_another_size_it_is_another_version(self, quirky: Quirky) -> None:
        store = self.held(quirky, OLD)
        old = stat_of(store, "0/k")
        quirky.switch(buckets={"bkt": {"0/k": thing(OLD + NEW, etag="same")}})
        with pytest.raises(Changed):
            read(store, old.id, 0, 10)
        assert stat_of(store, "0/k").id != old.id
        store.close()


def test_the_same_etag_with_a_new_date_is_the_same_version(quirky: Quirky) -> None:
    quirky.hold({"k": thing(OLD, mtime=WHEN)})
    store = store_of(quirky)
    first = stat_of(store)
    assert read(store, first.id, 0, 10) == OLD[:10]
    quirky.switch(buckets={"bkt": {"k": thing(OLD, mtime=WHEN + 1000)}})
    assert stat_of(store).id == first.id
    assert stat_of(store).mtime_ns == (WHEN + 1000) * 10**9
    quirky.switch()
    assert read(store, first.id, 10, 10) == OLD[10:20]
    assert len(quirky.log()) == 1
    store.close()


@pytest.mark.parametrize("listing", ["quoted", "empty"])
class TestLoginPages:
    def test_of_the_objects_length(self, quirky: Quirky, listing: str) -> None:
        quirky.hold({"k": OLD}, etag_listing=listing)
        store = store_of(quirky)
        stat = stat_of(store)
        for first, size in ((0, stat.size), (0, 10), (100, 50)):
            quirky.switch(html=["k"])
            with pytest.raises(Intercepted, match="text/html"):
                read(store, stat.id, first, size)
            quirky.switch(html=[])
            assert read(store, stat.id, first, size) == OLD[first : first + size]
        store.close()

    def test_in_place_of_everything(self, quirky: Quirky, listing: str) -> None:
        quirky.hold({"k": OLD}, etag_listing=listing)
        store = store_of(quirky)
        stat = stat_of(store)
        quirky.switch(portal=True)
        for _ in range(2):
            with pytest.raises(Intercepted):
                read(store, stat.id, 0, stat.size)
        quirky.switch(portal=False)
        assert whole(store, stat) == OLD
        store.close()


def test_answers_that_carry_neither_etag_nor_date_need_a_head_each(quirky: Quirky) -> None:
    bare = {"ETag": None, "Last-Modified": None}
    for listing, if_match in itertools.product(("quoted", "empty"), ("ignored", "honest")):
        quirky.hold({"k": thing(OLD, headers=bare)}, etag_listing=listing, if_match=if_match)
        store = store_of(quirky)
        with pytest.raises((Changed, Intercepted)):  # and HEADs do not, either: nothing says which version it is
            read(store, stat_of(store).id, 0, 10)
        store.close()


def test_heads_may_be_forbidden(quirky: Quirky) -> None:
    quirky.hold({"k": OLD}, head_rules=["nothing"], if_match="bare only")
    store = store_of(quirky)
    assert whole(store, stat_of(store)) == OLD
    store.close()


def test_listings_may_be_forbidden(quirky: Quirky) -> None:
    quirky.hold({"k": OLD})
    store = store_of(quirky)
    stat = stat_of(store)
    quirky.switch(buckets={"bkt": {"k": thing(NEW)}}, list_rules=[])
    with pytest.raises(Changed):
        read(store, stat.id, 0, 10)
    now = store.head("k", deadline=soon())
    assert read(store, now.id, 0, len(NEW)) == NEW
    store.close()


def test_two_mounts_of_a_source_forget_nothing_that_the_other_learnt(quirky: Quirky, tmp_path: Path) -> None:
    quirky.hold({"k": thing(OLD, etag="same"), "l": thing(NEW, etag="same", mtime=WHEN + 9)})
    notes = FileNotes(tmp_path / "server.json")
    idle, learns = store_of(quirky), store_of(quirky)
    for store in (idle, learns):
        store.remember(notes)
    stat_of(learns)
    assert notes.read()["etags"]
    learnt = notes.read()
    learns.close()
    idle.close()
    assert notes.read() == learnt


@pytest.mark.parametrize("status", [400, 403, 405, 501])
@pytest.mark.parametrize(
    "quirks", [{"if_match": "refused"}, {"etag_listing": "other"}, {"etag_answer": "absent"}], ids=str
)
def test_where_heads_are_not_taken_a_get_decides(quirky: Quirky, status: int, quirks: dict[str, str]) -> None:
    quirky.hold({"k": thing(OLD, mtime=WHEN)}, head=status, **quirks)
    store = store_of(quirky)
    stat = stat_of(store)
    assert whole(store, store.relied(stat)) == OLD
    quirky.switch(buckets={"bkt": {"k": thing(NEW, mtime=WHEN + 100)}})
    with pytest.raises(Changed):
        read(store, stat.id, 0, 10)
    store.close()


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_what_a_key_is_where_heads_are_not_taken(quirky: Quirky, status: int) -> None:
    quirky.hold({"k": thing(OLD, mtime=WHEN)}, head=status)
    store = store_of(quirky)
    found = store.head("k", deadline=soon())
    assert (found.size, found.mtime_ns, found.id) == (len(OLD), WHEN * 10**9, stat_of(store).id)
    with pytest.raises(NotFound):
        store.head("absent", deadline=soon())
    store.close()
