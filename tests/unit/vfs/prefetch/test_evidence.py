"""Which files a walk opens, learnt from those it opened and those it passed by."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from mountnd.vfs.prefetch.evidence import ALL, ENOUGH, FADING, REMEMBERED, Evidence

from .trees import parts


def learnt(opened: Iterable[str] = (), passed: Iterable[str] = ()) -> Evidence:
    evidence = Evidence()
    for path in opened:
        evidence.note(parts(path), True)
    for path in passed:
        evidence.note(parts(path), False)
    return evidence


def wants(evidence: Evidence, *paths: str) -> list[bool]:
    return [evidence.wants(parts(path)) for path in paths]


T1 = "sub-{0:02d}/anat/sub-{0:02d}_T1w.nii.gz"
JSON = "sub-{0:02d}/anat/sub-{0:02d}_T1w.json"


def test_the_numbers() -> None:
    assert (FADING, ENOUGH, ALL, REMEMBERED) == (0.75, 1.5, 0.75, 4096)


def test_nothing_is_wanted_before_anything_was_opened() -> None:
    assert wants(Evidence(), T1.format(1), "x") == [False, False]
    assert wants(learnt(passed=["a.json"]), "b.json", "c.nii") == [False, False]


@pytest.mark.parametrize(
    ("opened", "path", "expect"),
    [
        (T1, T1, True),
        (T1, "sub-09/anat/sub-09_run-2_T1w.nii.gz", True),
        ("s/{:04d}.dcm", "t/9999.dcm", True),
        ("a_{}.txt", "b.txt", True),
    ],
)
def test_what_is_called_or_ends_alike_is_wanted(opened: str, path: str, expect: bool) -> None:
    assert wants(learnt([opened.format(1), opened.format(2)]), path.format(9)) == [expect]


def test_of_what_it_has_not_met_it_wants_nothing_unless_it_took_all_it_met() -> None:
    assert wants(learnt([T1.format(1), JSON.format(1)]), "sub-01/func/x.tsv") == [True]
    assert wants(learnt([T1.format(1)], [JSON.format(1)]), "sub-01/func/x.tsv", "y") == [False, False]
    assert wants(learnt(["a.1", "a.2x", "a.3y", "a.4z"], ["b.json"]), "c.tsv") == [False]


def test_the_narrowest_that_was_seen_decides() -> None:
    """All images but those of the second task; then an unseen task as images, an unseen suffix as the extension."""
    evidence = learnt(
        [f"s{n}/s{n}_task-a_bold.nii" for n in range(4)], [f"s{n}/s{n}_task-b_bold.nii" for n in range(3)]
    )
    assert wants(evidence, "s9/s9_task-a_bold.nii", "s9/s9_task-b_bold.nii") == [True, False]
    evidence.note(parts("s8/s8_task-a_bold.nii"), True)
    evidence.note(parts("s8/s8_task-a_bold.nii"), True)
    assert wants(evidence, "s9/s9_task-c_bold.nii", "s9/s9_T1w.nii") == [True, True]
    assert wants(evidence, "s9/s9_task-b_bold.nii") == [False]


@pytest.mark.parametrize(("passed", "expect"), [(0, True), (1, True), (2, True), (3, False), (9, False)])
def test_what_is_left_out_is_left_alone_after_three(passed: int, expect: bool) -> None:
    opened = [T1.format(n) for n in range(20)]
    assert wants(learnt(opened, opened[:passed]), T1.format(30)) == [expect]
    more = learnt(opened, opened[:passed])
    for n in range(3):
        more.note(parts(T1.format(n)), True)
    assert wants(more, T1.format(30)) == [True], "and taken again after as many"


def test_the_directory_that_tells_most_decides() -> None:
    """One session of three is opened, whatever subject it is of."""
    evidence = Evidence()
    path = "sub-{0}/ses-{1}/sub-{0}_ses-{1}_T1w.nii"
    for s in range(4):
        for e in range(3):
            evidence.note(parts(path.format(s, e)), e == 1)
    assert [evidence.wants(parts(path.format(9, e))) for e in range(3)] == [False, True, False]
    assert evidence.wants(parts(path.format(9, 7))) is False, "a third of them are opened"


def test_a_directory_met_once_says_nothing_yet() -> None:
    opened = [f"d{n}/x.nii" for n in range(10)]
    assert wants(learnt(opened, ["bad/x.nii"]), "bad/y.nii", "bad/x.nii") == [True, True]
    assert wants(learnt(opened, ["bad/x.nii", "bad/x.nii"]), "bad/x.nii") == [False]


def test_a_file_passed_by_may_say_something_of_its_name_only() -> None:
    opened = [f"a/s_task-{n}_bold.nii" for n in range(4)]
    for by_name, expect in ((True, True), (False, False)):
        evidence = learnt(opened)
        for _ in range(4):
            evidence.note(parts("a/s_task-x_bold.nii"), False, by_name=by_name)
        assert wants(evidence, "b/s_task-x_bold.nii", "b/s_task-new_bold.nii") == [False, expect]


@pytest.mark.parametrize("by_name", [False, True])
def test_what_is_taken_back_was_no_sign(by_name: bool) -> None:
    """Threads come a little out of order: a file passed by is opened after all."""
    evidence = learnt(T1.format(n) for n in range(20))
    for n in range(100):
        path = parts(T1.format(20 + n))
        evidence.note(path, False, by_name=by_name)
        evidence.take_back(path, by_name=by_name)
        evidence.note(path, True)
        assert wants(evidence, T1.format(200)) == [True]


def test_another_way_forgives_kinds_that_it_opens_only() -> None:
    opened, passed = [T1.format(n) for n in range(5)], [JSON.format(n) for n in range(5)]
    evidence = learnt(opened, [*opened, *passed])
    assert wants(evidence, T1.format(9), JSON.format(9)) == [False, False]
    evidence.forgive()
    assert wants(evidence, T1.format(9), JSON.format(9)) == [True, False]


def test_beyond_what_it_remembers_endings_are_left() -> None:
    evidence = Evidence()
    for n in range(2 * REMEMBERED):
        evidence.note(parts(f"d{n}/called-{n}_bold.nii"), True)
        evidence.note(parts(f"d{n}/called-{n}_bold.json"), False)
        assert len(evidence._places) + len(evidence._whats) <= REMEMBERED + 8
    assert wants(evidence, "x/y_bold.nii", "x/y_bold.json", "x/y_dwi.nii") == [True, False, True]


def test_shares_stay_shares() -> None:
    """Whatever is noted and taken back."""
    rng = random.Random(3)
    evidence = Evidence()
    for _ in range(5000):
        path = parts(f"d{rng.randrange(4)}/f{rng.randrange(4)}_{rng.choice('xy')}.{rng.choice('ab')}")
        if rng.random() < 0.3:
            evidence.take_back(path, by_name=rng.random() < 0.5)
        elif rng.random() < 0.02:
            evidence.forgive()
        else:
            evidence.note(path, rng.random() < 0.5, by_name=rng.random() < 0.3)
        for seen in (*evidence._whats.values(), *evidence._places.values()):
            assert 0 <= seen.opened <= seen.met <= 1 / (1 - FADING)
