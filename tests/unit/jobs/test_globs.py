"""Patterns of paths: which fit, and into which directories one must look for something that does."""

from __future__ import annotations

import pytest

from mountnd.errors import UsageError
from mountnd.jobs.globs import Globs, check_pattern


def parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")) if path else ()


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        # without a slash: a name at any depth, of a file or of a directory around it
        ("*.json", "a.json", True),
        ("*.json", "sub-01/anat/a.json", True),
        ("*.json", "a.json.gz", False),
        ("sub-01", "sub-01/anat/x.nii", True),
        ("sub-01", "deep/sub-01/x.nii", True),
        ("sub-01", "sub-011/x.nii", False),
        ("sub-?1/", "sub-01/x", True),
        # with one: from the top
        ("sub-0*/anat/**", "sub-01/anat/x.nii", True),
        ("sub-0*/anat/**", "derivatives/sub-01/anat/x.nii", False),
        ("sub-0*/anat", "sub-01/anat/deep/x.nii", True),
        ("/top.txt", "top.txt", True),
        ("/top.txt", "below/top.txt", False),
        ("./a/b", "a/b", True),
        # "*" stops at a slash, "**" stands for any number of directories
        ("a/*.nii", "a/b/x.nii", False),
        ("a/**/x.nii", "a/x.nii", True),
        ("a/**/x.nii", "a/b/c/x.nii", True),
        ("**/anat/*.nii", "anat/x.nii", True),
        ("**/anat/*.nii", "s/t/anat/x.nii", True),
        ("**/anat/*.nii", "s/t/anat/u/x.nii", False),
        ("**", "anything/at/all", True),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("A.txt", "a.txt", False),
        ("x\n.txt", "x\n.txt", True),
    ],
)
def test_what_fits(pattern: str, path: str, fits: bool) -> None:
    assert Globs([pattern]).fit(parts(path)) is fits


@pytest.mark.parametrize(
    ("pattern", "directory", "looks"),
    [
        ("sub-01/anat/**", "", True),
        ("sub-01/anat/**", "sub-01", True),
        ("sub-01/anat/**", "sub-01/anat/deep", True),
        ("sub-01/anat/**", "sub-01/func", False),
        ("sub-01/anat/**", "sub-02", False),
        ("*.json", "any/where", True),
        ("a/*/c", "a/b", True),
        ("a/*/c", "a/b/d", False),
        ("a/**/c", "a/b/d", True),
        ("a", "a/b", True),
    ],
)
def test_where_something_may_fit(pattern: str, directory: str, looks: bool) -> None:
    assert Globs([pattern]).may_fit_below(parts(directory)) is looks


def test_one_of_several_is_enough_and_none_fits_nothing() -> None:
    assert Globs(["*.a", "*.b"]).fit(("x.b",))
    assert not Globs([]).fit(("x",)) and not Globs([])


@pytest.mark.parametrize("pattern", ["", "/", "..", "a/../b", ".", "  "])
def test_a_pattern_that_can_fit_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="no pattern"):
        check_pattern(pattern)
