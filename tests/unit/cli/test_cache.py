"""`mountnd cache`: data sets, objects, and the same for scripts, of a cache that was filled by reading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mountnd.cli.verbs.cache import data_set_of
from tests.unit.blocks.disk.disk_harness import flush, through, with_disk
from tests.unit.blocks.harness import KIB, body

from .calls import call

KEYS = ("ds000001/sub-01/T1w.nii", "ds000001/README", "data/Projects/ABIDE/a.nii", "top.txt")


@pytest.fixture
def filled(tmp_path: Path) -> list[str]:
    """The option that names a cache with an object of 300 KiB for each of KEYS."""
    with with_disk(tmp_path / "blocks") as harness:
        for key in KEYS:
            through(harness, body(300 * KIB), key)
        flush(harness)
    return ["--cache-dir", str(tmp_path)]


def test_a_line_for_each_data_set_and_their_sum(filled: list[str]) -> None:
    answer = call(["cache", "ls", *filled])
    assert answer.code == 0, answer.err
    rows = {line.split("  ")[0]: line.split("  ", 1)[1].split() for line in answer.out.splitlines() if "  " in line}
    assert {name: row[0] for name, row in rows.items() if row[0].isdigit()} == {
        "ds000001": "2", "data/Projects/ABIDE": "1", "(in no directory)": "1", "Total": "4",
    }  # fmt: skip
    assert rows["ds000001"][1:3] == ["600", "KiB"]
    assert "4 objects" in answer.out.splitlines()[-1]


def test_the_objects_of_one_and_all_of_them_as_json(filled: list[str]) -> None:
    one = call(["cache", "ls", "ds000001", *filled]).out
    assert "ds000001/README" in one and "top.txt" not in one and "Total" in one
    for words, keys in (([], KEYS), (["ds000001"], KEYS[:2]), (["nothing"], ())):
        told = json.loads(call(["cache", "ls", *words, "--json", *filled]).out)
        assert {e["key"] for e in told["objects"]} == set(keys)
        assert all((e["size"], e["held"]) == (300 * KIB, 300 * KIB) for e in told["objects"])
        assert told["on_disk"] == sum(e["on_disk"] for e in told["objects"])


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ds000001/sub-01/T1w.nii", "ds000001"),
        ("data/Projects/ABIDE/x/y", "data/Projects/ABIDE"),
        ("data/a", "data"),
        ("a", ""),
        ("Resources/hbn/a", "Resources/hbn"),
    ],
)
def test_the_data_set_of_a_key(key: str, name: str) -> None:
    assert data_set_of(key) == name
