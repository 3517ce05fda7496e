"""`mountnd SOURCE DIR` says "ready" when the tree can be read, and says what is wrong when it cannot."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.cli import mountpoint, run_mountnd
from tests.support.quirky import Quirky, quirky_server, thing
from tests.support.servers import dandi_server

FILES = {"ds000001/sub-01/a.nii": b"a" * 100, "ds000002/b": b"b", "ds000003/b": b"b", "top.txt": b"top" * 100_000}


@pytest.fixture(scope="module")
def server() -> Iterator[Quirky]:
    with quirky_server() as server:
        yield server


def mount(server: Quirky, source: str, where: Path, *more: str) -> CompletedProcess[str]:
    flags = ["--endpoint-url", server.url, "--region", "us-east-1", "--anonymous", "--cache-dir", f"{where}.cache"]
    return run_mountnd(source, where, *flags, *more)


def test_one_get_of_one_byte_at_most(server: Quirky, tmp_path: Path) -> None:
    server.hold(FILES)
    with mountpoint(tmp_path / "mnt") as where:
        done = mount(server, "s3://bkt", where)
        assert done.returncode == 0, done.stderr
        asked = [request.target for request in server.log()]
        assert len([target for target in asked if "list-type" in target]) == 1
        gets = [request for request in server.log() if "top.txt" in request.target]
        assert [request.headers["range"] for request in gets] == ["bytes=299999-299999"]


def test_a_top_of_directories_costs_no_get(server: Quirky, tmp_path: Path) -> None:
    server.hold({key: body for key, body in FILES.items() if "/" in key})
    with mountpoint(tmp_path / "mnt") as where:
        assert mount(server, "s3://bkt", where).returncode == 0
        assert all("list-type" in request.target for request in server.log())


def test_a_key_is_shown_as_a_directory_with_that_file(server: Quirky, tmp_path: Path) -> None:
    server.hold(FILES)
    for key in ("ds000001/sub-01/a.nii", "top.txt"):
        with mountpoint(tmp_path / "mnt") as where:
            done = mount(server, f"s3://bkt/{key}", where)
            assert done.returncode == 0, done.stderr
            name = key.rpartition("/")[2]
            assert [path.name for path in where.iterdir()] == [name]
            assert (where / name).read_bytes() == FILES[key]
            assert not (where / "ds000002").exists()


def test_the_listing_of_one_key_is_not_that_of_its_directory(server: Quirky, tmp_path: Path) -> None:
    server.hold(FILES)
    with mountpoint(tmp_path / "mnt") as where:
        assert mount(server, "s3://bkt/top.txt", where).returncode == 0
        assert len(list(where.iterdir())) == 1
    with mountpoint(tmp_path / "mnt") as where:  # with the same cache
        assert mount(server, "s3://bkt", where).returncode == 0
        assert len(list(where.iterdir())) == 4


def test_a_key_that_may_be_read_where_nothing_may_be_listed(server: Quirky, tmp_path: Path) -> None:
    server.hold(FILES, list_rules=[])
    with mountpoint(tmp_path / "mnt") as where:
        done = mount(server, "s3://bkt/top.txt", where)
        assert done.returncode == 0, done.stderr
        assert (where / "top.txt").read_bytes() == FILES["top.txt"]


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("ds000004", "did you mean ds000003 or ds000002"),
        ("ds000001/sub-02", "did you mean sub-01?"),
        ("DS000001", "did you mean ds000001?"),
        ("elsewhere", "keys are case-sensitive"),
    ],
)
def test_a_prefix_with_nothing_below_it(server: Quirky, tmp_path: Path, prefix: str, said: str) -> None:
    server.hold(FILES)
    with mountpoint(tmp_path / "mnt") as where:
        done = mount(server, f"s3://bkt/{prefix}", where)
        assert done.returncode == 1
        assert f"s3://bkt/{prefix}: nothing lies below this prefix" in done.stderr
        assert said in done.stderr
        assert done.stderr.count("\n") <= 2, "the error stands alone: no licence, no citation (and a word to root)"
        assert "ready" not in done.stdout + done.stderr
        assert len(server.log()) <= 3, "one listing, one HEAD, one listing for names beside it"


def test_an_empty_bucket_is_said_to_be_empty(server: Quirky, tmp_path: Path) -> None:
    server.hold({})
    with mountpoint(tmp_path / "mnt") as where:
        done = mount(server, "s3://bkt", where)
        assert done.returncode == 0
        assert "s3://bkt is empty" in done.stderr


@pytest.mark.parametrize(
    ("status", "said"),
    [((403, "AccessDenied"), "Permission denied"), ((403, "InvalidObjectState"), "archive")],
)
def test_objects_that_cannot_be_read_are_a_warning(
    server: Quirky, tmp_path: Path, status: tuple[int, str], said: str
) -> None:
    server.hold({"a.nii": thing(b"abc", status=status)})
    with mountpoint(tmp_path / "mnt") as where:
        done = mount(server, "s3://bkt", where)
        assert done.returncode == 0, done.stderr
        assert said in done.stderr and "a.nii" in done.stderr


@pytest.mark.parametrize("source", ["DANDI:000026", "dandi/000026", "https://dandiarchive.org/dandiset/000026/draft"])
def test_a_dandiset_by_its_names(tmp_path: Path, source: str) -> None:
    (tmp_path / "files" / "sub-01").mkdir(parents=True)
    (tmp_path / "files" / "sub-01" / "a.nwb").write_bytes(b"abc")
    with dandi_server(tmp_path / "files") as url, mountpoint(tmp_path / "mnt") as where:
        done = run_mountnd(source, where, "--endpoint-url", f"{url}/api", "--cache-dir", tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        assert (where / "sub-01" / "a.nwb").read_bytes() == b"abc"
        assert [path.name for path in where.rglob("*")] == ["sub-01", "a.nwb"]


class WholeFiles(http.server.SimpleHTTPRequestHandler):
    """Python's own server, which knows no ranges."""

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def plain_web_server(directory: Path) -> Iterator[str]:
    handler = functools.partial(WholeFiles, directory=str(directory))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_web_server_that_knows_no_ranges(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "large.nii").write_bytes(b"x" * 300_000)
    (tmp_path / "web" / "small.txt").write_bytes(b"x" * 300)
    with plain_web_server(tmp_path / "web") as url, mountpoint(tmp_path / "mnt") as where:
        done = run_mountnd(f"{url}/large.nii", where, "--cache-dir", tmp_path / "cache")
        assert (done.returncode, "does not know ranges" in done.stderr) == (1, True), done.stderr
        done = run_mountnd(f"{url}/small.txt", where, "--cache-dir", tmp_path / "cache")
        assert (done.returncode, "does not know ranges" in done.stderr) == (0, True), done.stderr
        assert (where / "small.txt").read_bytes() == b"x" * 300
