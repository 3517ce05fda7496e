from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.errors import Changed, ConfigError, NotFound, StoreError, Unreachable
from mountnd.stores.base import ObjectId, Store

from ..support.servers import Answer, file_server, free_port, scripted_server
from .directory_stores import DirectoryWorld, fsspec_store, http_store
from .reading import BODY, ODD_KEYS, first_name, keys, listed, read, soon
from .store_contract import ForbiddenContract, StoreContract


class TestFile(StoreContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> DirectoryWorld:
        return DirectoryWorld(tmp_path, fsspec_store(f"file://{tmp_path}"))


class TestHttp(StoreContract, ForbiddenContract):
    """Pages of links, a HEAD for each file."""

    many = False

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[DirectoryWorld]:
        with file_server(tmp_path) as url:
            store = http_store(f"{url}/")
            yield DirectoryWorld(tmp_path, store)
            store.close()

    @pytest.fixture
    def forbidden(self, world: DirectoryWorld) -> tuple[Store, ObjectId]:
        world.put("secret", b"1")
        world.put("open", b"1")
        return world.store, world.store.head("open", deadline=soon()).id._replace(key="secret")

    def test_a_file_that_is_refused_is_reported_and_hides_nothing_else(self, world: DirectoryWorld) -> None:
        world.put("secret", b"1")
        world.put("open", b"1")
        page = world.store.list_page("", deadline=soon())
        assert keys(page.objects) == ["open"]
        assert len(page.unshowable) == 1
        assert "secret" in page.unshowable[0]


class MemoryFilesWorld:
    def __init__(self, name: str) -> None:
        from fsspec.implementations.memory import MemoryFileSystem

        self.files, self.base = MemoryFileSystem(), f"/{name}"
        self.files.makedirs(self.base, exist_ok=True)
        self.store = fsspec_store(f"memory:/{self.base}")

    def put(self, key: str, body: bytes) -> None:
        self.files.pipe_file(f"{self.base}/{key}", body)

    def delete(self, key: str) -> None:
        self.files.rm_file(f"{self.base}/{key}")


class TestMemoryFiles(StoreContract):
    """A file system of fsspec's that is neither local nor http."""

    odd_keys = tuple(key for key in ODD_KEYS if "\\" not in key)

    @pytest.fixture
    def world(self, request: pytest.FixtureRequest) -> Iterator[MemoryFilesWorld]:
        world = MemoryFilesWorld(re.sub(r"\W", "-", request.node.name))
        yield world
        world.files.rm(world.base, recursive=True)


def test_names_that_are_not_utf8_are_shown_and_read(tmp_path: Path) -> None:
    name = b"caf\xe9.nii"
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(BODY)
    store = fsspec_store(f"file://{tmp_path}")
    (stat,), _ = listed(store, "")
    assert stat.id.key == "caf\udce9.nii"
    assert read(store, stat.id, 5, 10) == BODY[5:15]


def test_links_are_followed_and_what_is_no_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "x").write_bytes(b"1")
    (tmp_path / "to-file").symlink_to("file")
    (tmp_path / "to-dir").symlink_to("dir")
    (tmp_path / "to-nowhere").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    store = fsspec_store(f"file://{tmp_path}")
    page = store.list_page("", deadline=soon())
    assert [(stat.id.key, stat.size) for stat in page.objects] == [("file", len(BODY)), ("to-file", len(BODY))]
    assert page.prefixes == ["dir/", "to-dir/"]
    assert [text.partition(":")[0] for text in page.unshowable] == ["'pipe'", "'to-nowhere'"]
    assert read(store, page.objects[1].id, 0, 7) == BODY[:7]
    assert keys(listed(store, "to-dir/")[0]) == ["to-dir/x"]


def test_a_url_of_one_file_shows_that_file(tmp_path: Path) -> None:
    (tmp_path / "image.nii").write_bytes(BODY)
    (tmp_path / "other.nii").write_bytes(b"1")
    with file_server(tmp_path) as url:
        for store in (fsspec_store(f"file://{tmp_path}/image.nii"), http_store(f"{url}/image.nii")):
            (stat,), prefixes = listed(store, "")
            assert (stat.id.key, stat.size, prefixes) == ("image.nii", len(BODY), [])
            assert read(store, stat.id, 1, 2, 3) == BODY[1:6]
            assert store.head("image.nii", deadline=soon()) == stat
            assert listed(store, "image.nii/") == ([], [])
            with pytest.raises(NotFound):
                store.head("other.nii", deadline=soon())
            store.close()


def test_a_file_appended_to_in_place_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0123456789")
    store = fsspec_store(f"file://{tmp_path}")
    (stat,), _ = listed(store, "")
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(Changed):
        read(store, stat.id, 0, 5)


