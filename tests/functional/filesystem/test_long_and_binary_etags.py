"""ETags that no server should send, on the whole way of a listing and a read: the vfs with its caches, over the web."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd import assembly
from mountnd.config.options import MountConfig, SourceConfig
from tests.support.doors import VfsDoor, read
from tests.support.servers import Answer, scripted_server

BODY = bytes(range(200))


@pytest.mark.parametrize("etag", ["a\0b", "\0", "e" * 65_000], ids=["NUL in it", "NUL", "64 KiB"])
def test_a_file_is_read_whatever_its_etag_is(tmp_path: Path, etag: str) -> None:
    headers = {"ETag": f'"{etag}"', "Last-Modified": "Sun, 13 Sep 2020 12:26:40 GMT", "Content-Length": str(len(BODY))}
    part = {"Content-Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}"}
    with scripted_server({"HEAD *": Answer(200, headers), "GET *": Answer(206, headers | part, BODY)}) as server:
        source = SourceConfig(name="web", url=f"{server.url}/k", anonymous=True)
        mount = assembly.build(
            MountConfig(mountpoint=tmp_path / "nowhere", sources=(source,), cache_dir=tmp_path / "cache", timeout=20)
        )
        try:
            door = VfsDoor(mount)
            assert door.listdir() == {b"k"}
            assert read(door, "k") == BODY
        finally:
            mount.close()
