"""Small files beside the one opened, replayed from traces. What is predicted in vain costs a request each."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import pytest

from mountnd.vfs.prefetch.names import STEM, Path, likeness
from mountnd.vfs.prefetch.sidecars import CREDIT, DIRECTORIES, FRUITLESS_MAX, LARGE, PER_DIRECTORY, SMALL, SidecarPolicy

from .trees import Tree, parts, study


class Replay:
    """Opens and closes files; tells what would have been fetched.

    Attributes:
        predicted: all that was wanted, in order; `hits`: opens of these; `dropped`: predictions given up.
    """

    def __init__(self, files: Mapping[str, int], coming: Iterable[str] = ()) -> None:
        self.tree = Tree(files, coming)
        self.policy = SidecarPolicy(self.tree)
        self.predicted: list[Path] = []
        self.dropped: list[Path] = []
        self.hits = 0

    def open(self, *paths: str) -> Replay:
        for text in paths:
            path = parts(text)
            self.hits += path in self.predicted
            decision = self.policy.opened(path, self.tree.sizes[path])
            self.predicted += [p.path for p in decision.predicted]
            self.dropped += decision.dropped
            self.policy.closed(path, self.tree.sizes[path], self.tree.sizes[path])
        return self

    @property
    def names(self) -> list[str]:
        return [p[-1] for p in self.predicted]

    @property
    def wasted(self) -> int:
        return len(self.predicted) - self.hits


def test_a_sidecar_brings_those_beside_it_its_own_stem_first() -> None:
    files = {f"d/sub-{n}_dwi.{x}": 500 for n in (1, 2, 3) for x in ("bval", "bvec", "json", "nii.gz")}
    replay = Replay(files).open("d/sub-2_dwi.bval")
    assert replay.names[:2] == ["sub-2_dwi.bvec", "sub-2_dwi.json"]
    assert len(replay.names) == 8
    assert not any(n.endswith("nii.gz") for n in replay.names)


def test_only_small_files_that_have_bytes() -> None:
    files = {"d/a.json": 10, "d/b.json": SMALL, "d/c.json": SMALL + 1, "d/e.json": 0, "d/f.nii": 10, "d/g.txt": 10}
    assert Replay(files).open("d/a.json").names == ["b.json"]
    assert not Replay(files).open("d/c.json").names, "nor does a large one bring any"


def test_at_most_so_many_of_a_directory_the_nearest_ones() -> None:
    files = {f"d/{n:04d}_bold.json": 10 for n in range(LARGE)}
    replay = Replay(files).open("d/0030_bold.json")
    assert sorted(replay.names) == [f"{n:04d}_bold.json" for n in range(22, 39) if n != 30]
    assert len(replay.names) == PER_DIRECTORY


def test_in_a_large_directory_only_those_of_the_same_stem() -> None:
    """Neighbours there are left to the sequence policy: a reader in no order would be followed about in vain."""
    files = {f"d/sub-{n:04d}_dwi.{x}": 10 for n in range(LARGE) for x in ("bval", "bvec")}
    opens = random.Random(1).sample(sorted(files), 100)
    replay = Replay(files).open(*opens)
    assert replay.names
    assert all(min(likeness(p.rpartition("/")[2], n) for p in opens) == STEM for n in replay.names)


def test_nothing_where_the_listing_is_not_known() -> None:
    replay = Replay({"d/a.json": 10, "d/b.json": 10})
    replay.tree.unknown = {("d",)}
    assert not replay.open("d/a.json").names


def test_what_another_policy_predicted_is_not_predicted_again() -> None:
    replay = Replay({f"d/{n}.json": 10 for n in range(6)}, coming=["d/2.json", "d/3.json"])
    assert sorted(replay.open("d/0.json").names) == ["1.json", "4.json", "5.json"]


def test_a_header_walk_over_images_costs_nothing() -> None:
    """Tests and benchmarks have images so small that the kernel's readahead takes them whole."""
    files = study(200)
    images = [f for f in files if f.endswith("T1w.nii")]
    assert not Replay(files).open(*images).predicted


@pytest.mark.parametrize("kind", ["task-rest_bold.json", "T1w.json", "dwi.json", "physio.tsv"])
def test_one_sidecar_a_directory_costs_two_directories(kind: str) -> None:
    files = study(1000, sessions=2)
    opens = [f for f in files if f.endswith(kind)]
    assert len(opens) == 2000
    replay = Replay(files).open(*opens)
    beside = {"task-rest_bold.json": 4, "T1w.json": 0, "dwi.json": 2, "physio.tsv": 4}[kind]
    assert len(replay.predicted) == 2 * beside and not replay.hits


