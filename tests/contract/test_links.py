from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.errors import Archived, Changed, ConfigError, Forbidden, LinkExpired, NotFound
from mountnd.stores.base import ObjectId, Store
from mountnd.stores.links.store import RENEW_S, SignedLinkStore

from ..support.servers import Answer, file_server, free_port, s3_client, scripted_server
from ..support.waiting import Clock
from .reading import ODD_KEYS, first_name, keys, listed, read, soon
from .store_contract import ForbiddenContract, StoreContract


class LinksWorld:
    """Links to files of a web server; the file of links is written anew with each file."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory, self.url, self.links = directory / "files", url, directory / "links.txt"
        self.directory.mkdir()
        self.names: list[str] = []
        self._store: SignedLinkStore | None = None

    @property
    def store(self) -> SignedLinkStore:
        if self._store is None:
            lines = [f"curl -C - '{self.url}/{n}?Expires=4000000000' --output {_quoted(name)}"
                     for n, name in enumerate(self.names)]  # fmt: skip
            self.links.write_text("\n".join(lines), encoding="utf-8")
            self._store = SignedLinkStore(self.links)
        return self._store

    def put(self, key: str, body: bytes) -> None:
        if key not in self.names:
            self.names.append(key)
            self.close()
        new = self.directory / "new"
        new.write_bytes(body)
        new.rename(self.directory / str(self.names.index(key)))

    def delete(self, key: str) -> None:
        (self.directory / str(self.names.index(key))).unlink()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)


class TestSignedUrls(StoreContract, ForbiddenContract):
    directories = False
    many = False
    odd_keys = tuple(key for key in ODD_KEYS if "/" not in key)

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[LinksWorld]:
        with file_server(tmp_path / "files") as url:
            world = LinksWorld(tmp_path, url)
            yield world
            world.close()

    @pytest.fixture
    def forbidden(self, tmp_path: Path) -> Iterator[tuple[Store, ObjectId]]:
        with file_server(tmp_path) as url:
            (tmp_path / "links").write_text(f"{url}/secret")
            store = SignedLinkStore(tmp_path / "links")
            yield store, ObjectId(store.source, "secret", '"t"')
            store.close()

    def test_a_deleted_object_is_not_found(self, world: LinksWorld) -> None:
        """A link stays a link when its file is gone: alone, the listing says so."""
        world.put("k", b"1")
        (stat,), _ = listed(world.store, "")
        world.delete("k")
        with pytest.raises(NotFound):
            read(world.store, stat.id, 0, 1)
        with pytest.raises(NotFound):
            world.store.head("k", deadline=soon())
        with pytest.raises(NotFound):
            listed(world.store, "")


def test_links_that_s3_signed_for_get(moto: str, tmp_path: Path) -> None:
    client = s3_client(moto)
    client.create_bucket(Bucket="fastmri")
    client.put_object(Bucket="fastmri", Key="v2.0/knee train.tar.xz", Body=b"0123456789")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "fastmri", "Key": "v2.0/knee train.tar.xz"})
    (tmp_path / "links").write_text(f'curl -C - "{url}" --output knee_train.tar.xz\n')
    store = SignedLinkStore(tmp_path / "links")
    (stat,), _ = listed(store, "")
    assert (stat.id.key, stat.size) == ("knee_train.tar.xz", 10)
    assert read(store, stat.id, 3, 2, 4) == b"345678"
    store.close()


def test_a_signature_is_sent_as_it_came(tmp_path: Path) -> None:
    signed = "/v2.0/a%20b%2Bc.xz?AWSAccessKeyId=AK&Signature=x%2By%2Fz%3D&Expires=4000000000"
    one = {"Content-Range": "bytes 0-0/5", "Content-Length": "1", "ETag": '"t"'}
    with scripted_server({f"GET {signed}": Answer(206, one, b"x")}) as server:
        (tmp_path / "links").write_text(f"{server.url}{signed}")
        store = SignedLinkStore(tmp_path / "links")
        first_name(store)
        ((method, target, headers),) = server.log()
        assert (method, target, headers["range"]) == ("GET", signed, "bytes=0-0")
        assert headers["accept-encoding"] == "identity"
        store.close()


def test_an_ended_link_says_so_and_asks_nothing(tmp_path: Path) -> None:
    with scripted_server({}) as server:
        (tmp_path / "links").write_text(f"{server.url}/a.h5?Expires=1700000000&Signature=s")
        store = SignedLinkStore(tmp_path / "links")
        for ask in (
            lambda: first_name(store),
            lambda: store.head("a.h5", deadline=soon()),
            lambda: read(store, ObjectId(store.source, "a.h5", '"t"'), 0, 1),
        ):
            with pytest.raises(LinkExpired, match=r"a\.h5 ended on 2023-11-14 22:13 UTC"):
                ask()
        assert server.log() == []
        store.close()


def test_a_link_that_ends_while_it_is_mounted(tmp_path: Path) -> None:
    """Our clock may be behind the server's: its 403 counts, and then the clock decides what it meant."""
    now = 1_699_999_999.0

    def clock() -> float:
        nonlocal now
        now += 0.6  # the second look is past the end
        return now

    with scripted_server({"GET *": Answer(403, {"Content-Length": "0"})}) as server:
        (tmp_path / "links").write_text(f"{server.url}/a.h5?Expires=1700000000")
        store = SignedLinkStore(tmp_path / "links", clock=clock)
        with pytest.raises(LinkExpired):
            store.head("a.h5", deadline=soon())
        assert len(server.log()) == 1
        store.close()


