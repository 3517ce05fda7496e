"""What is told of a mount at one moment: values, as the collector takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class SourceMeasures(NamedTuple):
    """One source, or several of one identity, which share what is counted and cached.

    Attributes:
        names: what they are called in the mount; urls: likewise.
        counters: those of `stats.py` that counted something.
        get_times: how many GETs took how long: below each of `stats.GET_TIME_BOUNDS`, and longer than the last;
            get_seconds: all of them together.
        latency: seconds; None before it was measured.
        left_out: caching proxies that are not asked just now; None without any.
    """

    names: Sequence[str]
    urls: Sequence[str]
    counters: Mapping[str, int]
    get_times: Sequence[int]
    get_seconds: float
    latency: float | None
    reachable: bool
    left_out: int | None = None


class Measures(NamedTuple):
    """A mount.

    Attributes:
        counters: what is counted of no source in particular.
        failures: how many, by reason.
        gauges: by the names of `names.GAUGES`; None where one is not known.
    """

    mountpoint: str
    counters: Mapping[str, int]
    sources: Sequence[SourceMeasures]
    failures: Mapping[str, int]
    gauges: Mapping[str, float | None]
