"""Odd keys, from the server to the program: help/names.md, line by line."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.errors import NotFound
from tests.support import tree
from tests.support.children import run_program
from tests.support.doors import KINDS, Door, Fresh, KernelDoor, errno_from, open_door, read, walk
from tests.support.servers import s3_client, weed_server

LONGEST = b"m" * 255

# Keys shown as they are: path to content.
SHOWN: dict[bytes, bytes] = {
    path: b"content of " + path
    for path in [
        b"plain",
        b".hidden/.file",
        b".bidsignore",
        b"space/ lead",
        b"space/trail ",
        b"space/two  of them",
        b"signs/a+b,c#d:e?f=g&h",
        b"signs/%2F%41",
        b"signs/*",
        b"signs/back\\slash",
        b"signs/quote'\"",
        b"signs/<&>",
        b"signs/-rf",
        b"signs/~",
        b"signs/$HOME",
        b"signs/@(;!)",
        "letters/é".encode(),  # composed
        "letters/e\u0301".encode(),  # and decomposed: another name
        "letters/ß".encode(),
        "letters/脳.nii".encode(),
        "letters/🧠.nii".encode(),
        b"letters/\xef\xbb\xbfbom",
        b"control/tab\there",
        b"control/escape\x1b[31m",
        b"control/\x01",
        b"control/return\rhere",
        b"control/\x7f",
        b"case/name",
        b"case/NAME",
        b"long/" + LONGEST,
        b"dots/...",
        b"dots/.a",
        b"dots/a.",
        b"both/inside",
        b"bytes/inside",
        b"neighbour",
        b"neighbour.txt",
        b"neighbours/inside",
        b"d" * 100 + b"/" + b"e" * 100 + b"/" + b"f" * 100 + b"/g",
    ]
}
# Keys that no path can name, and what is shown in their stead.
HIDDEN = [
    b"both",  # the directory wins
    b"bytes/",  # the directory is shown, its bytes are not
    b"/lead",
    b"empty//component",
    b"empty//",
    b"here/./inside",
    b"up/../inside",
    b"too/" + b"n" * 256,
    b"n" * 256 + b"/inside",
    b"nul/a\x00b",
]


@pytest.fixture(scope="module")
def odd(server: str) -> tree.Bucket:
    bucket = tree.Bucket(server, "odd")
    for key, body in {**SHOWN, **dict.fromkeys(HIDDEN, b"hidden")}.items():
        bucket.put(key, body)
    return bucket


@pytest.fixture(scope="module", params=KINDS)
def names(request: pytest.FixtureRequest, odd: tree.Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(request.param, tmp_path_factory.mktemp("odd"), odd.url, f"s3://{odd.name}") as door:
        yield door


def test_the_tree_is_exactly_what_can_be_shown(names: Door) -> None:
    files = {path for path, row in walk(names) if not row.is_dir}
    assert files == set(SHOWN)


@pytest.mark.parametrize("path", SHOWN, ids=ascii)
def test_a_key_is_shown_under_its_own_name(names: Door, path: bytes) -> None:
    assert names.stat(path).size == len(SHOWN[path])
    assert read(names, path) == SHOWN[path]


@pytest.mark.parametrize("path", SHOWN, ids=ascii)
def test_a_key_is_found_without_any_listing(tmp_path: Path, odd: tree.Bucket, path: bytes) -> None:
    with open_door("vfs", tmp_path, odd.url, f"s3://{odd.name}") as door:
        assert read(door, path) == SHOWN[path]


@pytest.mark.parametrize("key", HIDDEN, ids=ascii)
def test_a_hidden_key_cannot_be_looked_up(tmp_path: Path, odd: tree.Bucket, key: bytes) -> None:
    """Neither under its own name nor as what a path would make of it."""
    with open_door("vfs", tmp_path, odd.url, f"s3://{odd.name}") as door:
        inode = door.vfs.root  # type: ignore[attr-defined]
        found: bytes | None = b""
        for name in key.split(b"/"):
            try:
                inode = door.vfs.lookup(inode, name)  # type: ignore[attr-defined]
            except NotFound:
                found = None
                break
        assert found is None or inode.is_dir


def test_a_directory_of_hidden_keys_only_is_shown_empty(names: Door) -> None:
    """No key disappears without a trace: its directory is shown, and empty."""
    for path in (b"here", b"up", b"too", b"empty", b"nul"):
        assert names.stat(path).is_dir, path
        assert names.listdir(path) == set(), path


def test_a_directory_wins_over_a_file(names: Door) -> None:
    assert names.stat("both").is_dir
    assert names.listdir("both") == {b"inside"}
    assert errno_from(read, names, "both") == errno.EISDIR


def test_a_marker_with_bytes_is_a_directory(names: Door) -> None:
    assert names.stat("bytes").is_dir
    assert names.listdir("bytes") == {b"inside"}


def test_names_keep_their_case_and_composition(names: Door) -> None:
    assert errno_from(names.stat, "Plain") == errno.ENOENT
    assert errno_from(names.stat, "case/Name") == errno.ENOENT
    assert names.stat("case/name").ino != names.stat("case/NAME").ino
    assert len(names.listdir("letters")) == len([p for p in SHOWN if p.startswith(b"letters/")])


def test_a_prefix_of_a_name_is_not_found(names: Door) -> None:
    for path in ("neighbou", "neighbour.tx", "long/m", "dots/.."[:5] + "b"):
        assert errno_from(names.stat, path) == errno.ENOENT, path


@pytest.mark.kernel
class TestThroughTheKernel:
    @pytest.fixture
    def mount(self, fresh_kernel: Fresh, odd: tree.Bucket) -> KernelDoor:
        door = fresh_kernel(odd.url, f"s3://{odd.name}")
        assert isinstance(door, KernelDoor)
        return door

    def test_hidden_keys_are_logged_once_a_directory(self, mount: KernelDoor, odd: tree.Bucket) -> None:
        for _ in range(3):
            list(walk(mount))
        log = mount.mount.log
        lines = [line for line in log.splitlines() if "not shown" in line]
        for where in ("", "bytes/", "here/", "up/", "too/", "empty/", "nul/"):
            assert len([line for line in lines if f"s3://{odd.name}/{where}'" in line]) == 1, (where, log)
        assert len(lines) == 7
        assert "Traceback" not in log

    def test_find_shows_exactly_the_keys(self, mount: KernelDoor) -> None:
        out = run_program(["find", ".", "-type", "f", "-print0"], cwd=os.fsdecode(mount.root))
        found = {os.fsencode(path).removeprefix(b"./") for path in out.split("\0") if path}
        assert found == set(SHOWN)

    def test_dot_and_dot_dot_are_resolved_by_the_kernel(self, mount: KernelDoor) -> None:
        assert os.stat(mount.path("here/.")).st_ino == os.stat(mount.path("here")).st_ino
        assert os.stat(mount.path("up/..")).st_ino == os.stat(mount.path()).st_ino


@pytest.mark.parametrize("kind", KINDS)
def test_a_newline_in_a_name(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """moto takes no such key; SeaweedFS does."""
    path = "control/new\nline"
    with weed_server() as url:
        client = s3_client(url)
        client.create_bucket(Bucket="odd")
        client.put_object(Bucket="odd", Key=path, Body=b"newline")
        client.put_object(Bucket="odd", Key="control/beside", Body=b"beside")
        with open_door(kind, tmp_path_factory.mktemp("newline"), url, "s3://odd") as door:
            assert door.listdir("control") == {b"new\nline", b"beside"}
            assert read(door, path) == b"newline"
