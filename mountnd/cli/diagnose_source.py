"""What `mountnd doctor SOURCE` finds out: can it be reached and listed, how is it signed, which keys are hidden."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..config.options import SourceConfig
from ..config.presets import Preset
from ..daemon.host import Finding
from ..errors import Forbidden, LinkExpired, NoCredentials, NoSuchBucket, NotFound, StoreError, Unreachable, WrongRegion
from ..foreign_text import as_region
from ..stores.base import Deadline, Store

# `--keys` looks into so many directories below its prefix; a whole archive would take hours and cost money.
DIRECTORIES_MAX = 1000


def diagnose_source(
    source: SourceConfig, preset: Preset | None, seconds: float, cache_dir: Path | None = None
) -> Iterator[Finding]:
    """Findings about one source; lists one page of it, for at most `seconds`.

    Args:
        cache_dir: where mounts have kept what they learnt of its server.
    """
    from ..assembly import names_dir_of, open_store
    from ..probing import check_readable, is_object, list_root, nothing_there

    yield Finding("ok", f"{source.name} is {source.url or f'the signed links in {source.urls}'}{_at(source)}")
    try:
        store = open_store(source, state_dir=names_dir_of(cache_dir) if cache_dir is not None else None)
    except StoreError as e:
        yield Finding("bad", str(e), suggest_fix(e, source, preset))
        return
    try:
        page = list_root(store, seconds, limit=1000 if store.flat else 1)
        if page.objects or page.prefixes or page.unshowable or page.token is not None:
            yield Finding("ok", f"{store.url} can be listed")
        elif is_object(store, seconds):
            yield Finding("ok", f"{store.url} is one object")
        elif store.root:
            raise nothing_there(store, seconds)
        else:
            yield Finding("warn", f"{store.url} is empty")
        if warning := check_readable(store, page.objects, seconds):
            yield Finding("warn", warning)
        elif page.objects:
            yield Finding("ok", "its objects can be read")
        yield from _access(store, source)
        if store.exposure:
            yield Finding("warn", store.exposure)
        yield from _versions(store, seconds)
    except StoreError as e:
        yield Finding("bad", str(e), suggest_fix(e, source, preset))
    finally:
        store.close()


def _at(source: SourceConfig) -> str:
    region = f", region {source.region}" if source.region else ""
    return f" at {source.endpoint_url}{region}" if source.endpoint_url else region


def _access(store: Store, source: SourceConfig) -> Iterator[Finding]:
    """How requests are signed, and the region when it was detected from the bucket."""
    if store.region and not source.region:
        yield Finding("ok", f"the bucket is in region {store.region}")
    if source.anonymous:
        yield Finding("ok", "requests are not signed")
    elif store.notice:
        yield Finding("ok", store.notice)
    elif source.profile:
        yield Finding("ok", f"requests are signed with profile {source.profile}")
    elif source.url.startswith("s3://"):
        yield Finding("ok", "requests are signed with the credentials of the default AWS credential chain")


def _versions(store: Store, seconds: float) -> Iterator[Finding]:
    """Whether the server's ETags tell versions apart, as far as a page of keys and what mounts have learnt says."""
    if store.flat:
        with suppress(StoreError):  # a policy may forbid it
            store.list_page(store.root, delimiter="", deadline=Deadline(seconds))
    for remark in store.remarks:
        yield Finding("warn", f"{store.url}: {remark}")


def suggest_fix(error: StoreError, source: SourceConfig, preset: Preset | None) -> str:
    """What to do about an error of a source, as a command where there is one. Pure."""
    if isinstance(error, LinkExpired):
        return "ask the data's owner for new links, and pass the file with --urls FILE"
    if isinstance(error, Forbidden) and preset is not None and preset.keys:
        return preset.keys
    if isinstance(error, NoCredentials):
        profile = f" --profile {shlex.quote(source.profile)}" if source.profile else ""
        return f"aws configure{profile}   (or, for a public bucket: --anonymous)"
    if isinstance(error, Forbidden):
        if source.anonymous:
            return "use keys that may list it: --profile NAME"
        prefix = "; where only a prefix may be listed: s3://BUCKET/PREFIX" if source.url.startswith("s3://") else ""
        return f"use other keys: --profile NAME   (for a public bucket: --anonymous{prefix})"
    if isinstance(error, WrongRegion):
        region = as_region(error.region)
        return f"--region {shlex.quote(region)}" if region else "--region with the region that the bucket is in"
    if isinstance(error, NoSuchBucket):
        return "check the bucket's name, and --endpoint-url when it is not on AWS"
    if isinstance(error, NotFound):
        return "check the URL"
    if isinstance(error, Unreachable):
        return f"curl -I {shlex.quote(source.endpoint_url or 'https://s3.amazonaws.com')}"
    return "try again; --debug shows the requests" if error.transient else ""


def hidden_keys(source: SourceConfig, prefix: str, seconds: float) -> tuple[list[tuple[str, str]], bool]:
    """Keys below a directory of the tree that are not shown under their own name, each with the reason.

    Args:
        prefix: path in the source's tree, "" for all of it.
        seconds: for one listing.

    Returns:
        (key, reason) pairs, and whether everything was looked at: it stops after DIRECTORIES_MAX directories.

    Raises:
        StoreError: no such directory, or it cannot be listed.
    """
    from ..assembly import open_catalogue

    catalogue = open_catalogue(source, timeout=seconds)
    try:
        entry = catalogue.root
        for name in prefix.encode(errors="surrogateescape").split(b"/"):
            if name:
                entry = catalogue.lookup(entry, name)
        queue, found, seen = deque([entry]), [], 0
        while queue and seen < DIRECTORIES_MAX:
            scan = catalogue.scan(queue.popleft())
            seen += 1
            try:
                queue.extend(below for below, _ in scan.read(0) if below.is_dir)
                found += [(hidden.key, hidden.reason) for hidden in scan.hidden()]
            finally:
                scan.close()
        return found, not queue
    finally:
        catalogue.close()
