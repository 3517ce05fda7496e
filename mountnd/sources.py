"""From the configuration of a source to its store: the only file that names stores and views.

A new store is a new file in `stores/` and a line of `STORES`: a function of the `SourceConfig`. A new view, which is a
store around a store, is a new file and a line of `VIEWS`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .catalog.cache.disk import source_directory
from .config import working_directory
from .config.options import SourceConfig
from .config.parsers import split_bucket
from .parallelism import descriptor_shares
from .private_directory import PrivatePath
from .stores.base import Store
from .stores.notes import FileNotes
from .stores.offline import Offline
from .stores.one_object import OneObject
from .stores.retry import Retrying

if TYPE_CHECKING:
    from .stores.s3 import S3Store

log = logging.getLogger(__name__)


def bare_s3(source: SourceConfig) -> S3Store:
    """The store of a bucket alone, without retries and views: for those who ask where it is."""
    from .stores.s3 import S3Store

    bucket, prefix = split_bucket(source.url.removeprefix("s3://"))
    if source.one_object:
        prefix = prefix[: prefix.rfind("/") + 1]
    return S3Store(
        bucket,
        prefix if not prefix or prefix.endswith("/") else prefix + "/",
        endpoint_url=source.endpoint_url,
        region=source.region,
        profile=source.profile,
        anonymous=source.anonymous,
        requester_pays=source.requester_pays,
        path_style=source.path_style,
        connections=descriptor_shares().bytes,
        via=source.via,
        directory=working_directory.called_in(),
        lists=source.lockfile is None,
    )


def endpoint_of(source: SourceConfig) -> str:
    """The S3 server that a source is read from, also where the AWS environment or files name it; "" for AWS's own."""
    if source.endpoint_url or not source.url.startswith("s3://"):
        return source.endpoint_url or ""
    from .stores.s3.access.aws_files import read_profile
    from .stores.s3.access.identity import configured_endpoint

    return configured_endpoint(read_profile(source.profile), os.environ) or ""


def _open_signed_links(source: SourceConfig) -> Store:
    from .stores.links.store import SignedLinkStore

    assert source.urls is not None
    return SignedLinkStore(source.urls)


def _open_with_fsspec(source: SourceConfig) -> Store:
    from .stores.directory.fsspec_backend import FsspecBackend
    from .stores.directory.store import DirectoryStore

    # gcsfs looks for the user's keys otherwise; the other file systems do not know this option
    gcs = urlsplit(source.url).scheme in ("gs", "gcs")
    asker = "" if source.anonymous or not gcs else f"google={os.environ.get('GOOGLE_APPLICATION_CREDENTIALS', '')}"
    options = {"token": "anon"} if gcs and source.anonymous else {}
    return DirectoryStore(FsspecBackend(source.url, options, asker=asker))


def _open_web(source: SourceConfig) -> Store:
    from .stores.directory.http_backend import HttpBackend
    from .stores.directory.store import DirectoryStore

    return DirectoryStore(HttpBackend(source.url))


def _open_dandi(source: SourceConfig) -> Store:
    from .stores.directory.dandi_backend import open_dandi
    from .stores.directory.store import DirectoryStore

    return DirectoryStore(open_dandi(source.url, source.endpoint_url))


# What opens a source, by the scheme of its URL ("": it has none, but a file of signed links). fsspec opens all others.
# These functions import what they open: most verbs need no store.
STORES: Mapping[str, Callable[[SourceConfig], Store]] = {
    "": _open_signed_links,
    "s3": bare_s3,
    "dandi": _open_dandi,
    "http": _open_web,
    "https": _open_web,
}


# Views: stores around a store that show its objects in another way, innermost first. Each is given the store and its
# source, and returns the store unchanged where the source does not want it.
VIEWS: Sequence[Callable[[Store, SourceConfig], Store]] = [
    lambda store, source: OneObject(store, _prefix(source)) if source.one_object else store,
]


def _prefix(source: SourceConfig) -> str:
    return split_bucket(source.url.removeprefix("s3://"))[1]


def _bare_store(source: SourceConfig) -> Store:
    return STORES.get(urlsplit(source.url).scheme, _open_with_fsspec)(source)


def _locked(store: Store, source: SourceConfig, names: PrivatePath | None) -> Store:
    """`store`, or the objects of the source's lockfile in it."""
    if source.lockfile is None:
        return store
    from .lockfile.table import Table
    from .stores.locked import LockedStore

    return LockedStore(store, Table.load(source.lockfile, names), source.below)


def open_store(
    source: SourceConfig,
    *,
    offline: bool = False,
    state_dir: PrivatePath | None = None,
    views_dir: PrivatePath | None = None,
    memory: int | None = None,
) -> Store:
    """The store of one source with retries, and its views. Raises ConfigError, NoCredentials, ...

    Args:
        offline: it refuses all calls.
        state_dir: where sources keep their names; there it keeps what it learns of its server.
        views_dir: where `--view` keeps what it learns of files.
        memory: bytes that `--view` may take; None for what it takes by itself.
    """
    store = _bare_store(source)
    if state_dir is not None:
        store.remember(FileNotes(source_directory(state_dir, store.source) / "server.json"))
    if offline:
        store = Offline(store)
    else:
        store = Retrying(store, on_retry=lambda error, pause: log.info("%s; again in %.1f s", error, pause))
    store = _locked(store, source, state_dir)
    for view in VIEWS:
        store = view(store, source)
    return _inflated(store, source, views_dir, memory) if source.view else store


def _inflated(store: Store, source: SourceConfig, place: PrivatePath | None, memory: int | None) -> Store:
    """The view that `--view` names, outside all others: those show which objects there are, it what they hold."""
    from .view_files import ViewFiles
    from .views import store as views

    blobs = ViewFiles(place) if place is not None else None
    return views.InflatedStore(
        store, source.view.split(",") if source.view else (), blobs, memory=memory or views.MEMORY
    )
