"""`mountnd versions SOURCE`."""

from __future__ import annotations

import json

import pytest

from tests.support.cli import run_mountnd

from .conftest import TREES, Stage


def versions(stage: Stage, *args: str) -> str:
    done = run_mountnd("versions", *args, "--snapshots-url", stage.service.url)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sizes() -> list[int]:
    return [sum(map(len, tree.values())) for tree in TREES.values()]


@pytest.mark.parametrize("word", ["openneuro/ds000001", "ds000001", "10.18112/openneuro.ds000001.v1.0.1"])
def test_tags_dates_and_sizes(word: str, stage: Stage) -> None:
    lines = versions(stage, word).splitlines()
    assert lines[0].split() == ["Tag", "Date", "Size"]
    assert [line.split()[:2] for line in lines if line.startswith("1.0.")] == [
        ["1.0.0", "2020-01-01"],
        ["1.0.1", "2020-01-02"],
        ["1.0.2", "2020-01-03"],
    ]
    assert "mountnd openneuro/ds000001@1.0.2 DIR" in lines[-1]


def test_json(stage: Stage) -> None:
    told = json.loads(versions(stage, "openneuro/ds000001", "--json"))
    assert told["dataset"] == "ds000001"
    assert told["service"] == stage.service.url
    assert told["snapshots"] == [
        {"tag": tag, "created": f"2020-01-0{day}T00:00:00.000Z", "size": size}
        for day, (tag, size) in enumerate(zip(TREES, sizes(), strict=True), 1)
    ]


def test_a_service_that_does_not_tell_sizes(stage: Stage) -> None:
    """The issue's schema: they are added up."""
    stage.service.switch(schema="old")
    told = json.loads(versions(stage, "openneuro/ds000001", "--json"))
    assert [one["size"] for one in told["snapshots"]] == sizes()


def test_what_cannot_be_listed(stage: Stage) -> None:
    for word, code, said in [
        ("indi", 2, "nobody is known to keep snapshots of it"),
        ("openneuro", 2, "name one: openneuro/ds000001"),
        ("openneuro/ds999999", 1, "knows no public data set ds999999"),
    ]:
        flags = ["--snapshots-url", stage.service.url] if word.startswith("openneuro") else []
        done = run_mountnd("versions", word, *flags)
        assert (done.returncode, done.stdout) == (code, "")
        assert said in done.stderr
    done = run_mountnd("versions")
    assert done.returncode == 2
    assert "SOURCE" in done.stderr


def test_no_snapshots_yet(stage: Stage) -> None:
    stage.service.know({"ds000001": []})
    assert versions(stage, "openneuro/ds000001") == "ds000001 has no snapshots yet\n"
    assert json.loads(versions(stage, "openneuro/ds000001", "--json"))["snapshots"] == []
