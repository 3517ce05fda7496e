"""Counters: exact over threads, whole and by source."""

from __future__ import annotations

import threading

from mountnd.report.figures import figures, rows, size
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
    shown = dict(rows(f))
    assert shown["  for each byte requested"] == "2.50"
    assert shown["requests: GET / LIST / HEAD"] == "2 / 3 / 0"
    assert figures({}).amplification is None


def test_sizes_for_people() -> None:
    assert [size(n) for n in (0, 1023, 1024, 1536, 5 << 30, 3 << 40)] == [
        "0 B",
        "1023 B",
        "1 KiB",
        "1.5 KiB",
        "5 GiB",
        "3.0 TiB",
    ]
