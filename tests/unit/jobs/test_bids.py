"""Names taken apart as BIDS has them, with the words of the schema."""

from __future__ import annotations

import pytest

from mountnd.jobs.bids import Vocabulary, Wanted, applies, parse
from mountnd.jobs.schema import entities, suffixes_like, vocabulary

WORDS = vocabulary()


def name(path: str) -> tuple[dict[str, str], str, str]:
    found = parse(tuple(path.split("/")), WORDS)
    return dict(found.entities), found.suffix, found.extension


def test_the_words_are_the_schemas() -> None:
    names = {one.name: one.long for one in entities()}
    assert len(names) > 30
    assert names["sub"] == "subject" and names["acq"] == "acquisition" and names["ce"] == "ceagent"
    assert set(WORDS.entities) == set(names)
    assert WORDS.entities["run"] and not WORDS.entities["task"]  # whether their values are numbers
    assert {"dataset_description.json", "participants.tsv", "README", "README.md", ".bidsignore"} <= set(
        WORDS.describing
    )


def test_they_survive_the_way_to_a_daemon() -> None:
    from dataclasses import asdict

    assert Vocabulary.from_json(asdict(WORDS)) == WORDS
    assert Vocabulary.from_json({}) == Vocabulary()
    with pytest.raises((TypeError, KeyError)):
        Vocabulary.from_json({"version": "1", "entities": {"a": 1}, "describing": [1]})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "sub-01/ses-a/func/sub-01_ses-a_task-rest_run-02_bold.nii.gz",
            ({"sub": "01", "ses": "a", "task": "rest", "run": "02"}, "bold", "nii.gz"),
        ),
        ("task-rest_bold.json", ({"task": "rest"}, "bold", "json")),
        ("dwi.bval", ({}, "dwi", "bval")),
        ("sub-01/anat/sub-01_hemi-L_pial.surf.gii", ({"sub": "01", "hemi": "L"}, "pial", "surf.gii")),
        # a directory that is a file: what lies in it is named as its program likes
        ("sub-01/meg/sub-01_task-x_meg.ds/x.meg4", ({"sub": "01", "task": "x"}, "meg", "ds")),
        ("sub-01/micr/sub-01_sample-A_SPIM.ome.zarr/0/0", ({"sub": "01", "sample": "A"}, "SPIM", "ome.zarr")),
        # no names of BIDS, but a directory tells whose they are
        ("sub-01/anat/scan.nii", ({"sub": "01"}, "scan", "nii")),
        ("code/run_all.py", ({}, "", "py")),
        ("README", ({}, "", "")),
        # an entity that this version of the schema does not know does not hide the suffix
        ("sub-01/sub-01_future-1_bold.nii", ({"sub": "01"}, "bold", "nii")),
    ],
)
def test_a_name(path: str, expected: tuple[dict[str, str], str, str]) -> None:
    assert name(path) == expected


def wanted(path: str, *suffixes: str, ext: tuple[str, ...] = (), **entities: str) -> bool:
    values = {key: tuple(value.split(",")) for key, value in entities.items()}
    return Wanted(values, suffixes, ext, WORDS).fits(parse(tuple(path.split("/")), WORDS))


BOLD = "sub-01/func/sub-01_task-rest_run-01_bold.nii.gz"


@pytest.mark.parametrize(
    ("fits", "suffixes", "ext", "entities"),
    [
        (True, (), (), {"sub": "01"}),
        (True, (), (), {"sub": "02,01"}),
        (False, (), (), {"sub": "1"}),  # a label is text
        (True, (), (), {"run": "1"}),  # and a number is a number
        (True, (), (), {"sub": "0*", "task": "r?st"}),
        (False, (), (), {"sub": "01", "task": "nback"}),
        (False, (), (), {"acq": "x"}),  # it has none
        (True, ("bold", "T1w"), (), {}),
        (False, ("T1w",), (), {}),
        (True, (), ("nii.gz",), {}),
        (True, (), ("json", ".NII.GZ"), {}),
        (True, (), ("gz",), {}),
        (False, (), ("nii",), {}),
        (False, (), ("i.gz",), {}),
    ],
)
def test_what_is_wanted(fits: bool, suffixes: tuple[str, ...], ext: tuple[str, ...], entities: dict[str, str]) -> None:
    assert wanted(BOLD, *suffixes, ext=ext, **entities) is fits


@pytest.mark.parametrize(
    ("metadata", "data", "is_of_it"),
    [
        ("task-rest_bold.json", BOLD, True),
        ("bold.json", BOLD, True),
        ("sub-01/func/sub-01_task-rest_run-01_bold.json", BOLD, True),
        ("task-nback_bold.json", BOLD, False),
        ("task-rest_events.json", BOLD, False),
        ("acq-x_task-rest_bold.json", BOLD, False),
        ("dwi.bval", "sub-01/dwi/sub-01_dwi.nii.gz", True),
        ("task-rest_events.json", "sub-01/func/sub-01_task-rest_events.tsv", True),
        ("task-rest_events.tsv", "sub-01/func/sub-01_task-rest_events.json", False),
        ("task-rest_events.tsv", "sub-01/func/sub-01_task-rest_events.tsv", False),
        ("T1w.json", "sub-01/anat/sub-01_T1w.json", False),
    ],
)
def test_which_metadata_are_whose(metadata: str, data: str, is_of_it: bool) -> None:
    assert applies(parse(tuple(metadata.split("/")), WORDS), parse(tuple(data.split("/")), WORDS)) is is_of_it


def test_a_suffix_that_is_none_has_some_like_it() -> None:
    assert "bold" in suffixes_like("bld") and suffixes_like("bold") == []
