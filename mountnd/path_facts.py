"""What a running mount can tell of one path: the facts of the tree, of the source, and what a read would do now."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from .assembly import Mount
from .config.options import MountConfig
from .config.parsers import split_bucket
from .errors import MountndError, NotFound
from .report.next_read import next_read
from .stores.base import ObjectId, Store

# All keys of `mountnd explain --json` but those that the verb adds; they stand in help/reports.md.
KEYS = (
    "kind", "why", "asking_failed", "source", "url", "bucket", "region", "keys", "offline", "out_of_reach", "timeout",
    "via", "key", "names", "not_shown", "entries", "listing", "listing_refused", "hidden", "etag", "version", "size",
    "storage_class", "modified", "unreadable", "cached", "shared_cache", "open", "replaced", "gone", "last_failure",
    "last_failure_of_source", "next_read",
)  # fmt: skip


def explain(mount: Mount, config: MountConfig, path: bytes, *, ask: bool = False) -> dict[str, Any]:
    """The facts of a path from the mount's root, under all of `KEYS`; None where one is unknown or means nothing.

    Args:
        ask: look the name up first, as a program would; else nothing is asked, and nothing changes.
    """
    names = [name for name in path.split(b"/") if name]
    told: dict[str, Any] = {}
    absent: NotFound | None = None
    if ask:
        try:
            mount.vfs.resolve(b"/" + b"/".join(names) if names else b"")
        except NotFound as e:
            absent = e
        except MountndError as e:
            told["asking_failed"] = str(e)
    catalogue, facts = mount.vfs.explain(names)
    if absent is not None and facts["kind"] == "unknown":  # where a directory may not be listed that is not remembered
        facts |= {"kind": "absent", "why": str(absent)}
    told |= {"offline": config.offline, "timeout": config.timeout, "shared_cache": mount.shared_cache()}
    for name, one in mount.catalogues.items():
        if one is catalogue:
            store, outage = mount.stores[name], one.outage()
            if store.knows_names and facts["kind"] == "unknown" and not ask:
                return explain(mount, config, path, ask=True)  # nobody has to be asked
            told |= {
                "source": name,
                "url": store.url,
                "bucket": _bucket(store.url),
                "region": store.region or None,
                "keys": store.keys or None,
                "out_of_reach": None if outage is None else str(outage),
                "via": _via(store),
            }
            if facts["kind"] == "file":  # a lockfile may show it under another key, a view with another ETag
                shown = ObjectId(store.source, facts["key"], facts["etag"], facts["version"] or "", facts["size"])
                own = store.provider_id(shown)
                facts |= {"key": own.key, "etag": own.etag}
            if store.knows_names:
                for known in (facts.get("names"), facts.get("listing")):
                    if known and known["told_by"]:
                        known["told_by"] = "lockfile"
    told = {**dict.fromkeys(KEYS), **told, **facts}
    told["next_read"] = {**(told["next_read"] or {}), **next_read(told)._asdict()}
    return told


def _via(store: Store) -> dict[str, Any] | None:
    """The caching proxies that are asked first, and those of them that are left out just now."""
    if (use := store.via) is None:
        return None
    out = [one["url"] for one in store.via_counts() if one["left_out"]]
    return {"nodes": list(use.nodes), "left_out": out, "passed_by": use.passed_by or None}


def _bucket(url: str) -> str | None:
    """The bucket of a URL, None for one that has none."""
    scheme = urlsplit(url).scheme
    return split_bucket(url.partition("://")[2])[0] if scheme in ("s3", "gs", "gcs") else None
