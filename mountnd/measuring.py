"""Takes the measures of a running mount, for its metrics."""

from __future__ import annotations

from typing import Any

from .assembly import Mount
from .config.options import MountConfig
from .metrics import names
from .metrics.measures import Measures, SourceMeasures


def measure(mount: Mount, config: MountConfig, mounted_at: float) -> Measures:
    """What the mount has done, and what it uses now. `mounted_at`: seconds since the epoch."""
    same: dict[str, list[str]] = {}
    for name, store in mount.stores.items():
        same.setdefault(store.source, []).append(name)  # those of one identity are counted together
    usage = mount.blocks.in_use()
    gauges: dict[str, float | None] = {
        names.OPEN_FILES.name: mount.vfs.count_open_files(),
        names.MEMORY.name: usage.memory,
        names.MEMORY_LIMIT.name: mount.blocks.memory_limit,
        names.DISK_CACHE.name: usage.disk,
        names.SHARED_CACHE.name: usage.shared,
        names.SHARED_USED.name: None if mount.shared is None else int(mount.shared.guard.is_on),
        names.REQUESTS.name: usage.requests,
        names.MOUNTED.name: mounted_at,
    }
    sources = [_of_source(mount, source, called) for source, called in same.items()]
    failures: dict[str, Any] = mount.vfs.failures()["by_reason"]
    return Measures(str(config.mountpoint), mount.stats.own(), sources, failures, gauges)


def _of_source(mount: Mount, source: str, called: list[str]) -> SourceMeasures:
    stats = mount.stats.of(source)
    times, seconds = stats.get_times.snapshot()
    return SourceMeasures(
        names=called,
        urls=[mount.stores[name].url for name in called],
        counters=stats.snapshot(),
        get_times=times,
        get_seconds=seconds,
        latency=mount.blocks.latency(source),
        left_out=_left_out(mount, called),
        reachable=all(mount.catalogues[name].outage() is None for name in called),
    )


def _left_out(mount: Mount, called: list[str]) -> int | None:
    stores = [mount.stores[name] for name in called if mount.stores[name].via is not None]
    return sum(one["left_out"] for store in stores for one in store.via_counts()) if stores else None
