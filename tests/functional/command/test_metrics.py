"""`--metrics`: what a mount counts, scraped over HTTP and read by prometheus-client's own parser."""

from __future__ import annotations

import json
import os
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from mountnd.metrics.names import counter_metric
from mountnd.stats import COUNTERS
from tests.support import cli, tree
from tests.support.cli import ROOT, run_mountnd
from tests.support.quirky import Quirky
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kernel

BODY = tree.content("measured", 300_000)
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def place(tmp_path: Path, quirky: Quirky) -> Iterator[Path]:
    """A directory for the mountpoints `a` and `b` of a bucket."""
    quirky.hold({"d/file": BODY, "d/refused": b"x", "e/file": BODY[:100]}, get_rules=["d/file", "e/file"])
    with cli.mountpoint(tmp_path.resolve() / "a"), cli.mountpoint(tmp_path.resolve() / "b"):
        yield tmp_path.resolve()


def mount(quirky: Quirky, where: Path, *words: str, sources: tuple[str, ...] = ("s3://bkt",), fails: int = 0) -> str:
    """Mount; returns what was said."""
    options = ("--endpoint-url", quirky.url, "--anonymous", "--region", "us-east-1")
    done = run_mountnd(*sources, where, *options, "--cache-dir", where.parent / "cache", *words)
    assert done.returncode == fails, done.stderr
    return done.stderr


def url_of(where: Path) -> str:
    """Where its metrics are, as `stats` says."""
    done = run_mountnd("stats", where, "--json")
    assert done.returncode == 0, done.stderr
    url: str = json.loads(done.stdout)["metrics"]
    return url