def test_one_sidecar_a_directory_costs_a_constant_whatever_the_names() -> None:
    rng = random.Random(3)
    files = {f"{d}/{rng.randbytes(6).hex()}_{rng.randbytes(3).hex()}.json": 10 for d in range(2000) for _ in range(10)}
    first = {f.partition("/")[0]: f for f in files}
    assert len(Replay(files).open(*first.values()).predicted) <= CREDIT


def test_two_of_eighteen_waste_no_more_than_about_one_each() -> None:
    """Each directory earns a prediction by its second file, and the third is not wanted."""
    files = {f"{d}/sub-{d}_run-{n:02d}_bold.json": 10 for d in range(500) for n in range(18)}
    opens = [f"{d}/sub-{d}_run-{n:02d}_bold.json" for d in range(500) for n in (4, 5)]
    assert Replay(files).open(*opens).wasted <= CREDIT + 1000


def test_all_json_of_a_directory_as_pybids_reads_them() -> None:
    """Every .json of the data set, depth first; no .tsv."""
    files = study(50, sessions=2)
    opens = sorted(f for f in files if f.endswith(".json"))
    replay = Replay(files).open(*opens)
    alone = sum(f.endswith(("T1w.json", "dwi.json")) for f in opens) + 2  # nothing to be predicted from
    assert replay.hits >= len(opens) - alone - 100, "the second of each func"
    assert replay.hits == 100 + 1
    assert replay.wasted <= CREDIT


def test_small_json_and_tsv_by_eight_threads() -> None:
    """Whole files of 100 directories, dealt out to threads in turn: a little out of order."""
    files = study(100)
    opens = sorted(f for f in files if "/func/" in f and f.endswith((".json", ".tsv")))[:400]
    mixed = [opens[i + j] for i in range(0, len(opens), 8) for j in (3, 0, 5, 1, 2, 7, 4, 6)]
    replay = Replay(files).open(*mixed)
    assert replay.hits >= len(opens) * 4 // 5 - 8, "all but the first of each directory"
    assert replay.wasted <= 8


def test_a_loop_over_images_with_gradients_of_the_same_stem() -> None:
    """for f in *_dwi.nii.gz; do tool $f ${f%.nii.gz}.bval ${f%.nii.gz}.bvec; done, the subjects in no order."""
    files = {f"sub-{s:03d}_dwi.{x}": 500 for s in range(300) for x in ("bval", "bvec", "json")}
    files |= {f"sub-{s:03d}_dwi.nii.gz": 50 << 20 for s in range(300)}
    subjects = random.Random(2).sample(range(300), 100)
    opens = [f"sub-{s:03d}_dwi.{x}" for s in subjects for x in ("nii.gz", "bval", "bvec")]
    replay = Replay(files).open(*opens)
    assert replay.hits >= 2 * len(subjects) - 3, "all but the first, and what leads from an image is seen once each"
    assert replay.wasted <= 2, "the .json that nobody reads"


def test_an_image_brings_what_was_read_after_its_kind_and_no_other() -> None:
    files = study(100)
    replay = Replay(files)
    for s in range(3):
        replay.open(f"sub-{s:03d}/ses-0/dwi/sub-{s:03d}_ses-0_dwi.nii.gz")
        replay.open(f"sub-{s:03d}/ses-0/dwi/sub-{s:03d}_ses-0_dwi.bval")
    before = len(replay.predicted)
    replay.open("sub-050/ses-0/dwi/sub-050_ses-0_dwi.nii.gz")
    assert replay.names[before:] == ["sub-050_ses-0_dwi.bval"]
    replay.open("sub-050/ses-0/anat/sub-050_ses-0_T1w.nii", "sub-050/ses-0/func/sub-050_ses-0_task-rest_bold.nii.gz")
    assert replay.names[before:] == ["sub-050_ses-0_dwi.bval"]


def test_without_credit_two_of_one_directory_start_it_again() -> None:
    files = {f"{d}/sub-{d}_{k}.json": 10 for d in range(200) for k in "abcdefghijklmnop"}
    replay = Replay(files).open(*[f"{d}/sub-{d}_{'ab'[d % 2]}.json" for d in range(100)])
    assert len(replay.predicted) <= CREDIT
    before = len(replay.predicted)
    replay.open("150/sub-150_a.json")
    assert len(replay.predicted) == before
    for d in range(151, 160):
        replay.open(*[f"{d}/sub-{d}_{k}.json" for k in "abcdefgh"])
    assert replay.hits >= 40


