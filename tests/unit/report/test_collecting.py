"""A daemon's answers become one document; what is read from a file is looked at first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import mountnd
from mountnd.report import collecting, datasets
from mountnd.usage.ranges import MOST

from .documents import HOSTILE, Daemon, document, row, wait


def test_rows_of_one_version_are_added_up_wherever_they_come_from() -> None:
    later = row(opens=2, opened=5.0, asked=300, fetched=0, ahead=40, disk=60, how="random", how_bytes=10,
                ranges=((400, 700), (), (700, 740), (740, 800)))  # fmt: skip
    told = document(row(), archived=[[later], [row(etag='"other"')]])
    mine, other = sorted(told["files"], key=lambda file: file["etag"])
    assert other["etag"] == '"other"' and other["opens"] == 1
    assert (mine["opens"], mine["bytes_asked"], mine["bytes_read"]) == (3, 800, 700)
    assert (mine["bytes_fetched"], mine["bytes_fetched_ahead"], mine["bytes_from_disk"]) == (1040, 40, 60)
    assert mine["how"] == "in order", "the handle that read the most says how"
    assert mine["ranges"] == {"read": [[0, 700]], "fetched": [[0, 1000]], "ahead": [[700, 740]], "disk": [[740, 800]]}
    assert mine["first_opened"].startswith("1970-01-01")


def test_many_ranges_stay_bounded_and_say_so() -> None:
    even = tuple(b for i in range(MOST) for b in (4 * i, 4 * i + 1))
    odd = tuple(b for i in range(MOST) for b in (4 * i + 2, 4 * i + 3))
    told = document(row(ranges=(even, (), (), ())), archived=[[row(ranges=(odd, (), (), ()))]])
    (file,) = told["files"]
    assert len(file["ranges"]["read"]) == MOST and not file["exact"]


def test_what_nobody_opened_is_counted_and_not_listed() -> None:
    told = document(row(), row("ds000001/ahead", opens=0, path="", fetched=0, ahead=70, ranges=((), (), (0, 70), ())))
    assert [file["key"] for file in told["files"]] == ["ds000001/sub-01/anat/sub-01_T1w.nii.gz"]
    assert told["never_opened"] == {"files": 1, "bytes": 70}


def test_the_most_read_comes_first() -> None:
    told = document(*(row(f"ds000001/{n}", ranges=((0, n), (), (), ())) for n in (1, 30, 2)))
    assert [file["bytes_read"] for file in told["files"]] == [30, 2, 1]


def test_paths_are_asked_for_in_requests_that_a_daemon_takes() -> None:
    daemon = Daemon([row(f"d{'x' * 200}{i}/{'y' * 200}/\udcff/f") for i in range(600)])
    collecting.collect(daemon)
    asked = [arguments["paths"] for verb, arguments in daemon.asked if verb == "datasets"]
    assert len(asked) > 1
    assert all(len(json.dumps({"verb": "datasets", "paths": paths})) < 60_000 for paths in asked)
    assert len({path for paths in asked for path in paths}) == min(datasets.MOST, 1 + 3 * 600)


def test_a_dataset_is_what_lies_nearest_around_a_file() -> None:
    described = {"ds000001": json.dumps({"Name": "raw"}), "ds000001/derivatives/fmriprep": "no JSON {"}
    told = document(
        row(), row("ds000001/derivatives/fmriprep/sub-01/x.nii"), row("elsewhere/x.nii"), datasets=described
    )
    assert {one["path"]: one["files_read"] for one in told["datasets"]} == {
        "ds000001": 1, "ds000001/derivatives/fmriprep": 1,
    }  # fmt: skip
    raw, derived = sorted(told["datasets"], key=lambda one: one["path"])
    assert (raw["name"], raw["url"], raw["doi"]) == ("raw", "s3://openneuro.org/ds000001", None)
    assert derived["name"] is None and derived["licence"] == "CC0", "the preset's, where it says none"
    # The derivatives lie in the other one, and are counted with it.
    assert told["saved"]["whole_of"] == "datasets" and told["saved"]["whole"] == 9000


@pytest.mark.parametrize(
    ("said", "doi", "version"),
    [
        ("10.18112/openneuro.ds000001.v1.0.0", "10.18112/openneuro.ds000001.v1.0.0", "1.0.0"),
        ("https://doi.org/10.18112/openneuro.ds000001.v1.0.0", "10.18112/openneuro.ds000001.v1.0.0", "1.0.0"),
        ("doi:10.18112/openneuro.ds000001", "10.18112/openneuro.ds000001", None),
        ("10.5281/zenodo.1234", "10.5281/zenodo.1234", None),
        ("to be assigned", None, None),
        (["10.1/x"], None, None),
    ],
)
def test_what_people_write_for_a_doi(said: object, doi: str | None, version: str | None) -> None:
    (dataset,) = document(datasets={"ds000001": json.dumps({"DatasetDOI": said})})["datasets"]
    assert (dataset["doi"], dataset["version"]) == (doi, version)


def test_without_datasets_the_whole_is_all_that_is_mounted() -> None:
    saved = document(datasets={})["saved"]
    assert (saved["whole_of"], saved["whole"], saved["whole_is_complete"]) == ("sources", 50_000, False)


def test_waits_are_told_with_their_path() -> None:
    (told,) = document(waits=[wait()])["waits"]
    assert told["path"] == "ds000001/x" and "where" not in told and told["at"].startswith("2023-11-1")


def test_hostile_names_come_back_from_a_file_as_they_are() -> None:
    told = document(*(row(f"ds000001/{name}") for name in HOSTILE))
    assert {file["key"] for file in told["files"]} == {f"ds000001/{name}" for name in HOSTILE}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no report"),
        ('{"format": "other"}', "no report"),
        ('{"format": "mountnd-report", "version": 99}', "version 99"),
    ],
)
def test_what_is_no_report_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        collecting.loaded(text)


def keys(value: Any, under: tuple[str, ...] = ("counters", "totals", "failures")) -> set[str]:
    """The keys of all objects in a value, but for what is explained elsewhere."""
    if isinstance(value, list):
        return set().union(*map(keys, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(keys(inside) for name, inside in value.items() if name not in under))


def test_each_key_is_documented() -> None:
    page = (Path(mountnd.__file__).parent / "help/reports.md").read_text()
    documented = set(re.findall(r"`([a-z_]+)`", page))
    told = document(row(), row("ds000001/x", opens=0), waits=[wait()])
    assert told["files"] and told["waits"] and told["datasets"] and told["cost"]["by_source"]
    assert keys(told) - documented == set()
