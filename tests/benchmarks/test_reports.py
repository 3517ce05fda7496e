"""What the benchmark says of its records: medians, who counts as a rival, and the verdicts."""

from __future__ import annotations

import pytest

from . import cluster_table, memory, names, parse, python, startup
from .goals import judge
from .report import Record, medians
from .world import tally


def record(peer: str, wall: float, workload: str = "W1-cat256", phase: str = "cold", **more: object) -> Record:
    return {"peer": peer, "workload": workload, "phase": phase, "wall": wall, "srv_net": 30e6, "srv_req": 10, **more}


def verdict(records: list[Record]) -> str:
    return judge(records).splitlines()[2]


def test_medians_are_taken_of_each_number_over_the_repeats() -> None:
    runs = [record("ours", wall, cpu=cpu) for wall, cpu in ((1.0, 9), (5.0, 7), (2.0, 8))]
    (middle,) = medians(runs).values()
    assert (middle["wall"], middle["cpu"], middle["runs"]) == (2.0, 8, 3)


def test_a_peer_that_failed_once_has_failed() -> None:
    (middle,) = medians([record("ours", 1.0), record("ours", 1.0, error="wrong bytes")]).values()
    assert middle["error"] == "wrong bytes"


def test_ahead_is_measured_against_the_fastest_setting_that_ended() -> None:
    rivals = [record("geesefs", 2.0), record("geesefs-16", 1.5), record("rclone", 0.1, late=True)]
    assert "held (1.50 s)" in verdict([record("ours", 1.4), *rivals])
    assert "missed" in verdict([record("ours", 1.6), *rivals])


def test_a_candidate_from_the_command_line_is_no_rival() -> None:
    assert "held" in verdict([record("ours", 1.0), record("geesefs", 1.1), record("prototype", 0.1)])


def test_a_peer_that_keeps_nothing_is_as_slow_after_a_restart_as_cold() -> None:
    runs = [record("ours", wall, "W5-find", phase, srv_req=0) for phase, wall in (("cold", 1.0), ("restart", 0.5))]
    rows = judge([*runs, record("geesefs", 1.6, "W5-find")]).splitlines()
    assert "held (0.64 s)" in next(row for row in rows if "restart" in row)


def test_a_row_without_its_fast_peer_is_not_judged() -> None:
    row = verdict([record("ours", 9.0, "W3-hdr200"), record("rclone-streams", 1.0, "W3-hdr200")])
    assert "not judged: geesefs is absent" in row


def test_who_downloads_the_file_for_scattered_reads_does_not_count() -> None:
    ours = record("ours", 1.5, "W4-rand8")
    greedy = record("s3fs-fuse-tuned", 0.1, "W4-rand8", srv_net=2000e6)
    assert "held" in verdict([ours, greedy, record("geesefs", 1.6, "W4-rand8")])


@pytest.mark.parametrize(("mb", "word"), [(44, "held"), (46, "46 > 45 MB")])
def test_bytes_received_are_part_of_the_goal(mb: int, word: str) -> None:
    ours = record("ours", 1.0, "W6-slice", srv_net=mb * 1e6)
    assert word in verdict([ours, record("rclone-streams", 1.0, "W6-slice", srv_net=269e6)])


def test_requests_are_told_apart_by_method_and_path() -> None:
    rows = [("GET", "200", "/neuro?list-type=2"), ("HEAD", "404", "/neuro/a"), ("GET", "206", "/neuro/a/b")]
    log = "".join(f"1.0\t{method}\t{status}\t100\tbytes=0-1\t7\t{uri}\n" for method, status, uri in rows)
    counts = tally(log)
    assert {k: counts[k] for k in ("req", "get", "head", "list", "miss", "sent", "conns")} == {
        "req": 3, "get": 1, "head": 1, "list": 1, "miss": 1, "sent": 300, "conns": 1,
    }  # fmt: skip


def test_pages_to_parse_have_as_many_keys_for_both_parsers() -> None:
    for checksum in parse.KINDS.values():
        body = parse.page(3, checksum)
        assert parse.ours(body) == parse.botocores()(body) == parse.KEYS


