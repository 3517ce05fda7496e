"""What names say: extensions, endings, what a file is called, and how alike two names are."""

from __future__ import annotations

import pytest

from mountnd.vfs.prefetch.names import ENTITIES, OTHER, STEM, called, ending, extension, likeness

from .trees import parts


@pytest.mark.parametrize(
    ("name", "expect"),
    [
        ("sub-01.a_T1w.json", ".json"),
        ("sub-01_T1w.nii.gz", ".nii.gz"),
        ("a.tar.xz", ".tar.xz"),
        ("a.gz", ".gz"),
        ("a.b.c", ".c"),
        ("README", ""),
        (".bidsignore", ""),
        (".hidden.json", ".json"),
        ("dot.", "."),
        ("", ""),
    ],
)
def test_the_extension(name: str, expect: str) -> None:
    assert extension(name) == expect


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        ("sub-01_T1w.nii.gz", "sub-02_ses-9_T1w.nii.gz", True),
        ("sub-01_T1w.nii.gz", "sub-01_T2w.nii.gz", False),
        ("sub-01_bold.json", "sub-01_bold.nii", False),
        ("img_00.nii", "img_99.nii", True),
        ("alpha.mgz", "beta.mgz", True),
        ("alpha.mgz", "alpha.json", False),
        ("MR.1.2.840.1", "MR.1.2.840.27", True),
        ("c.0.0", "c.0.11", True),
        ("README", "LICENSE", True),
        ("a_README", "README", False),
    ],
)
def test_files_that_end_alike(a: str, b: str, alike: bool) -> None:
    assert (ending(a) == ending(b)) is alike


@pytest.mark.parametrize(
    ("path", "expect"),
    [
        ("sub-01/func/sub-01_task-rest_run-2_bold.json", "task-rest_run-2_bold.json"),
        ("sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz", "T1w.nii.gz"),
        ("sub-01/sub-01.json", ".json"),
        ("a/0007.dcm", "#.dcm"),
        ("a/12", "#"),
        ("a/12_x", "12_x"),
        ("participants.tsv", "participants.tsv"),
        ("sub-02/anat/sub-01_T1w.nii", "sub-01_T1w.nii"),
    ],
)
def test_what_a_file_is_called_in_its_directories(path: str, expect: str) -> None:
    assert called(parts(path)) == expect


@pytest.mark.parametrize(
    ("a", "b", "expect"),
    [
        ("sub-01_dwi.bval", "sub-01_dwi.nii.gz", STEM),
        ("sub-01_task-a_bold.json", "sub-01_task-a_events.tsv", ENTITIES),
        ("sub-01_task-a_bold.json", "sub-01_task-b_bold.json", OTHER),
        ("image_0001.json", "image_0002.json", ENTITIES),
        ("a.json", "b.json", OTHER),
    ],
)
def test_likeness(a: str, b: str, expect: int) -> None:
    assert likeness(a, b) == likeness(b, a) == expect