def test_fruitless_looks_end() -> None:
    """A walk over directories with one sidecar each must not have every listing decoded around it."""
    files = {f"{d:04d}/a.{x}": 100 for d in range(1000) for x in ("json", "nii")}
    replay = Replay(files).open(*[f for f in files if f.endswith(".json")])
    assert replay.tree.asked == FRUITLESS_MAX


def odd(place: str) -> dict[str, int]:
    """Ten directories of ten sidecars, no two alike in their endings: each may be predicted while there is credit."""
    return {f"{place}/{d}/x_{place}{d}{n}q.json": 10 for d in range(10) for n in "abcdefghij"}


def one_each(files: Mapping[str, int]) -> list[str]:
    return list({f.rpartition("/")[0]: f for f in files}.values())


def test_an_image_leads_to_nothing_of_another_stem() -> None:
    first, last = odd("first"), odd("last")
    between = {f"{d:03d}/{n}": 100 for d in range(20) for n in ("a.nii", "b.json")}
    replay = Replay(first | between | last).open(*one_each(first))
    assert len(replay.predicted) == CREDIT
    replay.open(*between, *one_each(last))
    assert len(replay.predicted) == CREDIT, "an image and a sidecar of another stem are not read together"


def test_neighbours_in_a_large_directory_add_no_credit() -> None:
    flat = {f"flat/{n:03d}_bold.json": 100 for n in range(300)}
    files = flat | {f"{d:03d}/{n}_bold.json": 100 for d in range(100) for n in "abc"}
    replay = Replay(files).open(*random.Random(4).sample(sorted(flat), 100))
    assert not replay.predicted
    replay.open(*[f for f in files if f.endswith("a_bold.json")])
    assert len(replay.predicted) <= 2 * 2


def test_what_another_policy_predicted_adds_no_credit() -> None:
    """Two of each directory, both predicted elsewhere: nobody waits for them, and of the others there is no sign."""
    files = {f"{d:03d}/{n}.json": 100 for d in range(300) for n in "abcd"}
    swept = [f for f in files if f.endswith(("a.json", "b.json"))]
    assert len(Replay(files, coming=swept).open(*swept).predicted) <= 2 * 2


def test_further_endings_are_learned_in_two_directories() -> None:
    files = {f"{d}/{n}.{x}": 100 for d in range(20) for n in "ab" for x in ("json", "txt", "mat")}
    replay = Replay(files).open("0/a.txt", "0/b.txt")
    assert not replay.predicted, "one directory is not enough"
    replay.open("1/a.txt", "2/a.txt")
    assert "b.txt" in replay.names and not any(n.endswith(".mat") for n in replay.names)


@pytest.mark.parametrize(("size", "stop"), [(SMALL + 1, SMALL + 1), (1000, 900)])
def test_what_is_large_or_not_read_whole_is_not_learned(size: int, stop: int) -> None:
    policy = SidecarPolicy(Tree({f"{d}/{n}.txt": size for d in range(9) for n in "ab"}))
    for d in range(9):
        assert not policy.opened((str(d), "a.txt"), size).predicted
        policy.closed((str(d), "a.txt"), size, stop)


def test_predictions_end_with_the_record_of_their_directory() -> None:
    files = {f"{d:03d}/{n}.json": 10 for d in range(2 * DIRECTORIES) for n in "abc"}
    replay = Replay(files).open(*[f"{d:03d}/a.json" for d in range(2 * DIRECTORIES)])
    assert replay.predicted and sorted(replay.dropped) == sorted(replay.predicted)


def test_old_predictions_make_room_for_new_ones() -> None:
    files = {f"d/{n:04d}.json": 10 for n in range(LARGE)}
    replay = Replay(files).open("d/0008.json", "d/0060.json")
    assert replay.dropped == replay.predicted[: PER_DIRECTORY // 2]
    assert len(replay.predicted) == PER_DIRECTORY + PER_DIRECTORY // 2
    assert all(n > "0045" for n in replay.names[PER_DIRECTORY:])


def test_opening_a_file_again_predicts_nothing_new() -> None:
    replay = Replay({f"d/{n:03d}.json": 10 for n in range(100)}).open("d/050.json")
    before = len(replay.predicted)
    replay.open("d/050.json", "d/050.json")
    assert len(replay.predicted) == before
