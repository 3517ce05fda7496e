"""Measures of a mount that nobody has made."""

from __future__ import annotations

from typing import Any

from mountnd.metrics import names
from mountnd.metrics.measures import Measures, SourceMeasures
from mountnd.stats import GET_TIME_BOUNDS

CLASSES = len(GET_TIME_BOUNDS) + 1


def source(*called: str, **changes: Any) -> SourceMeasures:
    made = SourceMeasures(
        names=called, urls=[f"s3://{name}" for name in called], counters={}, get_times=[0] * CLASSES, get_seconds=0.0,
        latency=None, reachable=True,
    )  # fmt: skip
    return made._replace(**changes)


def measures(*sources: SourceMeasures, mountpoint: str = "/mnt/x", **changes: Any) -> Measures:
    made = Measures(mountpoint, {}, sources, {}, dict.fromkeys((one.name for one in names.GAUGES), 0.0))
    return made._replace(**changes)
