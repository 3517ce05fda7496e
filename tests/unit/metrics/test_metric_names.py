"""The metrics' names: stable, one for each counter, each told of on the page."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import mountnd
from mountnd import stats
from mountnd.config import addresses
from mountnd.metrics import names
from mountnd.metrics.names import counter_metric
from mountnd.stats import COUNTERS, CounterInfo

PAGE = Path(mountnd.__file__).parent / "help/metrics.md"
# prometheus.io/docs/concepts/data_model, without the colons that are for rules.
NAME = re.compile(r"mountnd_[a-z]+(_[a-z]+)*")


def exported() -> dict[str, str]:
    """Every metric as a scraper sees it, and what it tells."""
    counters = {f"{counter_metric(info).metric.full}_total": counter_metric(info).metric.help
                for info in COUNTERS.values()}  # fmt: skip
    others = (*names.GAUGES, *names.GAUGES_OF_SOURCES, names.GET_DURATION)
    return {
        **counters,
        f"{names.FAILURES.full}_total": names.FAILURES.help,
        **{metric.full: metric.help for metric in others},
        f"{names.SOURCE.full}_info": names.SOURCE.help,
    }


def test_every_counter_is_exported_under_a_name_of_its_own() -> None:
    assert len({counter_metric(info).metric.name for info in COUNTERS.values()}) == len(COUNTERS)
    for name, told in exported().items():
        assert NAME.fullmatch(name) and told.endswith(".") and told[0].isupper()


def test_names_are_in_base_units_which_come_last() -> None:
    for info in COUNTERS.values():
        metric, unit, per = counter_metric(info)
        assert metric.name.endswith(f"_{unit}") and unit != "microseconds"
        assert per == (1e6 if info.unit == "microseconds" else 1)


def test_names_that_dashboards_rely_on() -> None:
    for constant, name in (
        (stats.BYTES_ASKED, "read_bytes"), (stats.BYTES_FROM_MEMORY, "read_from_memory_bytes"),
        (stats.BYTES_FROM_DISK, "loaded_from_disk_bytes"), (stats.BYTES_FETCHED, "fetched_bytes"),
        (stats.GETS, "get_requests"), (stats.GET_TIME, "get_time_seconds"),
        (stats.PREFETCH_WASTED, "prefetch_wasted_bytes"), (stats.LISTS, "names_list_requests"),
    ):  # fmt: skip
        assert counter_metric(COUNTERS[constant]).metric.name == name
    assert counter_metric(CounterInfo("x.y.keys", "keys", "in z")).metric == ("x_y_keys", "Keys in z.")
    assert counter_metric(CounterInfo("x.requests", "requests", "sent")).metric.help == "Sent."


def test_the_page_has_each_name_with_what_it_tells_and_no_other() -> None:
    """A counter that is new in `stats.py` needs a line there."""
    rows = dict(re.findall(r"^\| `(mountnd_\w+)`[^|]*\| (.+?) (?:<!--.*--> )?\|$", PAGE.read_text(), re.MULTILINE))
    missing = {f"| `{name}` | {told} |" for name, told in exported().items() if rows.get(name) != told}
    assert not missing, "help/metrics.md lacks:\n" + "\n".join(sorted(missing))
    assert set(rows) == set(exported())


def test_the_scrape_config() -> None:
    """What stands on the page for Prometheus, which reads it as YAML, has the address of the command above it."""
    page = PAGE.read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (job,) = yaml.safe_load(text)["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    assert target == str(addresses.address("9464"))
    assert f"--metrics 9464 openneuro DIR            # http://{target}/" in page


def test_the_expressions_ask_for_metrics_that_there_are() -> None:
    page = PAGE.read_text()
    asked = set(re.findall(r"\b(mountnd_\w+?)(?:_bucket)?\b(?=[\[ )]|`)", page[page.index("## What to look at") :]))
    assert len(asked) > 4 and asked <= set(exported())
