"""What the benchmark says of rows R...: waits over the local copy, ratios, goals of kinds; and traces of programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support import traces
from .goals import judge
from .real import report, results
from .real.kinds import LEAST_S, geometric_mean, rows
from .real.trace import merged
from .report import Record, medians
from .workloads import ALL, matching

FIRST, HEAD, VOXEL = "R1-nibabel-first", "R1-gzip-head", "R6-voxel"


def record(peer: str, wall: float, workload: str = FIRST, **more: object) -> Record:
    return {"peer": peer, "workload": workload, "phase": "cold", "wall": wall, "srv_net": 5e6, "srv_req": 9, **more}


def run(ours: float, best: float, workload: str = FIRST, **more: object) -> list[Record]:
    """A row with a second on the local copy."""
    walls = (("local", 1.0), ("geesefs", best), ("rclone-streams", best + 1))
    return [record("ours", ours, workload, **more), *(record(peer, wall, workload) for peer, wall in walls)]


def of_kind(records: list[Record], kind: str = "R1") -> str:
    return next(line for line in judge(records).splitlines() if line.startswith(f"| {kind} "))


def of_all(records: list[Record]) -> str:
    return judge(records).splitlines()[-1]


def test_the_ratio_is_of_the_time_over_the_local_copy() -> None:
    (row,) = rows(medians(run(1.4, 1.8)))
    assert (row.best, row.ratio) == ("geesefs", pytest.approx(0.5))


def test_a_wait_that_noise_made_negative_counts_as_the_least() -> None:
    (row,) = rows(medians(run(0.9, 1.8)))
    assert row.wait(row.ours) == LEAST_S


def test_waits_shorter_than_what_local_runs_differ_by_are_not_judged() -> None:
    records = [*run(1.4, 1.5), record("local", 0.7), record("local", 1.3)]
    (row,) = rows(medians(records))
    assert row.ratio is None and not row.ahead
    assert "R1-nibabel-first lost in the noise" in of_kind(records)
    assert rows(medians([*run(1.4, 1.9), record("local", 0.7), record("local", 1.3)]))[0].ahead


def test_a_kind_is_judged_by_its_geometric_mean() -> None:
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0) and geometric_mean([]) is None
    assert of_kind(run(1.4, 1.8) + run(1.8, 1.8, HEAD)).endswith("| 0.71 | 0.8 x | held |")
    assert "**missed**" in of_kind(run(1.6, 1.8) + run(1.8, 1.8, HEAD))


def test_who_is_behind_is_named_and_every_row_counts_once_in_the_mean_of_all() -> None:
    said = of_all(run(1.2, 1.8) + run(1.9, 1.8, HEAD))
    assert "ahead on 1 of 2; not on R1-gzip-head" in said and "| 0.53 | 0.5 x | **missed** |" in said


def test_a_row_without_geesefs_is_missed() -> None:
    records = [r for r in run(1.1, 1.8) if r["peer"] != "geesefs"]
    assert "**missed**: R1-nibabel-first without geesefs" in of_kind(records)
    assert "ahead on 0 of 1" in of_all(records)


def test_a_geesefs_that_failed_was_there() -> None:
    records = [{**r, "late": True} if r["peer"] == "geesefs" else r for r in run(1.1, 1.8)]
    assert "ahead on 1 of 1" in of_all(records)


@pytest.mark.parametrize("bad", [{"late": True}, {"error": "wrong result"}])
def test_a_row_that_we_failed_is_missed(bad: dict[str, object]) -> None:
    assert "**missed**: R1-nibabel-first failed" in of_kind(run(1.1, 1.8, **bad))


@pytest.mark.parametrize(("mb", "word"), [(59, "held"), (61, "R6-voxel 61 > 60 MB")])
def test_bytes_fetched_are_part_of_a_goal(mb: int, word: str) -> None:
    assert word in of_kind(run(1.1, 1.8, VOXEL, srv_net=mb * 1e6), "R6")


def test_without_a_local_run_a_row_tells_nothing() -> None:
    records = [r for r in run(1.1, 1.8) if r["peer"] != "local"]
    assert "has no local run" in of_kind(records)
    assert "| - (1.10) |" in report.table(records)


def test_the_table_shows_waits_beside_seconds() -> None:
    shown = report.table(run(1.4, 1.8, cpu=0.25, rss_mb=90, others_cores=0.3))
    assert "| 1.00 | 0.40 (1.40) | 0.80 (1.80) geesefs | 0.50 | 9 | 5.0 | 0.25 | 90 | 0.3 |" in shown
    assert shown.endswith("| R1-nibabel-first | 0.40 | 0.80 | 1.80 |")


def test_other_rows_are_judged_as_before() -> None:
    assert report.table([record("ours", 1.0, "W1-cat256")]) == ""
    assert "R1" not in judge([record("ours", 1.0, "W1-cat256")])


def test_workloads_are_chosen_by_name_or_beginning() -> None:
    assert matching("W6-slice,R7") == ["W6-slice", "R7-layout", "R7-validator"]
    assert matching("W99") == [] and matching(",".join(ALL)) == list(ALL)


def test_results_do_not_depend_on_a_directory_s_order(tmp_path: Path) -> None:
    assert results.sorted_lines(b"a\nb\n", tmp_path) == results.sorted_lines(b"b\na\n", tmp_path)
    assert results.sorted_lines(b"", tmp_path) == results.tree(b"", tmp_path) == ""


def test_reads_that_touch_are_one_and_handles_are_counted() -> None:
    calls = [
        ["open", 9, "a", 20],
        ["read", 9, 8, 8],
        ["read", 9, 0, 8],
        ["read", 9, 18, 2],
        ["close", 9],
        ["open", 9, "b", 1],
    ]
    assert merged(calls) == [
        ("open", 1, "a", 20),
        ("read", 1, 0, 16),
        ("read", 1, 18, 2),
        ("close", 1),
        ("open", 2, "b", 1),
    ]


@pytest.mark.parametrize("name", traces.names())
def test_a_recorded_trace_is_of_a_row_and_opens_what_is_in_its_tree(name: str) -> None:
    trace = traces.load(name)
    assert trace.row == name and name in ALL
    for path, reads in trace.opens():
        assert all(offset < trace.tree[path] for offset, _ in reads)
