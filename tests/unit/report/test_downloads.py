"""Scripts and tables of what was read, as the programs that take them see them."""

from __future__ import annotations

import csv
import io
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mountnd.report import downloads
from mountnd.report.formats import FORMATS

from .documents import HOSTILE, document, row, source

# In place of the program: tells its arguments, each ended by a NUL.
STUB = '#!/bin/sh\nprintf "%s\\0" "$(basename "$0")" "$@" >> "$TOLD"\n'


def run(script: bytes, tmp_path: Path) -> list[list[bytes]]:
    """The calls that a script makes, in an empty directory in which it must leave nothing but directories."""
    programs, place, told = tmp_path / "bin", tmp_path / "place", tmp_path / "told"
    programs.mkdir()
    place.mkdir()
    for name in ("aws", "rclone", "curl"):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    (tmp_path / "script").write_bytes(script)
    env = {"PATH": f"{programs}{os.pathsep}{os.defpath}", "TOLD": str(told), "LC_ALL": "C"}
    done = subprocess.run(
        ["bash", str(tmp_path / "script")], cwd=place, env=env, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert all(path.is_dir() for path in place.rglob("*")), "a key was obeyed"
    words = told.read_bytes().split(b"\0")[:-1] if told.exists() else []
    calls: list[list[bytes]] = []
    for word in words:
        if word in (b"aws", b"rclone", b"curl") and (not calls or calls[-1]):
            calls.append([])
        calls[-1].append(word)
    return calls


def hostile() -> dict[str, Any]:
    return document(*(row(f"ds000001/{name}") for name in HOSTILE))


@pytest.mark.parametrize(("name", "at"), [("aws", -2), ("rclone", -2)])
def test_each_key_reaches_the_program_as_it_is(name: str, at: int, tmp_path: Path) -> None:
    script = FORMATS[name].write(hostile())
    calls = run(script, tmp_path)
    assert len(calls) == len(HOSTILE)
    told = {call[at].rpartition(b"openneuro.org/")[2] for call in calls}
    assert told == {os.fsencode(f"ds000001/{key}") for key in HOSTILE}
    assert {call[-1] for call in calls} == {os.fsencode(f"./ds000001/{key}") for key in HOSTILE}
    # A line each, and nothing but the beginning before them.
    assert script.count(b"\n") == len(HOSTILE) + 3


@pytest.mark.parametrize(
    ("facts", "options"),
    [
        ({}, ["--no-sign-request", "--region", "us-east-1"]),
        ({"signed": True, "profile": "lab"}, ["--region", "us-east-1", "--profile", "lab"]),
        ({"endpoint_url": "http://h:1", "region": ""}, ["--no-sign-request", "--endpoint-url", "http://h:1"]),
        ({"requester_pays": True, "signed": True}, ["--region", "us-east-1", "--request-payer", "requester"]),
    ],
)
def test_the_options_of_aws(facts: dict[str, Any], options: list[str], tmp_path: Path) -> None:
    (call,) = run(FORMATS["aws"].write(document(sources=[source(**facts)])), tmp_path)
    assert [word.decode() for word in call[3:-2]] == options


def test_a_version_is_got_as_that_version(tmp_path: Path) -> None:
    (call,) = run(FORMATS["aws"].write(document(row(version="v1"))), tmp_path)
    assert b" ".join(call).startswith(b"aws s3api get-object") and b"--version-id v1" in b" ".join(call)
    assert (tmp_path / "place/ds000001/sub-01/anat").is_dir()


def test_other_sources_are_got_by_curl_or_named(tmp_path: Path) -> None:
    web = source(kind="https", url="https://host/data/")
    (call,) = run(FORMATS["aws"].write(document(sources=[web])), tmp_path)
    assert call[0] == b"curl" and call[-1] == b"https://host/data/ds000001/sub-01/anat/sub-01_T1w.nii.gz"
    links = document(sources=[source(kind="links", url="/l.txt")])
    assert "has no address that can be used without a mount" in downloads.rclone(links)


def test_rclones_remote_is_one_word_with_its_own_quotes() -> None:
    text = downloads.rclone(document(sources=[source(endpoint_url="http://h:1", signed=True, profile="my lab")]))
    assert (
        """':s3,provider=Other,env_auth=true,profile=my lab,region=us-east-1,endpoint="http://h:1":openneuro""" in text
    )


def test_the_table_for_datalad_holds_each_row_whole() -> None:
    data = FORMATS["datalad"].write(hostile())
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))
    assert len(rows) == len(HOSTILE)
    assert {one["path"] for one in rows} >= {
        "ds000001/new\nline\tand\x1b[31mcolour.txt",
        "ds000001/comma,semicolon;.csv",
    }
    assert all(one["url"].startswith("https://s3.us-east-1.amazonaws.com/openneuro.org/ds000001/") for one in rows)
    assert {one["etag"] for one in rows} == {"abc"}
    assert "%FFutf8%80" in next(one["url"] for one in rows if "utf8" in one["path"])
