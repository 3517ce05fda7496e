"""What a request wants of a data set, from paths alone."""

from __future__ import annotations

from typing import Any

from mountnd.jobs.paths import Listed, components
from mountnd.jobs.request import PrefetchRequest
from mountnd.jobs.schema import vocabulary
from mountnd.jobs.selection import Selection, Verdict

STUDY = [
    "README",
    "dataset_description.json",
    "participants.tsv",
    "task-rest_bold.json",
    "T1w.json",
    "dwi.bval",
    ".bidsignore",
    "code/README",
    "code/run.py",
    "sub-01/sub-01_scans.tsv",
    "sub-01/sub-01_task-rest_bold.json",
    "sub-01/anat/sub-01_T1w.nii.gz",
    "sub-01/anat/sub-01_T1w.json",
    "sub-01/func/sub-01_task-rest_bold.nii.gz",
    "sub-01/func/sub-01_task-rest_bold.json",
    "sub-01/func/sub-01_task-rest_events.tsv",
    "sub-02/func/sub-02_task-rest_bold.nii.gz",
    "sub-02/func/sub-02_task-rest_bold.json",
    "derivatives/p/dataset_description.json",
    "derivatives/p/sub-01/func/sub-01_task-rest_desc-preproc_bold.nii.gz",
    "derivatives/q/dataset_description.json",
    "derivatives/q/sub-03/anat/sub-03_T1w.nii.gz",
]


def chosen(base: str = "", **asked: Any) -> set[str]:
    """The paths that are fetched, as the walk goes about it."""
    request = PrefetchRequest(paths=(base,), vocabulary=vocabulary(), **asked)
    selection, top = Selection(request), components(base)
    yes, perhaps = [], []
    for path in map(components, STUDY):
        below = path[len(top) :] if path[: len(top)] == top else None
        if below is None and path[:-1] != top[: len(path) - 1]:
            continue  # neither below nor beside the way
        if below is not None and not all(selection.enters(below[:i]) for i in range(1, len(below))):
            continue
        verdict = selection.of(path, below)
        if verdict is not Verdict.NO:
            (yes if verdict is Verdict.YES else perhaps).append(path)
    return {"/".join(path) for path in [*yes, *(selection.belonging(perhaps, yes) if selection.by_entities else [])]}


TOP = {"README", "dataset_description.json", "participants.tsv", ".bidsignore"}


def test_without_filters_everything() -> None:
    assert chosen() == set(STUDY)
    assert chosen("sub-01") == {path for path in STUDY if path.startswith("sub-01/")}


def test_a_subject_with_what_describes_the_data_sets_and_what_it_inherits() -> None:
    own = {path for path in STUDY if "sub-01" in path}
    assert chosen(entities={"sub": ("01",)}) == own | TOP | {
        "task-rest_bold.json", "T1w.json", "derivatives/p/dataset_description.json",
    }  # fmt: skip


def test_images_of_a_kind_with_their_sidecars_from_all_levels() -> None:
    found = chosen(entities={"sub": ("01",)}, suffixes=("bold",), extensions=("nii.gz",), exclude=("derivatives",))
    assert found == TOP | {
        "sub-01/func/sub-01_task-rest_bold.nii.gz", "sub-01/func/sub-01_task-rest_bold.json",
        "sub-01/sub-01_task-rest_bold.json", "task-rest_bold.json",
    }  # fmt: skip


def test_what_belongs_may_lie_above_what_is_prefetched() -> None:
    found = chosen("sub-02/func", suffixes=("bold",), extensions=("nii.gz",))
    assert found == TOP | {
        "sub-02/func/sub-02_task-rest_bold.nii.gz", "sub-02/func/sub-02_task-rest_bold.json", "task-rest_bold.json",
    }  # fmt: skip


def test_metadata_can_be_excluded_and_patterns_narrow() -> None:
    assert chosen(suffixes=("T1w",), exclude=("*.json", "README", "*.tsv", ".bidsignore")) == {
        "sub-01/anat/sub-01_T1w.nii.gz", "derivatives/q/sub-03/anat/sub-03_T1w.nii.gz",
    }  # fmt: skip
    assert chosen(include=("sub-0*/func/*.nii.gz",)) == {
        "sub-01/func/sub-01_task-rest_bold.nii.gz", "sub-02/func/sub-02_task-rest_bold.nii.gz",
    }  # fmt: skip


def test_what_there_is_instead_is_told() -> None:
    request = PrefetchRequest(
        paths=("",), vocabulary=vocabulary(), entities={"sub": ("99",)}, suffixes=("bold",), extensions=("mat",)
    )
    selection = Selection(request)
    for path in map(components, STUDY):
        assert selection.of(path, path) is not Verdict.YES
    assert selection.seen()["--sub"] == ["01", "02", "03"]
    assert "nii.gz" in selection.seen()["--ext"] and "T1w" in selection.seen()["--suffix"]


def test_a_list_of_paths() -> None:
    listed = Listed({("a", "b"), ("a", "c.txt"), ("gone",), ("d",)})
    assert listed.enters(("a",)) and listed.enters(("a", "b", "deep")) and not listed.enters(("e",))
    assert listed.holds(("a", "c.txt")) and listed.holds(("d", "x", "y")) and not listed.holds(("a", "x"))
    assert listed.missing() == [("gone",)]
    everything = Listed({()})
    assert everything.holds(("x",)) and everything.enters(("x",)) and everything.missing() == []
