"""The mounts that run, as `ls` and `stats` show them: a table where it fits, and lines where it does not."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mountnd.cli import running, terminal
from mountnd.cli.running import RunningMount
from mountnd.daemon.rundir import Record

LONG = "/data/brains of the whole department/openneuro/derivatives-2019"
COUNTERS = {"total": {"bytes.asked": 3 << 20, "bytes.fetched": 4 << 20}, "sources": {}, "memory": {}}
FAILED = {**COUNTERS, "failures": {"count": 2}}


def mount(where: str, state: str = "ok", counters: dict[str, object] | None = None) -> RunningMount:
    record = Record(mountpoint=where, pid=4711, started=1, since=1.0, sources=(("lab", "s3://lab"),))
    return RunningMount(Path(where), state, record, "s3://lab", {} if counters is None else counters)


def shown(found: list[RunningMount], capsys: pytest.CaptureFixture[str]) -> str:
    running.show(found)
    return capsys.readouterr().out


@pytest.fixture(params=[60, 80, 120])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A terminal of that width."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setattr(terminal, "is_terminal", lambda _fd: True)
    return int(request.param)


def test_a_table_where_it_fits_with_numbers_flush_right(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    head, first, second = shown([mount("/a", counters=COUNTERS), mount("/b", counters=FAILED)], capsys).splitlines()
    assert head.split() == ["Mountpoint", "Source", "Since", "Read", "Fetched", "State"]
    assert head.index("Read") + len("Read") == first.index("3 MiB") + len("3 MiB")
    assert first.endswith("  ok") and second.endswith("  ok, 2 failures")


@pytest.mark.parametrize("state", ["ok", "starting", "ending", "stopped", "silent", "dead"])
def test_no_line_is_wider_and_a_command_can_be_copied(
    state: str, width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown([mount(LONG, state)], capsys).splitlines()
    quoted = shlex.quote(LONG)
    word = len(quoted) + len("    ")  # a quoted word is never broken, since a shell would not take it together again
    assert max(map(len, lines)) <= max(width, word)
    said = "\n".join(lines).replace("\\\n", " ")
    flat = " ".join(said.split())
    assert "derivatives-2019" in flat
    if state in ("silent", "dead"):
        typed = "mountnd umount --lazy" if state == "silent" else "mountnd umount"
        assert f"{typed} {quoted}" in flat
    assert ("kill -CONT 4711" in flat) == (state == "stopped")


def test_one_line_each_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown([mount(LONG, "dead")], capsys).splitlines()
    assert said[0] == f"{LONG}: dead"
    assert said[-1] == (
        f"{LONG}: its daemon is gone and left the mount behind; to remove it: mountnd umount {shlex.quote(LONG)}"
    )
