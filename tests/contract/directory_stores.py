"""Directory stores as `assembly` makes them, and files for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mountnd.stores.base import Store
from mountnd.stores.directory.fsspec_backend import FsspecBackend
from mountnd.stores.directory.http_backend import HttpBackend
from mountnd.stores.directory.store import DirectoryStore


def http_store(url: str) -> DirectoryStore:
    """A page of links where the URL ends in a slash, else one file."""
    return DirectoryStore(HttpBackend(url))


def fsspec_store(url: str, **options: Any) -> DirectoryStore:
    """Any other URL."""
    return DirectoryStore(FsspecBackend(url, options))


class DirectoryWorld:
    """Files on the local disk, however they are reached."""

    def __init__(self, directory: Path, store: Store) -> None:
        self.directory, self.store = directory, store

    def put(self, key: str, body: bytes) -> None:
        """Replaced as a careful writer does it: a new file under the old name."""
        path = self.directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_bytes(body)
        new.rename(path)

    def delete(self, key: str) -> None:
        (self.directory / key).unlink()
