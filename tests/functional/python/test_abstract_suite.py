"""fsspec's own tests of file systems, those of reading. What they write goes past the file system, which does not."""

from __future__ import annotations

from typing import Any

import pytest
from fsspec.tests.abstract import AbstractFixtures, AbstractGetTests

from mountnd.api.filesystem import MountndFileSystem
from tests.support.tree import Bucket

from .conftest import options


class FilledFromOutside(MountndFileSystem):
    """With the methods by which the suite makes its files, and removes them, in the bucket."""

    bucket: Bucket

    def touch(self, path: str, **_: object) -> None:
        self.bucket.put(path, b"")

    def pipe(self, path: str, value: bytes, **_: object) -> None:
        self.bucket.put(path, value)

    def mkdir(self, path: str, **_: object) -> None:
        """There are none in a bucket."""

    makedirs = mkdir

    def rm(self, path: str, recursive: bool = False, **_: object) -> None:
        for key in self.find(path):
            self.bucket.delete(key)


class Fixtures(AbstractFixtures):
    @pytest.fixture
    def fs(self, bucket: Bucket, tmp_path: Any) -> MountndFileSystem:
        given = options(bucket.url, tmp_path / "cache", source=f"s3://{bucket.name}", ttl=0)
        fs = FilledFromOutside(**given, skip_instance_cache=True)
        fs.bucket = bucket
        return fs

    @pytest.fixture
    def fs_join(self) -> Any:
        return lambda *parts: "/".join(parts)

    @pytest.fixture
    def fs_path(self) -> str:
        return "test"

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


class TestGet(Fixtures, AbstractGetTests):
    """All of them."""


class TestOpen(Fixtures):
    """The suite's only test of `open` writes first, which is refused here."""

    @pytest.mark.parametrize("mode", ["wb", "xb", "ab"])
    def test_open_for_writing(self, fs: MountndFileSystem, fs_target: str, mode: str) -> None:
        with pytest.raises(OSError, match="Read-only file system"):
            fs.open(fs_target, mode)
