"""Metrics by their names, which stay as they are; help/metrics.md tells of each (a test holds both). Pure.

Names follow prometheus.io/docs/practices/naming: base units (bytes, seconds), the unit last, `_total` behind counters.
"""

from __future__ import annotations

from typing import NamedTuple

from ..stats import CounterInfo

PREFIX = "mountnd"

# Parts of units of `stats.py` in base units.
_BASE_UNITS = {"microseconds": ("seconds", 1e6)}
# Counters whose names in `stats.py` begin with their unit, which would leave too little of them.
_NAMED = {
    "bytes.asked": "read",
    "bytes.memory": "read_from_memory",
    "bytes.disk": "loaded_from_disk",
    "bytes.shared": "loaded_from_shared_cache",
    "bytes.fetched": "fetched",
}


class Metric(NamedTuple):
    """One metric: its name without prefix (and without a counter's `_total`), and what it tells."""

    name: str
    help: str

    @property
    def full(self) -> str:
        return f"{PREFIX}_{self.name}"


class CounterMetric(NamedTuple):
    """A counter of `stats.py` as a metric: `unit` and values are in base units, `per` counts to one of them."""

    metric: Metric
    unit: str
    per: float


def counter_metric(info: CounterInfo) -> CounterMetric:
    """How a counter is exported: its words joined, with its unit last."""
    unit, per = _BASE_UNITS.get(info.unit, (info.unit, 1.0))
    words = [word for word in info.name.split(".") if word != info.unit]
    name = f"{_NAMED.get(info.name) or '_'.join(words)}_{unit}"
    # "bytes" and "that readers asked for" are one sentence, "requests" and "ranged GETs" are not.
    told = info.meaning if unit == "requests" else f"{unit} {info.meaning}"
    return CounterMetric(Metric(name, f"{told[:1].upper()}{told[1:]}."), unit, per)


FAILURES = Metric("failures", "Failures that programs saw, by reason (those of `mountnd stats`).")
GET_DURATION = Metric("get_duration_seconds", "How long ranged GETs took, of those that ended well.")
SOURCE = Metric("source", "Each source of the mount: its URL, and the version of mountnd.")
OPEN_FILES = Metric("open_files", "Files that programs have open.")
MEMORY = Metric("memory_bytes", "Memory in use for blocks of files, cached and on their way.")
MEMORY_LIMIT = Metric("memory_limit_bytes", "Memory that these may take (--memory).")
DISK_CACHE = Metric("disk_cache_bytes", "Disk space of the disk cache, all mounts that share it together.")
SHARED_CACHE = Metric("shared_cache_bytes", "Disk space of the shared cache, all nodes together.")
SHARED_USED = Metric("shared_cache_used", "Whether the shared cache is used: 0 while it is left out, 1 otherwise.")
REQUESTS = Metric("requests_in_flight", "Ranged GETs that wait or are under way.")
LATENCY = Metric("source_latency_seconds", "The shortest time of the last short GETs; absent before the first.")
REACHABLE = Metric("source_reachable", "Whether the source answers: 0 while it does not, 1 otherwise.")
LEFT_OUT = Metric("via_left_out", "Caching proxies (--via) that are left out just now; absent without any.")
MOUNTED = Metric("mounted_timestamp_seconds", "When it was mounted, since 1970.")

GAUGES = (OPEN_FILES, MEMORY, MEMORY_LIMIT, DISK_CACHE, SHARED_CACHE, SHARED_USED, REQUESTS, MOUNTED)
GAUGES_OF_SOURCES = (LATENCY, REACHABLE, LEFT_OUT)
