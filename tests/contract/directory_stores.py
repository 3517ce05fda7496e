"""Directory stores as `assembly` makes them."""

from __future__ import annotations

from typing import Any

from mountnd.stores.directory.fsspec_backend import FsspecBackend
from mountnd.stores.directory.http_backend import HttpBackend
from mountnd.stores.directory.store import DirectoryStore


def http_store(url: str) -> DirectoryStore:
    """A page of links where the URL ends in a slash, else one file."""
    return DirectoryStore(HttpBackend(url))


def fsspec_store(url: str, **options: Any) -> DirectoryStore:
    """Any other URL."""
    return DirectoryStore(FsspecBackend(url, options))
