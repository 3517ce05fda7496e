"""What sidecars bring, number by number: in which order, how far away, and for how much credit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from mountnd.vfs.prefetch import sidecars
from mountnd.vfs.prefetch.names import Path
from mountnd.vfs.prefetch.sidecars import SMALL, SidecarPolicy

from .trees import Tree, parts


class Opens:
    """A policy over files, by path and size, or of 100 bytes each.

    Attributes:
        predicted, dropped: all of them until now, in order.
    """

    def __init__(self, files: Mapping[str, int] | Iterable[str]) -> None:
        self.sizes = dict(files) if isinstance(files, Mapping) else dict.fromkeys(files, 100)
        self.tree = Tree(self.sizes)
        self.policy = SidecarPolicy(self.tree)
        self.predicted: list[str] = []
        self.dropped: list[str] = []

    def open(self, *paths: str) -> list[str]:
        """Names (last parts) that these opens bring, in order."""
        before = len(self.predicted)
        for path in paths:
            decision = self.policy.opened(parts(path), self.sizes[path])
            assert all(p.whole for p in decision.predicted)
            self.predicted += ["/".join(p.path) for p in decision.predicted]
            self.dropped += ["/".join(p) for p in decision.dropped]
        return [path.rpartition("/")[2] for path in self.predicted[before:]]

    def looks(self, *paths: str) -> int:
        """How often these opens look into a directory."""
        before = self.tree.asked
        self.open(*paths)
        return self.tree.asked - before


def test_the_numbers() -> None:
    """They were measured; a change of one must be meant."""
    assert SMALL == 64 << 10
    assert (sidecars.PER_DIRECTORY, sidecars.REACH, sidecars.NEAR, sidecars.LARGE) == (16, 24, 8, 64)
    assert (sidecars.RELATION_CREDIT, sidecars.RELATION_CREDIT_MAX) == (2, 16)
    assert (sidecars.CREDIT, sidecars.CREDIT_MAX) == (32, 64)
    assert (sidecars.FRUITLESS_MAX, sidecars.FRUITLESS_REGAINED) == (32, 2)
    assert (sidecars.DIRECTORIES, sidecars.RELATIONS, sidecars.ENDINGS) == (64, 512, 32)
    assert (sidecars.OPENED, sidecars.LATELY) == (48, 8)
    assert {".json", ".tsv", ".bval", ".bvec"} == sidecars.SIDECARS
    images = ".nii .img .hdr .mgh .mgz .mnc .gii .mif .nii.gz .img.gz .mif.gz"
    assert set(images.split()) == sidecars.IMAGES


def test_the_order_is_stem_entities_nearness_and_then_before() -> None:
    names = [
        "a_1_p.json",
        "a_1_x.bval",
        "a_1_x.json",
        "a_1_x.tsv",
        "a_1_z.json",
        "b.json",
        "c.json",
        "A.json",
        "B.json",
    ]
    got = Opens([f"d/{n}" for n in names]).open("d/a_1_x.json")
    #          stem                        entities                      nearest first, what lies behind first
    assert got == ["a_1_x.tsv", "a_1_x.bval", "a_1_z.json", "a_1_p.json", "b.json", "B.json", "c.json", "A.json"]


@pytest.mark.parametrize("between", [22, 23, 24])
@pytest.mark.parametrize("behind", [True, False])
def test_how_far_away_a_sidecar_may_lie(between: int, behind: bool) -> None:
    """Of those in a directory that is not large: 24 places."""
    files = ["d/a.json", *(f"d/b{n:02d}.nii" for n in range(between)), "d/c.json"]
    first, last = ("d/a.json", "d/c.json") if behind else ("d/c.json", "d/a.json")
    assert Opens(files).open(first) == ([last[2:]] if between < 24 else [])


@pytest.mark.parametrize("between", [6, 7, 8])
@pytest.mark.parametrize("large", [True, False])
def test_how_far_away_the_sidecar_of_an_image_may_lie(between: int, large: bool) -> None:
    """8 places; as from sidecar to sidecar of one stem in a large directory, once it was found to be."""
    files = [f"{d}/a.{x}" for d in "pqr" for x in ("nii", *(f"o{n}" for n in range(between)), "tsv")]
    if large:
        files += [f"r/a.aa{n}.json" for n in range(70)]
    opens = Opens(files)
    opens.open("p/a.nii", "p/a.tsv", "q/a.nii", "q/a.tsv")
    assert opens.open("r/a.nii") == (["a.tsv"] if between < 8 else [])


@pytest.mark.parametrize(("names", "found"), [(64, True), (65, False)])
def test_from_how_many_names_on_neighbours_are_left_alone(names: int, found: bool) -> None:
    files = [f"d/{n:03d}.json" for n in range(5)] + [f"d/x{n:03d}.nii" for n in range(names - 5)]
    assert bool(Opens(files).open("d/002.json")) == found
    same = [f"d/002.{x}" for x in ("tsv", "json", "bval")] + [f"d/x{n:03d}.nii" for n in range(names)]
    assert Opens(same).open("d/002.json") == ["002.tsv", "002.bval"], "of one stem they are read together all the same"


@pytest.mark.parametrize("between", [6, 7, 8])
def test_in_a_directory_known_to_be_large_only_eight_places_are_looked_at(between: int) -> None:
    files = [f"d/a{n:02d}.json" for n in range(70)]
    files += [f"d/s.{x}" for x in ("bval", *(f"i{n}" for n in range(between)), "tsv")]
    opens = Opens(files)
    assert opens.open("d/a00.json") == []
    assert opens.open("d/s.bval") == (["s.tsv"] if between < 8 else [])


def pairs(directories: int, names: str = "ab") -> list[str]:
    return [f"{d:03d}/{n}.json" for d in range(directories) for n in names]


def test_a_relation_is_predicted_in_two_directories_until_it_proves_right() -> None:
    opens = Opens(pairs(40))
    brought = [opens.open(f"{d:03d}/a.json") for d in range(4)]
    assert brought == [["b.json"], ["b.json"], [], []]
    assert opens.open("001/b.json") == []
    brought = [opens.open(f"{d:03d}/a.json") for d in range(4, 8)]
    assert brought == [["b.json"], ["b.json"], [], []], "right once: two more"
    assert opens.open("007/b.json") == [], "there is nothing left in this one, but that was no guess"
    brought = [opens.open(f"{d:03d}/a.json") for d in range(8, 11)]
    assert brought == [["b.json"], [], []], "seen once: one more"


def test_a_relation_has_credit_for_so_many_directories_at_most() -> None:
    opens = Opens(pairs(100))
    for d in range(40):
        opens.open(f"{d:03d}/a.json", f"{d:03d}/b.json")
    assert len(opens.predicted) == 40
    assert len(opens.open(*(f"{d:03d}/a.json" for d in range(40, 100)))) == 16


def test_within_one_directory_a_relation_costs_once() -> None:
    opens = Opens(pairs(3, "abcdefgh"))
    assert [len(opens.open(f"{d:03d}/a.json")) for d in range(3)] == [7, 7, 0]


def odd(place: str, directories: int = 10) -> list[str]:
    """Directories of ten sidecars, no two alike in their endings: only the credit for all limits these."""
    return [f"{place}{d}/x_{place}{d}{n}q.json" for d in range(directories) for n in "abcdefghij"]


def first_of_each(files: Iterable[str]) -> list[str]:
    return list({f.rpartition("/")[0]: f for f in files}.values())


def test_so_many_files_are_predicted_before_one_proves_right() -> None:
    files = odd("p")
    assert len(Opens(files).open(*first_of_each(files))) == 32


def test_right_predictions_add_up_to_a_limit() -> None:
    files = odd("p")
    for right, more in ((10, 42), (31, 63), (32, 64), (60, 64)):
        opens = Opens(pairs(60) + files)
        for d in range(right):
            opens.open(f"{d:03d}/a.json", f"{d:03d}/b.json")
        assert len(opens.open(*first_of_each(files))) == more, right


def test_without_credit_two_of_a_directory_add_one() -> None:
    files = odd("p")
    opens = Opens(files + pairs(4, "abc"))
    opens.open(*first_of_each(files))
    assert opens.looks("000/a.json") == 0
    assert opens.open("000/b.json") == ["c.json"]
    assert opens.open("001/a.json", "002/a.json") == [], "that used it up"
    assert opens.open("000/c.json") == [], "it was right: two, and nothing to spend them on"
    assert opens.open("003/a.json") == ["b.json", "c.json"]
    assert opens.open("002/b.json") == ["c.json"]


def test_after_so_many_fruitless_looks_two_of_a_directory_allow_two_more() -> None:
    files = [f"{d:03d}/a.json" for d in range(100)] + ["two/a.json", "two/b.json"]
    opens = Opens(files)
    assert opens.looks(*files[:50]) == 32
    assert opens.looks("two/a.json") == 0
    assert opens.looks("two/b.json") == 1
    assert opens.looks(*files[50:]) == 1


def test_a_right_prediction_allows_as_many_looks_again() -> None:
    files = [f"{d:03d}/a.json" for d in range(200)] + ["two/a.json", "two/b.json"]
    opens = Opens(files)
    assert opens.looks(*files[:31]) == 31
    assert opens.open("two/a.json") == ["b.json"]
    assert opens.looks("two/b.json", *files[100:200]) == 32


def test_what_an_image_leads_to_must_be_seen_once_for_each_directory() -> None:
    opens = Opens([f"{d}/a.{x}" for d in range(9) for x in ("nii", "bval", "json")])
    assert opens.open("0/a.nii") == []
    assert opens.open("0/a.bval") == ["json"] or opens.predicted == ["0/a.json"]
    assert opens.open("1/a.nii") == ["a.bval"]
    assert opens.open("2/a.nii") == [], "that one was not read, and no other was seen"
    opens.open("1/a.bval")
    assert [opens.open(f"{d}/a.nii") for d in (3, 4, 5)] == [["a.bval"], ["a.bval"], []]
    assert opens.open("6/a.json", "6/a.nii") and opens.predicted[-1].startswith("6/")


def test_an_image_leads_to_its_own_stem_or_entities_only() -> None:
    files = [f"{d}/{n}" for d in range(4) for n in ("a_1_i.nii", "a_1_s.json", "a_2_s.json", "b.json")]
    opens = Opens(files)
    opens.open("0/a_1_i.nii", "0/a_2_s.json", "1/a_1_i.nii", "1/a_2_s.json")
    assert opens.open("2/a_1_i.nii") == []
    opens.open("2/a_1_s.json")
    assert opens.open("3/a_1_i.nii") == ["a_1_s.json"]


@pytest.mark.parametrize(("others", "remembered"), [(7, True), (8, False)])
def test_which_of_the_opens_before_lead_to_a_sidecar(others: int, remembered: bool) -> None:
    """The last eight."""
    files = [f"{d}/{n}" for d in range(2) for n in ("a.nii", "a.json", *(f"z{n}.dat" for n in range(9)))]
    opens = Opens(files)
    opens.open("0/a.nii", *(f"0/z{n}.dat" for n in range(others)), "0/a.json")
    assert opens.open("1/a.nii") == (["a.json"] if remembered else [])


@pytest.mark.parametrize(("others", "known"), [(47, True), (48, False)])
def test_how_many_opens_of_a_directory_are_remembered(others: int, known: bool) -> None:
    """Of a file that is forgotten another open counts as the first."""
    opens = Opens(["d/a.json", *(f"d/z{n:02d}.dat" for n in range(70))])
    assert opens.looks("d/a.json") == 1
    opens.open(*(f"d/z{n:02d}.dat" for n in range(others)))
    assert opens.looks("d/a.json") == (0 if known else 1)


@pytest.mark.parametrize(("others", "kept"), [(63, True), (64, False)])
def test_how_many_directories_are_remembered(others: int, kept: bool) -> None:
    files = ["first/a.json", "first/b.json", "first/c.json", *(f"{d:03d}/x.dat" for d in range(70))]
    opens = Opens(files)
    opens.open("first/a.json", *(f"{d:03d}/x.dat" for d in range(others)))
    assert opens.predicted == ["first/b.json", "first/c.json"]
    assert opens.dropped == ([] if kept else opens.predicted)
    opens = Opens(files)
    opens.open("first/a.json")
    for d in range(70):
        opens.open(f"{d:03d}/x.dat", "first/a.json")
    assert not opens.dropped, "it was used last"


def test_more_of_a_directory_once_half_is_opened() -> None:
    files = [f"d/{n:02d}.json" for n in range(60)]
    opens = Opens(files)
    assert len(opens.open("d/30.json")) == 16
    order = opens.predicted[:]
    assert [len(opens.open(path)) for path in order[:7]] == [0] * 7
    more = opens.open(order[7])
    assert len(more) == 8 and not opens.dropped
    assert not opens.open(order[8])


def test_an_open_that_was_not_predicted_replaces_all_but_eight() -> None:
    files = [f"d/{n:02d}.json" for n in range(60)]
    opens = Opens(files)
    opens.open("d/10.json")
    first = opens.predicted[:]
    assert len(first) == 16
    new = opens.open("d/50.json")
    assert len(new) == 8 and opens.dropped == first[:8]


@pytest.mark.parametrize(
    ("name", "size", "stop", "learned"),
    [
        ("a.txt", SMALL, SMALL, True),
        ("a.txt", SMALL + 1, SMALL + 1, False),
        ("a.txt", 100, 99, False),
        ("a.txt", 100, 101, True),
        ("a.nii", 100, 100, False),
        ("a.mif.gz", 100, 100, False),
        ("README", 100, 100, False),
    ],
)
def test_which_endings_are_learned(name: str, size: int, stop: int, learned: bool) -> None:
    other = "b" + name[1:]
    opens = Opens({f"{d}/{n}": min(size, SMALL) for d in range(9) for n in (name, other)})
    for d in range(2):
        opens.policy.closed((str(d), name), size, stop)
    assert opens.open(f"5/{name}") == ([other] if learned else [])


def test_an_ending_is_learned_in_two_directories_not_twice_in_one() -> None:
    opens = Opens([f"{d}/{n}.txt" for d in range(9) for n in "ab"])
    for path in (("0", "a.txt"), ("0", "b.txt"), ("0", "a.txt")):
        opens.policy.closed(path, 100, 100)
    assert not opens.open("5/a.txt")
    opens.policy.closed(("1", "a.txt"), 100, 100)
    assert opens.open("6/a.txt") == ["b.txt"]


def learn(opens: Opens, *endings: str) -> None:
    for ending in endings:
        for directory in "pq":
            opens.policy.closed((directory, f"a.{ending}"), 100, 100)


@pytest.mark.parametrize(("before", "learned"), [(27, True), (28, False)])
def test_so_many_endings_are_known(before: int, learned: bool) -> None:
    """32, of which four from the start."""
    opens = Opens(["d/a.last", "d/b.last"])
    learn(opens, *(f"e{n}" for n in range(before)), "last")
    assert opens.open("d/a.last") == (["b.last"] if learned else [])


@pytest.mark.parametrize(("others", "learned"), [(31, True), (32, False)])
def test_so_many_endings_wait_to_be_seen_a_second_time(others: int, learned: bool) -> None:
    opens = Opens(["d/a.one", "d/b.one"])
    for ending in ("one", *(f"e{n}" for n in range(others - 1))):
        opens.policy.closed(("p", f"a.{ending}"), 100, 100)
    opens.policy.closed(("p", "a.last"), 100, 100)
    opens.policy.closed(("q", "a.one"), 100, 100)
    assert bool(opens.open("d/a.one")) == learned


def test_what_another_policy_brings_is_neither_brought_nor_counted() -> None:
    files = pairs(3, "abc")
    opens = Opens(files)
    opens.tree.coming = {("000", "b.json"), ("001", "a.json")}
    assert opens.open("000/a.json") == ["c.json"]
    assert opens.open("001/a.json") == ["b.json", "c.json"], "it fills half of the sixteen"
    path: Path = ("002", "a.json")
    opens.tree.coming = {path}
    assert opens.open("002/a.json") == []


def test_files_without_bytes_and_large_ones_bring_and_are_brought_as_others() -> None:
    opens = Opens({"d/a.json": SMALL, "d/b.json": 0, "d/c.json": SMALL + 1, "d/e.json": 1, "d/f.json": SMALL})
    assert opens.open("d/a.json") == ["e.json", "f.json"]
    assert Opens({"d/a.json": SMALL + 1, "d/b.json": 1}).open("d/a.json") == []
    assert Opens({"d/a.json": 0, "d/b.json": 1}).open("d/a.json") == ["b.json"]
