"""Counters: exact over threads, whole and by source."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from mountnd.report.figures import between, duration, figures, lines, size
from mountnd.stats import Stats


def test_threads_add_without_losing_any() -> None:
    stats = Stats()

    def work() -> None:
        for _ in range(10_000):
            stats.add("a.calls")
            stats.of("s").add("b.bytes", 3)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert stats.snapshot() == {"a.calls": 40_000, "b.bytes": 120_000}


def test_a_source_counts_for_itself_and_for_the_whole() -> None:
    stats = Stats()
    stats.of("one").add("bytes.asked", 5)
    stats.of("two").add("bytes.asked", 7)
    stats.add("disk.kept.bytes", 1)
    assert stats.of("one").snapshot() == {"bytes.asked": 5}
    assert stats.snapshot() == {"bytes.asked": 12, "disk.kept.bytes": 1}


def test_figures_of_a_mount() -> None:
    f = figures({"bytes.asked": 100, "bytes.fetched": 250, "get.requests": 2, "names.list.requests": 3})
    assert f.amplification == 2.5
    shown = {line.label.strip(): line.text for line in lines(f)}
    assert shown["fetched for each byte read"] == "2.50"
    assert [shown[of] for of in ("requests", "for bytes (GET)", "for names (LIST)", "for names (HEAD)")] == list("5230")
    assert figures({}).amplification is None


counts = st.integers(0, 1 << 40)


@given(asked=counts, memory=counts, disk=counts, fetched=counts, gets=counts, lists=counts, heads=counts)
def test_what_is_indented_adds_up(**n: int) -> None:
    f = figures({
        "bytes.asked": n["asked"], "bytes.memory": min(n["asked"], n["memory"]), "bytes.disk": n["disk"],
        "bytes.fetched": n["fetched"], "get.requests": n["gets"], "names.list.requests": n["lists"],
        "names.head.requests": n["heads"],
    })  # fmt: skip
    head, sums = "", dict[str, list[float]]()
    for line in lines(f):
        if line.label.startswith("  of that"):
            continue  # what is neither read nor dropped yet is left over
        if line.label.startswith("  "):
            sums[head].append(line.value or 0)
        else:
            head, sums[line.label] = line.label, [-(line.value or 0)]
    assert {sum(parts) for parts in sums.values() if len(parts) > 1} == {0}
    assert sum(len(parts) > 1 for parts in sums.values()) == 3


def test_rates_and_failures() -> None:
    old = figures({"bytes.fetched": 1 << 20, "get.requests": 3, "get.time.microseconds": 90_000})
    new = figures({"bytes.fetched": 5 << 20, "get.requests": 7, "get.failed.requests": 1, "bytes.asked": 1})
    rates = {line.label.strip(): line.rate(2.0) for line in lines(between(old, new))}
    assert (rates["fetched from the source"], rates["for bytes (GET)"]) == ("2 MiB/s", "2.0/s")
    assert rates["fetched for each byte read"] == ""
    bad = [line.label for line in lines(new) if line.is_bad]
    assert bad == ["failed GETs, seen by programs"]
    assert not [line for line in lines(old) if line.is_bad]
    assert {line.label: line.text for line in lines(old)}["time of a GET, on average"] == "30 ms"


def test_times_for_people() -> None:
    said = [duration(n) for n in (-1, 59.9, 60, 3599, 3600, 5 * 3600 + 1200, 86400, 3 * 86400 + 7200)]
    assert said == ["0 s", "59 s", "1 min", "59 min", "1 h", "5 h 20 min", "1 day", "3 days 2 h"]


def test_sizes_for_people() -> None:
    assert [size(n) for n in (0, 1023, 1024, 1536, 5 << 30, 3 << 40)] == [
        "0 B",
        "1023 B",
        "1 KiB",
        "1.5 KiB",
        "5 GiB",
        "3.0 TiB",
    ]
