"""Formats by name and by ending, and files that are written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mountnd.errors import MountError, UsageError
from mountnd.report.formats import FORMATS, check, format_of, write

from .documents import HOSTILE, document, row


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("report.html", "html"), ("R.HTM", "html"), ("x/report.json", "json"), ("urls.csv", "datalad"),
        ("out/ro-crate-metadata.json", "rocrate"), ("dataset_description.json", "bids"),
    ],
)  # fmt: skip
def test_the_ending_tells_the_format(name: str, called: str) -> None:
    assert format_of(name) == called


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.sh"])
def test_other_endings_need_a_word(name: str) -> None:
    with pytest.raises(UsageError, match=r"ending.*\.html.*--format"):
        format_of(name)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("html", "rocrate")])
def test_each_format_takes_hostile_names(name: str) -> None:
    assert FORMATS[name].write(document(*(row(f"ds000001/{key}") for key in HOSTILE)))


def test_json_is_the_document(tmp_path: Path) -> None:
    told = document(*(row(f"ds000001/{key}") for key in HOSTILE))
    assert json.loads(FORMATS["json"].write(told)) == told


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    write(path, b"new")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["report.html"]


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(MountError, match="is a directory"):
        write(tmp_path, b"x")
    with pytest.raises(MountError, match="cannot be written: No such file or directory"):
        write(tmp_path / "missing/report.html", b"x")
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(MountError, match="cannot be written"):
        write(tmp_path / "f/report.html", b"x")
    assert os.listdir(tmp_path) == ["f"]


def test_a_report_at_the_end_is_looked_at_before_the_mount(tmp_path: Path) -> None:
    mnt = tmp_path / "mnt"
    check(tmp_path / "r.html", mnt)
    for path, why in (
        (tmp_path / "r.pdf", "ending"),
        (mnt / "r.html", "read-only"),
        (tmp_path / "missing/r.html", "is no directory"),
    ):
        with pytest.raises(UsageError, match=why):
            check(path, mnt)
    (tmp_path / "d.html").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        check(tmp_path / "d.html", mnt)