def test_paths_cannot_leave_the_url(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").write_bytes(b"1")
    store = fsspec_store(f"file://{tmp_path}/in")
    for key in ("../out", "./../out", "x/../../out", "/out", ""):
        with pytest.raises(NotFound):
            store.head(key, deadline=soon())
        with pytest.raises(NotFound):
            read(store, ObjectId(store.source, key, "t"), 0, 1)
    assert listed(store, "../") == ([], [])


def test_a_directory_that_is_not_there() -> None:
    with pytest.raises(NotFound):
        first_name(fsspec_store("file:///no/such/place"))
    with pytest.raises(Unreachable):
        first_name(http_store(f"http://127.0.0.1:{free_port()}/"))


@pytest.mark.parametrize("url", ["nosuchprotocol://x/y", "ipns://needs/something/else"])
def test_a_url_that_nothing_takes_is_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match=url):
        fsspec_store(url)


def test_cannot_list_flat(tmp_path: Path) -> None:
    store = fsspec_store(f"file://{tmp_path}")
    assert not store.flat
    with pytest.raises(StoreError):
        store.list_page("", delimiter="", deadline=soon())


def test_links_of_a_page_are_the_names_below_it() -> None:
    from mountnd.stores.directory.http_backend import links

    page = b"""
        <a href="a.nii">a</a> <A HREF='b%20c.nii'>b</A> <a href=sub/>sub</a> <a href="./d">d</a> <a name="x">no</a>
        <a href="http://host/data/e&amp;f">e</a> <a href="/data/g">g</a> <a href="//host/data/h">h</a>
        <a href="../up">up</a> <a href="/elsewhere">x</a> <a href="http://other/data/i">x</a> <a href="j?k=1">x</a>
        <a href="sub/deeper">x</a> <a href="#l">x</a> <a href="mailto:a@b">x</a> <a href="">x</a> <a href="m%2Fn">x</a>
        <a href="http://[bad">x</a> <img src="p.png"> <a href="a.nii">again</a>
    """
    assert links("http://host/data/", page) == {"a.nii", "b c.nii", "sub/", "d", "e&f", "g", "h"}
    assert links("http://host/data/index.html", b'<a href="a">') == {"a"}


def test_sizes_come_from_a_byte_where_head_does_not_tell() -> None:
    page = b'<a href="chunked">1</a><a href="refuses">2</a><a href="endless">3</a><a href="empty">4</a>'
    one = {"Content-Range": "bytes 0-0/1234", "Content-Length": "1", "ETag": '"t"'}
    with scripted_server(
        {
            "GET /": Answer(200, {"Content-Length": str(len(page))}, page),
            "HEAD /chunked": Answer(200, {"ETag": '"t"', "Connection": "close"}, then="close"),
            "GET /chunked": Answer(206, one, b"x"),
            "HEAD /refuses": Answer(405, {"Content-Length": "0"}),
            "GET /refuses": Answer(206, one, b"x"),
            "HEAD /endless": Answer(200, {"Connection": "close"}, then="close"),
            "GET /endless": Answer(200, {"Connection": "close"}, b"x" * 100, then="close"),
            "HEAD /empty": Answer(403, {"Content-Length": "0"}),
            "GET /empty": [
                Answer(416, {"Content-Range": "bytes */0", "Content-Length": "0"}),
                Answer(200, {"Content-Length": "0"}),
            ],
        }
    ) as server:
        store = http_store(f"{server.url}/")
        found = store.list_page("", deadline=soon())
        assert [(stat.id.key, stat.size) for stat in found.objects] == [
            ("chunked", 1234), ("empty", 0), ("refuses", 1234),
        ]  # fmt: skip
        assert len(found.unshowable) == 1
        assert "endless" in found.unshowable[0]
        store.close()


def test_without_an_etag_size_and_time_are_compared_in_every_answer() -> None:
    def answer(when: str, total: int) -> Answer:
        headers = {"Last-Modified": when, "Content-Range": f"bytes 2-3/{total}", "Content-Length": "2"}
        return Answer(206, headers, b"cd")

    old, new = "Mon, 12 Oct 2009 17:50:00 GMT", "Mon, 12 Oct 2009 17:50:01 GMT"
    with scripted_server(
        {
            "HEAD /k": Answer(200, {"Last-Modified": old, "Content-Length": "6"}),
            "GET /k": [answer(old, 6), answer(new, 6), answer(old, 7)],
        }
    ) as server:
        store = http_store(f"{server.url}/k")
        stat = store.head("k", deadline=soon())
        assert read(store, stat.id, 2, 2) == b"cd"
        for _ in range(2):
            with pytest.raises(Changed):
                read(store, stat.id, 2, 2)
        assert all("if-match" not in headers for _, _, headers in server.log())
        store.close()
