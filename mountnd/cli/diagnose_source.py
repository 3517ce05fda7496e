"""What `mountnd doctor SOURCE` finds out: can it be reached and listed, how is it signed, which keys are hidden."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..config.options import SourceConfig
from ..config.presets import Preset
from ..daemon.host import Finding
from ..errors import StoreError
from ..stores.base import Deadline, Store
from .remedies import suggest_fix

# `--keys` looks into so many directories below its prefix; a whole archive would take hours and cost money.
DIRECTORIES_MAX = 1000

_KINDS = {"listing": "can be listed", "object": "is one object"}


def diagnose_source(
    source: SourceConfig, preset: Preset | None, seconds: float, cache_dir: Path | None = None
) -> Iterator[Finding]:
    """Findings about one source; lists one page of it, for at most `seconds`.

    Args:
        cache_dir: where mounts have kept what they learnt of its server.
    """
    from ..assembly import open_store
    from ..cache_directory import names_dir_of
    from ..probing import list_root, look

    yield Finding("ok", f"{source.name} is {source.url or f'the signed links in {source.urls}'}{_at(source)}")
    try:
        store = open_store(source, state_dir=names_dir_of(cache_dir) if cache_dir is not None else None)
    except StoreError as e:
        yield Finding("bad", str(e), suggest_fix(e, source, preset))
        return
    deadline = Deadline(seconds)
    try:
        found = look(store, deadline, lambda: list_root(store, deadline, limit=1000 if store.flat else 1))
        if source.lockfile is not None:
            yield Finding("ok", f"{source.lockfile} says which objects there are: the source is not listed")
        elif found.kind != "empty":
            yield Finding("ok", f"{store.url} {_KINDS[found.kind]}")
        if found.warning:
            yield Finding("warn", found.warning)
        elif found.was_read:
            yield Finding("ok", "its objects can be read")
        yield from _access(store, source)
        if store.exposure:
            yield Finding("warn", store.exposure)
        yield from _versions(store, deadline)
    except StoreError as e:
        if store.keys:
            yield Finding("ok", f"requests are signed with {store.keys}")
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
    elif store.keys:
        yield Finding("ok", f"requests are signed with {store.keys}")


def _versions(store: Store, deadline: Deadline) -> Iterator[Finding]:
    """Whether the server's ETags tell versions apart, as far as a page of keys and what mounts have learnt says."""
    if store.flat:
        with suppress(StoreError):  # a policy may forbid it
            store.list_page(store.root, delimiter="", deadline=deadline)
    for remark in store.remarks:
        yield Finding("warn", f"{store.url}: {remark}")


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
