"""Opening a mount's sources: wired up, and asked whether they can be read.

What every door to the tree begins with: the kernel's (`serve`), and that of Python programs (`api`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from .assembly import Mount, build
from .cache_directory import kept_in
from .config.options import MountConfig, SourceConfig
from .errors import Forbidden, MountError, TimedOut, Unreachable
from .offline import as_known_object, cached
from .probing import list_root, look, probe_seconds
from .stores.base import Deadline, Store

log = logging.getLogger(__name__)

# Codes of refusals that may be of this listing only; others are of the credentials.
NOT_LISTED = ("AccessDenied", "403")


def opened(config: MountConfig, wire_up: Callable[[MountConfig], Mount] = build) -> tuple[MountConfig, Mount]:
    """Wire the mount up and probe its sources: the mount, and the configuration as it turned out to be.

    A source whose URL is the key of an object becomes one that shows this object. Raises what the probes raise, within
    `config.timeout` for all of them.
    """
    mount = wire_up(config)
    try:
        mount.load_libraries()
        deadline = Deadline(probe_seconds(config.timeout))  # from here on, as it is for the network
        sources = tuple(_probed(source, mount, config, deadline) for source in config.sources)
        if sources != config.sources:
            mount.close()
            before, config = config.sources, replace(config, sources=sources)
            mount = wire_up(config)
            for source, was in zip(sources, before, strict=True):
                if source == was:
                    _probed(source, mount, config, deadline)
        if config.offline:
            _tell_cached(mount, config)
    except BaseException:
        mount.close()
        raise
    return config, mount


def _probed(source: SourceConfig, mount: Mount, config: MountConfig, deadline: Deadline) -> SourceConfig:
    """The source, or the one object that it names. What a person should know is logged: it goes to the terminal."""
    store, catalogue = mount.stores[source.name], mount.catalogues[source.name]
    if store.knows_names:
        return source
    if config.offline:
        return source if catalogue.is_kept() else as_known_object(source, config) or source
    if not source.probe:
        log.warning("%s: not asked whether it can be listed (--no-probe)", store.url)
        return source
    try:
        found = look(
            store, deadline, lambda: catalogue.prime_root(lambda limit: list_root(store, deadline, limit=limit))
        )
    except Forbidden as error:
        raise _advised(error, store) from error
    except (Unreachable, TimedOut) as error:
        if not catalogue.out_of_reach(error):
            if (single := as_known_object(source, config)) is not None:
                return single
            raise
        log.warning("%s. Its names are known from an earlier mount: what is cached can be read, the rest cannot", error)
        return source
    if found.warning:
        log.warning("%s", found.warning)
    return replace(source, one_object=True) if found.kind == "object" else source


def _tell_cached(mount: Mount, config: MountConfig) -> None:
    """Say what is there without a network. Raises MountError where it is nothing."""
    found = [(mount.stores[source.name].url, cached(mount, config, source.name)) for source in config.sources]
    if any(held.names or held.bytes for _, held in found):
        for url, held in found:
            log.warning("%s: offline: %s", url, held)  # until it is mounted, warnings go to the terminal
    else:
        urls = ", ".join(url for url, _ in found)
        where = f" in {place}" if (place := kept_in(config)) is not None else ""
        raise MountError(
            f"{urls}: nothing is cached{where}, so there is nothing to show offline. Mount it once without --offline, "
            "and read what is needed"
        )


def _advised(error: Forbidden, store: Store) -> Forbidden:
    """A refused listing, with what may be mounted instead."""
    if type(error) is not Forbidden or error.code not in NOT_LISTED or not store.url.startswith("s3://"):
        return error
    prefix = f"{store.url.rstrip('/')}/PREFIX"
    return Forbidden(
        f"{error}. Where only a prefix may be listed, mount that: {prefix}; to mount it unlisted: --no-probe",
        code=error.code,
    )