@pytest.mark.parametrize("ended", [True, False], ids=["ended by its own date", "refused by the server"])
def test_links_that_are_renewed_in_the_file_are_used(tmp_path: Path, ended: bool) -> None:
    whole = {"Content-Range": "bytes 0-0/5", "Content-Length": "1", "ETag": '"t"'}
    old = f"/a.h5?Expires={1 if ended else 4000000000}&Signature=old"
    new = "/a.h5?Expires=4000000000&Signature=new"
    refusal = Answer(403, {"Content-Length": "0"})
    with scripted_server({f"GET {old}": refusal, f"GET {new}": Answer(206, whole, b"x")}) as server:
        (tmp_path / "links").write_text(f"{server.url}{old}")
        clock = Clock()
        store = SignedLinkStore(tmp_path / "links", monotonic=clock)
        source = store.source
        with pytest.raises(Forbidden):
            store.head("a.h5", deadline=soon())
        (tmp_path / "links").write_text("not a link")
        clock.now += RENEW_S
        with pytest.raises(Forbidden):
            store.head("a.h5", deadline=soon())
        (tmp_path / "links").write_text(f"{server.url}{new}")
        clock.now += RENEW_S
        assert store.head("a.h5", deadline=soon()).size == 5
        assert read(store, ObjectId(store.source, "a.h5", '"t"'), 0, 1) == b"x"
        assert (store.source, store.renewals.count) == (source, 1)
        (tmp_path / "links").write_text(f"{server.url}/other.h5")
        clock.now += RENEW_S
        assert not store.renew(deadline=soon())
        assert store.head("a.h5", deadline=soon()).size == 5
        store.close()


def test_codes_in_a_refusal_say_more_than_its_status(tmp_path: Path) -> None:
    def refusal(code: str) -> Answer:
        body = f"<Error><Code>{code}</Code></Error>".encode()
        return Answer(403, {"Content-Length": str(len(body))}, body)

    with scripted_server(
        {"GET /archived": refusal("InvalidObjectState"), "GET /denied": refusal("AccessDenied")}
    ) as server:
        (tmp_path / "links").write_text(f"{server.url}/archived\n{server.url}/denied\n")
        store = SignedLinkStore(tmp_path / "links")
        with pytest.raises(Archived):
            store.head("archived", deadline=soon())
        with pytest.raises(Forbidden):
            store.head("denied", deadline=soon())
        store.close()


def test_one_bad_link_hides_no_other_and_is_a_file_that_says_so(tmp_path: Path) -> None:
    one = {"Content-Range": "bytes 0-0/5", "Content-Length": "1", "ETag": '"t"'}
    with scripted_server({"GET /good": Answer(206, one, b"x")}) as server:
        (tmp_path / "links").write_text(
            f"curl {server.url}/good\ncurl {server.url}/gone\ncurl '{server.url}/old?Expires=1&Signature=hush'\n"
        )
        store = SignedLinkStore(tmp_path / "links")
        page = store.list_page("", deadline=soon())
        assert keys(page.objects) == ["gone.unavailable.txt", "good", "old.expired.txt"]
        assert page.unshowable == ()
        for stat in page.objects:
            if stat.id.key == "good":
                continue
            assert store.head(stat.id.key, deadline=soon()) == stat
            text = read(store, stat.id, 0, stat.size).decode()
            assert stat.id.key.partition(".")[0] in text and str(tmp_path / "links") in text and "hush" not in text
        old = next(stat for stat in page.objects if stat.id.key.startswith("old"))
        assert "ended on 1970-01-01" in read(store, old.id, 0, old.size).decode()
        assert read(store, old.id, 4, 3, 2) == read(store, old.id, 0, old.size)[4:9]
        assert len([remark for remark in store.remarks if "gone" in remark or "old" in remark]) == 2
        with pytest.raises(Changed):
            read(store, old.id._replace(etag='"another"'), 0, 1)
        assert keys(store.list_page("go", deadline=soon()).objects) == ["gone.unavailable.txt", "good"]
        store.close()


def test_the_identity_outlives_the_signatures(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/v2.0/a.xz"
    sources = []
    for signature in ("one", "two"):
        (tmp_path / "links").write_text(f"{url}?Signature={signature}&Expires={int(time.time()) + 100}")
        sources.append(SignedLinkStore(tmp_path / "links").source)
    (tmp_path / "links").write_text(f"{url}2?Signature=one")
    assert sources[0] == sources[1] != SignedLinkStore(tmp_path / "links").source


def test_a_file_that_cannot_be_read_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing-here"):
        SignedLinkStore(tmp_path / "nothing-here")