@pytest.mark.parametrize(("rate", "words"), [(140e3, "**missed**"), (160e3, "held |"), (410e3, "held, aim reached")])
def test_the_rate_of_parsing_is_judged(rate: float, words: str) -> None:
    assert words in parse.table({"of a kind": {"ours": rate, "botocore": 20e3}})


@pytest.mark.parametrize(("peak", "word"), [(712, "held"), (713, "**missed**")])
def test_memory_beside_the_blocks_is_judged(peak: int, word: str) -> None:
    row = {"memory_mb": 512, "before_mb": 68, "peak_mb": peak, "wall": 14.0, "bytes": 3_000_000_000}
    assert word in memory.table([row])


def test_names_are_judged_by_the_least_of_their_runs_in_trees() -> None:
    def row(us: float, peer: str = "ours", bucket: str = "bids-9", what: str = "find") -> dict[str, object]:
        return {"peer": peer, "bucket": bucket, "what": what, "wall": 1.0, "us": us, "peak_mb": 7}

    shown = names.table([row(99.0), row(15.0), row(99.0, "before"), row(99.0, bucket="flat-9")]).splitlines()
    assert [line.count("held") + 2 * line.count("missed") for line in shown] == [0, 0, 1, 0, 0]
    assert "**missed** (8 us)" in names.table([row(8.1, what="find again")])


@pytest.mark.parametrize(
    ("rtt", "wall", "word"), [(None, 0.26, "**missed**"), (None, 0.25, "held"), (30, 0.36, "held")]
)
def test_a_start_is_judged_without_its_round_trips(rtt: float | None, wall: float, word: str) -> None:
    taken = {"a kind": {"ours": [startup.Taken(wall, 0.2, 4)] * 3, "before": [startup.Taken(9.0, 0.6, 4)] * 3}}
    assert word in startup.table(taken, rtt)
    assert "9.000 s" in startup.table(taken, rtt)


def test_python_rows_are_judged_by_s3fs_as_it_comes() -> None:
    def told(peer: str, cold: float, **more: object) -> Record:
        return {
            "row": "P1-ranges200",
            "peer": peer,
            "cold": cold,
            "again": 0.1,
            "mb": 1,
            "req": 2,
            "right": True,
            **more,
        }

    slow = [told("s3fs", 1.0), told("s3fs", 1.2), told("s3fs", 5.0), told("s3fs-64", 0.3)]
    assert "| 0.33, held |" in python.table([told("mountnd", 0.39), *slow])
    assert "| 0.33, missed |" in python.table([told("mountnd", 0.5), *slow])
    assert "wrong or failed" in python.table([told("mountnd", 0.4, right=False), *slow])
    assert "failed" in python.table([told("mountnd", 0.4)])


def of_nodes(what: str, nodes: int = 8, **more: object) -> Record:
    run = {"gets": 512.0, "failed": 0, "wrong": 0, "seconds": 3.0, "origin_mib": 256.2}
    return {"what": what, "nodes": nodes, "data_mib": 256, **run, **more}


def test_what_left_the_server_by_the_number_of_nodes() -> None:
    runs = [of_nodes("ring", 1), of_nodes("JuiceFS", 1), of_nodes("JuiceFS", origin_mib=2048.0), of_nodes("ring")]
    _, _, ring, juicefs = cluster_table.table(runs).splitlines()
    assert ring == "| ring | 1.001 | 1.001 | 512 | 0 | 0 | 3 | held |"
    assert juicefs == "| JuiceFS | 1.001 | 8.000 | 512 | 0 | 0 | 3 |  |"


@pytest.mark.parametrize("flaw", [{"origin_mib": 262.0}, {"failed": 1}, {"wrong": 1}])
def test_a_ring_that_misses_at_one_size_has_missed(flaw: dict[str, float]) -> None:
    assert cluster_table.table([of_nodes("ring", 2, **flaw), of_nodes("ring")]).endswith("| **missed** |")


def test_a_program_that_could_not_be_mounted_says_why() -> None:
    told = {"what": "JuiceFS", "nodes": 2, "data_mib": 256, "why_not": "JuiceFS ended: see /log"}
    rows = cluster_table.table([of_nodes("ring"), told]).splitlines()
    assert rows[3] == "| JuiceFS |  |  |  | 0 | 0 |  |  |" and rows[-1] == "2 x JuiceFS: JuiceFS ended: see /log"