def scraped(url: str) -> Samples:
    with OPENER.open(urllib.request.Request(url, headers={"Accept": OPENMETRICS}), timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith(OPENMETRICS)
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    (found,) = (value for (one, told), value in samples.items() if one == name and set(labels.items()) <= told)
    return found


def test_a_scrape_says_what_stats_says(quirky: Quirky, place: Path) -> None:
    where = place / "a"
    said = mount(quirky, where, "--metrics", "0")
    (url,) = re.findall(r"(http://127\.0\.0\.1:\d+/metrics) can be read by every user of this machine", said)
    assert url_of(where) == url and f"metrics  {url}" in run_mountnd("stats", where).stdout
    assert url in run_mountnd("logs", where).stdout
    assert (where / "d/file").read_bytes() == BODY
    with pytest.raises(PermissionError):
        (where / "d/refused").read_bytes()
    with open(where / "d/file", "rb"):
        wait_until(lambda: value(scraped(url), "mountnd_open_files") == 1, "the open file")
    kept = lambda: json.loads(run_mountnd("stats", where, "--json").stdout)["total"].get("disk.kept.bytes")  # noqa: E731
    wait_until(lambda: kept() == len(BODY), "the disk cache")
    samples = scraped(url)
    # Every counter is there, by source and of the whole, and their sum is what `stats --json` has.
    total = json.loads(run_mountnd("stats", where, "--json").stdout)["total"]
    for name, info in COUNTERS.items():
        metric, _, per = counter_metric(info)
        parts = [value(samples, f"{metric.full}_total", mountpoint=str(where), source=one) for one in ("bkt", "")]
        assert sum(parts) * per == pytest.approx(total.get(name, 0)), name
    assert value(samples, "mountnd_fetched_bytes_total", source="bkt") == len(BODY)
    assert value(samples, "mountnd_failures_total", reason="access denied") == total["get.failed.requests"] == 1
    gets = value(samples, "mountnd_get_duration_seconds_count", source="bkt")
    assert 0 < gets == value(samples, "mountnd_get_duration_seconds_bucket", le="+Inf") <= total["get.requests"]
    assert value(samples, "mountnd_get_duration_seconds_sum") == pytest.approx(
        value(samples, "mountnd_get_time_seconds_total", source="bkt"), abs=1e-4
    )
    assert value(samples, "mountnd_memory_bytes") >= len(BODY)
    assert value(samples, "mountnd_memory_limit_bytes") >= 8 << 20
    assert value(samples, "mountnd_source_reachable", source="bkt") == 1
    assert value(samples, "mountnd_source_info", source="bkt", url="s3://bkt") == 1
    assert value(samples, "process_resident_memory_bytes") > 0
    # A browser gets Prometheus' older text.
    with OPENER.open(url, timeout=60) as answer:
        assert "mountnd_open_files" in {family.name for family in plain_families(answer.read().decode())}


def test_it_ends_with_the_mount(quirky: Quirky, place: Path) -> None:
    mount(quirky, place / "a", "--metrics", "127.0.0.1:0")
    url = url_of(place / "a")
    host, port = url.removeprefix("http://").removesuffix("/metrics").split(":")
    with socket.create_connection((host, int(port)), timeout=30):  # a client that says nothing holds up nothing
        assert run_mountnd("umount", place / "a").returncode == 0
    with pytest.raises(urllib.error.URLError):
        OPENER.open(url, timeout=30)
    mount(quirky, place / "a", "--metrics", port)  # the port is free again
    assert url_of(place / "a") == url


def test_a_port_that_is_taken_is_told_before_there_is_a_mount(quirky: Quirky, place: Path) -> None:
    mount(quirky, place / "a", "--metrics", "0")
    port = url_of(place / "a").rpartition(":")[2].removesuffix("/metrics")
    quirky.switch()
    said = mount(quirky, place / "b", "--metrics", port, fails=1)
    assert said.count("\n") == 1 and f"--metrics 127.0.0.1:{port}: cannot listen there: Address already in use" in said
    assert not cli.is_mounted(place / "b") and not (place / "b").exists()
    assert quirky.log() == [], "nobody was asked"
    mount(quirky, place / "b", "--metrics", "0")
    assert url_of(place / "b") != url_of(place / "a")


def test_whoever_else_can_read_it_is_told(quirky: Quirky, place: Path) -> None:
    said = mount(quirky, place / "a", "--metrics", "0.0.0.0:0")
    assert re.search(r"http://0\.0\.0\.0:\d+/metrics can be read by everybody who can reach this machine", said)


def test_without_it_nothing_listens(quirky: Quirky, place: Path) -> None:
    mount(quirky, place / "a")
    assert url_of(place / "a") is None
    assert "metrics" not in run_mountnd("stats", place / "a").stdout


def test_a_missing_library_is_told_with_the_command(quirky: Quirky, place: Path) -> None:
    (place / "lib").mkdir()
    text = "raise ModuleNotFoundError(\"No module named 'prometheus_client'\", name='prometheus_client')\n"
    (place / "lib/prometheus_client.py").write_text(text)
    options = ("--endpoint-url", quirky.url, "--anonymous", "--metrics", "0")
    done = run_mountnd("s3://bkt", place / "a", *options, env={"PYTHONPATH": f"{place}/lib:{ROOT}"})
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "--metrics needs a package: " in done.stderr and "-m pip install prometheus-client" in done.stderr
    assert not cli.is_mounted(place / "a")


def test_two_sources_of_one_bucket_are_counted_once(quirky: Quirky, place: Path) -> None:
    where = place / "a"
    mount(quirky, where, "--metrics", "0", sources=("s3://bkt/d", "s3://bkt/e"))
    assert (where / "d/file").read_bytes() == BODY
    assert (where / "e/file").read_bytes() == BODY[:100]
    samples = scraped(url_of(where))
    fetched = [value for (name, _), value in samples.items() if name == "mountnd_fetched_bytes_total"]
    assert sum(fetched) == len(BODY) + 100
    assert {dict(labels)["name"] for name, labels in samples if name == "mountnd_source_info"} == {"d", "e"}


def test_from_the_config_file_and_the_environment(quirky: Quirky, place: Path) -> None:
    file = place / "config.toml"
    file.write_text('[defaults]\nmetrics = "127.0.0.1:0"\n')
    mount(quirky, place / "a", "--config", str(file))
    assert value(scraped(url_of(place / "a")), "mountnd_open_files", mountpoint=os.fspath(place / "a")) == 0
