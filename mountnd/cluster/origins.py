"""Which buckets a cache may serve: public ones on S3, read unsigned; and where they are."""

from __future__ import annotations

from dataclasses import replace

from ..config.options import SourceConfig
from ..config.presets import Preset
from ..errors import MountError, UsageError
from ..sources import bare_s3
from ..stores.base import Deadline
from ..stores.http.proxy import proxy_for
from ..stores.via.manner import Origin


def public(source: SourceConfig, preset: Preset | None) -> SourceConfig:
    """The source, read unsigned. Raises UsageError for one that is not on S3, or needs keys."""
    label = source.url or source.name
    if not source.url.startswith("s3://"):
        raise UsageError(f"{label} is not on S3: a cache-server serves buckets that are")
    if source.profile or source.anonymous is False or (preset is not None and preset.keys):
        raise UsageError(
            f"{label} is read with keys, and what they are needed for is not shared: anybody could read it"
        )
    return replace(source, anonymous=True, profile=None, via=())


def origin(source: SourceConfig, seconds: float) -> Origin:
    """Where its bucket is; asks for its region where nobody named it. Raises StoreError, and MountError where it is
    reached through a proxy only."""
    store = bare_s3(source)
    try:
        store.load_libraries()
        found = store.origin(Deadline(seconds))
    finally:
        store.close()
    if proxy := proxy_for(found.url):
        raise MountError(
            f"{source.url} is reached through the proxy {proxy} here, which nginx cannot use: run the cache-server "
            "where it is reached directly, or list its host in NO_PROXY"
        )
    return found
