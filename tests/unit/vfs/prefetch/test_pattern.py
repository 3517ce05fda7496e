"""ChildNames: which part of a path moves, what files of a kind are, and how likeness two names are."""

from __future__ import annotations

from mountnd.vfs.prefetch.pattern import (
    ENTITIES,
    OTHER,
    STEM,
    Path,
    Skipped,
    VaryingParts,
    extension,
    kind,
    likeness,
    successors,
    varying_parts,
)

from .trees import Tree, bids, parts


def test_a_kind_is_depth_and_ending() -> None:
    assert kind(parts("a/sub-01_T1w.nii.gz")) == kind(parts("b/sub-02_ses-9_T1w.nii.gz"))
    assert kind(parts("a/sub-01_T1w.nii.gz")) != kind(parts("a/sub-01_T2w.nii.gz"))
    assert kind(parts("a/sub-01_bold.json")) != kind(parts("a/sub-01_bold.nii"))
    assert kind(parts("img_00.nii")) == kind(parts("img_99.nii"))
    assert kind(parts("alpha.mgz")) == kind(parts("beta.mgz"))
    assert kind(parts("x/alpha.mgz")) != kind(parts("beta.mgz"))


def test_a_subjects_name_in_the_files_name_moves_with_the_directory() -> None:
    a, b = parts("sub-01/anat/sub-01_T1w.nii"), parts("sub-02/anat/sub-02_T1w.nii")
    assert varying_parts([a, b]) == VaryingParts(frozenset({0}), frozenset())


def test_successors_keep_what_does_not_move() -> None:
    tree = Tree(bids(4))
    at = parts("sub-001/ses-1/func/sub-001_ses-1_task-rest_run-0_bold.json")

    def following(varying: VaryingParts) -> list[Path]:
        return [p for p in successors(tree, at, varying) if not isinstance(p, Skipped)]

    subjects = following(VaryingParts(frozenset({0}), frozenset()))
    assert [p[0] for p in subjects] == ["sub-002", "sub-003"]
    assert {p[1] for p in subjects} == {"ses-1"}
    both = following(VaryingParts(frozenset({0, 1}), frozenset()))
    assert [p[:2] for p in both] == [
        ("sub-001", "ses-2"),
        *[(f"sub-00{s}", f"ses-{e}") for s in (2, 3) for e in range(3)],
    ]
    runs = following(VaryingParts(frozenset(), frozenset({3})))
    assert [p[-1] for p in runs] == ["sub-001_ses-1_task-rest_run-1_bold.json"]


def test_extensions_and_likeness() -> None:
    assert extension("sub-01.a_T1w.json") == ".json"
    assert extension("sub-01_T1w.nii.gz") == ".nii.gz"
    assert extension("README") == extension(".bidsignore") == ""
    assert likeness("sub-01_dwi.bval", "sub-01_dwi.nii.gz") == STEM
    assert likeness("sub-01_task-a_bold.json", "sub-01_task-a_events.tsv") == ENTITIES
    assert likeness("sub-01_task-a_bold.json", "sub-01_task-b_bold.json") == OTHER
    assert likeness("image_0001.json", "image_0002.json") == ENTITIES
    assert likeness("a.json", "b.json") == OTHER
