"""Measures as prometheus-client's own OpenMetrics parser reads them back."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from mountnd import stats
from mountnd.metrics import names
from mountnd.metrics.collector import MountCollector
from mountnd.metrics.measures import Measures
from mountnd.stats import COUNTERS, Times

from .samples import measures, source


def scraped(told: Measures) -> dict[str, Metric]:
    registry = CollectorRegistry()
    registry.register(MountCollector(lambda: told))
    text = generate_latest(registry).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    """The one sample of that name with these labels."""
    (found,) = (
        sample.value for family in families.values() for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )  # fmt: skip
    return float(found)


def test_counters_by_source_and_of_the_whole_in_base_units() -> None:
    families = scraped(
        measures(
            source("a", counters={stats.BYTES_FETCHED: 5, stats.GET_TIME: 1_500_000}),
            source("b", counters={stats.BYTES_FETCHED: 7}),
            counters={stats.OPENS: 3},
        )
    )
    assert value(families, "mountnd_fetched_bytes_total", mountpoint="/mnt/x", source="a") == 5
    assert value(families, "mountnd_fetched_bytes_total", source="b") == 7
    assert value(families, "mountnd_fetched_bytes_total", source="") == 0
    assert value(families, "mountnd_get_time_seconds_total", source="a") == 1.5
    assert value(families, "mountnd_open_calls_total", source="") == 3
    assert sum(family.type == "counter" for family in families.values()) == len(COUNTERS) + 1


def test_times_are_a_histogram() -> None:
    times = Times()
    for seconds in (0.001, 0.005, 0.03, 0.03, 100.0):
        times.record(seconds)
    counts, total = times.snapshot()
    families = scraped(measures(source("a", get_times=counts, get_seconds=total)))
    name = "mountnd_get_duration_seconds"
    assert families[name].type == "histogram"
    for bound, count in (("0.005", 2), ("0.025", 2), ("0.05", 4), ("60.0", 4), ("+Inf", 5)):
        found = [s.value for s in families[name].samples if s.labels.get("le") in (bound, bound.removesuffix(".0"))]
        assert found == [count]
    assert value(families, f"{name}_count") == 5
    assert value(families, f"{name}_sum") == pytest.approx(100.066)


def test_before_the_first_get_there_is_no_latency_and_without_a_cache_no_disk() -> None:
    told = measures(source("a"), gauges={**measures().gauges, names.DISK_CACHE.name: None})
    families = scraped(told)
    assert not families["mountnd_source_latency_seconds"].samples
    assert not families["mountnd_disk_cache_bytes"].samples
    families = scraped(measures(source("a", latency=0.03, reachable=False)))
    assert value(families, "mountnd_source_latency_seconds") == 0.03
    assert value(families, "mountnd_source_reachable") == 0


def test_failures_by_reason_with_those_that_did_not_happen() -> None:
    families = scraped(measures(source("a"), failures={"access denied": 2}))
    assert value(families, "mountnd_failures_total", reason="access denied") == 2
    assert value(families, "mountnd_failures_total", reason="throttled") == 0


@pytest.mark.parametrize(
    "text", ['quote " and \\ backslash', "new\nline", "\udcff", "\x1b[31m", "é/\u202e", "x" * 5000]
)
def test_labels_hold_whatever_a_path_holds(text: str) -> None:
    families = scraped(measures(source("a"), mountpoint=f"/mnt/{text}"))
    (label,) = {sample.labels["mountpoint"] for family in families.values() for sample in family.samples}
    assert label.startswith("/mnt/") and label.isprintable() and len(label) < 1100
    if text.isprintable() and len(text) < 100:
        assert label == f"/mnt/{text}"


def test_no_secret_of_a_url_is_shown() -> None:
    families = scraped(measures(source("a", urls=["https://user:hunter2@host/x?X-Amz-Signature=abc"])))
    (sample,) = families["mountnd_source"].samples
    assert "hunter2" not in sample.labels["url"] and "abc" not in sample.labels["url"]


def test_sources_that_are_counted_together_are_one_label_with_a_row_for_each() -> None:
    families = scraped(measures(source("a", "b", counters={stats.GETS: 4})))
    assert value(families, "mountnd_get_requests_total", source="a, b") == 4
    rows = families["mountnd_source"].samples
    assert {(row.labels["name"], row.labels["url"], row.labels["source"]) for row in rows} == {
        ("a", "s3://a", "a, b"), ("b", "s3://b", "a, b")
    }  # fmt: skip
