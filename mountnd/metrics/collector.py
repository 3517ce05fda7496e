"""Measures as metrics of prometheus-client, which writes them in the format that a scraper asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ..errors import StoreError
from ..foreign_text import line
from ..stats import COUNTERS, GET_TIME_BOUNDS
from ..version import __version__
from . import names
from .measures import Measures, SourceMeasures

# Characters of a label. Several sources of one identity share one.
_LABEL = 1000
_OF_SOURCE = ("mountpoint", "source")


class MountCollector(Collector):
    """The metrics of one mount. `measure` is called on the thread of each scrape."""

    def __init__(self, measure: Callable[[], Measures]) -> None:
        self._measure = measure

    def collect(self) -> Iterator[Metric]:
        measures = self._measure()
        mountpoint = line(measures.mountpoint, _LABEL)
        labelled = [((mountpoint, _label(source)), source) for source in measures.sources]
        yield from _counters(measures, mountpoint, labelled)
        failures = CounterMetricFamily(names.FAILURES.full, names.FAILURES.help, labels=("mountpoint", "reason"))
        for reason in sorted(_reasons(StoreError)):
            failures.add_metric((mountpoint, reason), measures.failures.get(reason, 0))
        yield failures
        yield _get_durations(labelled)
        for metric in names.GAUGES:
            gauge = GaugeMetricFamily(metric.full, metric.help, labels=("mountpoint",))
            if (value := measures.gauges[metric.name]) is not None:
                gauge.add_metric((mountpoint,), value)
            yield gauge
        latency = GaugeMetricFamily(names.LATENCY.full, names.LATENCY.help, labels=_OF_SOURCE)
        reachable = GaugeMetricFamily(names.REACHABLE.full, names.REACHABLE.help, labels=_OF_SOURCE)
        left_out = GaugeMetricFamily(names.LEFT_OUT.full, names.LEFT_OUT.help, labels=_OF_SOURCE)
        for labels, source in labelled:
            if source.left_out is not None:
                left_out.add_metric(labels, source.left_out)
            reachable.add_metric(labels, int(source.reachable))
            if source.latency is not None:
                latency.add_metric(labels, source.latency)
        yield latency
        yield reachable
        yield left_out
        yield _info(labelled)


Labelled = list[tuple[tuple[str, str], SourceMeasures]]


def _counters(measures: Measures, mountpoint: str, labelled: Labelled) -> Iterator[Metric]:
    """All counters, also those that counted nothing, by source; what belongs to none has an empty label."""
    for name, info in COUNTERS.items():
        (metric, _, per) = names.counter_metric(info)
        family = CounterMetricFamily(metric.full, metric.help, labels=_OF_SOURCE)
        for labels, source in labelled:
            family.add_metric(labels, source.counters.get(name, 0) / per)
        family.add_metric((mountpoint, ""), measures.counters.get(name, 0) / per)
        yield family


def _get_durations(labelled: Labelled) -> Metric:
    family = HistogramMetricFamily(names.GET_DURATION.full, names.GET_DURATION.help, labels=_OF_SOURCE)
    for labels, source in labelled:
        bounds = [*(f"{bound:g}" for bound in GET_TIME_BOUNDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(source.get_times), strict=True))
        family.add_metric(labels, buckets, sum_value=source.get_seconds)
    return family


def _info(labelled: Labelled) -> Metric:
    family = InfoMetricFamily(names.SOURCE.full, names.SOURCE.help, labels=(*_OF_SOURCE, "name"))
    for (mountpoint, label), source in labelled:
        for name, url in zip(source.names, source.urls, strict=True):
            told = {"url": line(url, _LABEL), "version": __version__}
            family.add_metric((mountpoint, label, line(name, _LABEL)), told)
    return family


def _label(source: SourceMeasures) -> str:
    return line(", ".join(source.names), _LABEL)


def _reasons(kind: type[StoreError]) -> set[str]:
    return {kind.reason}.union(*(_reasons(below) for below in kind.__subclasses__()))
