"""What `stats --watch` draws: it fills any terminal and goes past none, and says what is so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mountnd import stats
from mountnd.cli import live_view
from mountnd.cli.layout import cell_len
from mountnd.cli.live_view import Line, Watched, one, several, spark
from mountnd.cli.running import RunningMount
from mountnd.report.live import Moment, moment, open_files, rates, rates_between

MIB = 1 << 20
SIZES = [(80, 24), (60, 10), (120, 50), (20, 5), (200, 3), (80, 1)]


def at(time: float, asked: int = 0, files: list[dict[str, Any]] | None = None, **failures: Any) -> Moment:
    """A moment at which so many bytes had been asked for, half of them from memory."""
    total = {
        stats.BYTES_ASKED: asked, stats.BYTES_FROM_MEMORY: asked // 2, stats.BYTES_FETCHED: asked * 3 // 4,
        stats.BYTES_FROM_DISK: asked // 4, stats.GETS: asked // MIB, stats.GET_TIME: asked // MIB * 30_000,
    }  # fmt: skip
    failed = {"count": sum(failures.values()), "by_reason": failures, "last": {"path": "/a\x1b[31m\n/b"}}
    counters = {"total": total, "failures": failed if failures else {}}
    return moment(time, counters, {"count": len(files or []), "files": files or []})


def file(
    handle: int, asked: int, path: str = "sub-01/func/sub-01_task-rest_bold.nii.gz", **more: Any
) -> dict[str, Any]:
    return {
        "handle": handle,
        "path": path,
        "asked": asked,
        "size": 64 * MIB,
        "position": 16 * MIB,
        "how": "strides",
        **more,
    }


def watched(now: Moment, before: Moment | None = None, **more: Any) -> Watched:
    rate = rates(now.done, 10.0) if before is None else rates_between(before, now)
    history = [(float(i), float(i)) for i in range(300)]
    return Watched("/mnt/brains", "s3://openneuro.org", 65.0, before, now, rate, history, **more)


def text(lines: list[Line]) -> list[str]:
    return ["".join(part for part, _ in line) for line in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("blocks", [False, True])
def test_it_is_as_large_as_the_terminal(width: int, height: int, blocks: bool) -> None:
    files = [file(i, i * MIB, "ü" * 300 + f"/日本語{i}\n\x1b[31m") for i in range(200)]
    seen = watched(at(2.0, 9 * MIB, files, throttled=3), at(1.0, MIB), note="its daemon " + "does not answer " * 30)
    lines = text(one(seen, width, height, interval=1.0, blocks=blocks))
    assert len(lines) == height
    assert all(cell_len(line) <= width for line in lines if width >= 60), lines
    assert all(line.isprintable() for line in lines)
    if height > 1:
        assert lines[-1].startswith("q ends it")


@pytest.mark.parametrize(("width", "height"), [size for size in SIZES if size[0] >= 80])
def test_several_mounts_fit_too(width: int, height: int) -> None:
    found = [
        (
            RunningMount(Path("/mnt/" + "long/" * 40), state, None, "s3://b", {}),
            watched(at(1.0, MIB)) if state == "ok" else None,
        )
        for state in ("ok", "dead", "ok")
    ]
    lines = text(several(found, width, height, interval=2.0))
    assert len(lines) == height and all(cell_len(line) <= width for line in lines)
    assert "Nothing is mounted" in "\n".join(text(several([], 80, 24, interval=1.0)))


def test_rates_are_of_the_time_between() -> None:
    before = at(10.0, 10 * MIB, [file(1, MIB), file(2, 5 * MIB)])
    now = at(12.0, 30 * MIB, [file(1, 5 * MIB), file(2, 5 * MIB), file(3, 2 * MIB)])
    lines = "\n".join(text(one(watched(now, before), 100, 24, interval=2.0)))
    assert "read by programs" in lines and "10 MiB/s" in lines and "30 MiB in all" in lines
    assert "50 % of what was read in memory, 25 % of the rest on disk" in lines
    assert "GET 10.0/s, LIST 0/s, HEAD 0/s; 30 ms a GET" in lines
    assert [(one.rate, one.at) for one in open_files(before, now)] == [(2 * MIB, 0.25), (MIB, 0.25), (0, 0.25)]
    assert "open files: 3" in lines and "2 MiB/s  25 %  strides" in lines


def test_the_first_look_is_the_average_since_the_mount() -> None:
    assert "1 MiB/s" in "\n".join(text(one(watched(at(1.0, 10 * MIB)), 80, 24, interval=1.0)))


def test_failures_stand_out() -> None:
    lines = one(watched(at(1.0, MIB, throttled=2, archived=1)), 80, 24, interval=1.0)
    (shown,) = [line for line in lines if line and line[0][0].startswith("failures")]
    assert shown[1] == ("2 throttled, 1 archived; the last: /a\\x1b[31m\\n/b", "bad")
    assert "failures         none" in "\n".join(text(one(watched(at(1.0)), 80, 24, interval=1.0)))


def test_what_is_not_shown_is_counted() -> None:
    files = [file(i, MIB) for i in range(40)]
    lines = text(one(watched(at(1.0, MIB, files)), 80, 24, interval=1.0))
    shown = sum("strides" in line for line in lines)
    assert f"and {40 - shown} more" in lines[-2] and shown >= 8


def test_the_end_of_a_long_path_is_what_is_shown() -> None:
    lines = text(one(watched(at(1.0, MIB, [file(1, MIB, "d/" * 200 + "the-file.nii")])), 80, 24, interval=1.0))
    assert any(line.endswith("/the-file.nii") and "..." in line for line in lines)


def test_bars_are_relative_to_the_highest() -> None:
    assert spark([0, 1, 4, 8], 10) == " ▂▅█"
    assert spark([1, 2, 3], 2, blocks=False) == "*@"
    assert spark([0, 0], 10) == "" and spark([1], 0) == ""


def test_a_line_for_where_there_is_no_terminal() -> None:
    assert live_view.as_text(watched(at(1.0, 10 * MIB))) == (
        "/mnt/brains: read 1 MiB/s, memory 50 %, fetched 768 KiB/s, disk 256 KiB/s, requests 1.0/s, open 0, failures 0"
    )
