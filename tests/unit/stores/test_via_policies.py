"""The pure parts of a ring of caches: which node has what, in which parts, when one that failed is asked again."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.stores.via import rendezvous
from mountnd.stores.via.evidence import is_hit
from mountnd.stores.via.manner import Asked, Manner, Origin, asked, wants_urls
from mountnd.stores.via.parts import SLICE, parts, piece
from mountnd.stores.via.standing import MOST_S, TRIAL_S, WELL, Fault, failed, is_out
from mountnd.stores.via.standing import asked as being_asked

NODES = [f"http://10.0.0.{n}:8090" for n in range(1, 9)]
SLICES = 20_000


def owners(nodes: list[str]) -> list[str]:
    """Who has each of some slices of one file."""
    seeds = [rendezvous.seed(node) for node in nodes]
    return [nodes[rendezvous.ranked(seeds, rendezvous.thing("bkt/a.nii", n))[0]] for n in range(SLICES)]


class TestRendezvous:
    def test_every_program_comes_to_the_same_answer(self) -> None:
        """Pinned: nodes of different versions of mountnd share a ring."""
        seeds = [rendezvous.seed(node) for node in NODES]
        assert rendezvous.ranked(seeds, rendezvous.thing("openneuro.org/ds000001/sub-01.nii.gz", 3)) == RANKS
        assert rendezvous.thing("\udcff", 0) != rendezvous.thing("\udcfe", 0)  # keys that are not UTF-8

    def test_the_order_of_the_list_means_nothing(self) -> None:
        mixed = NODES[:]
        random.Random(1).shuffle(mixed)
        assert owners(mixed) == owners(NODES)

    def test_shares_are_even(self) -> None:
        """Of 20,000 slices each of 8 has 2,500, give or take a standard deviation of 47."""
        for count in Counter(owners(NODES)).values():
            assert abs(count - SLICES / 8) < 5 * 47

    def test_who_leaves_leaves_his_own_to_the_others_evenly(self) -> None:
        before, after = owners(NODES), owners(NODES[:-1])
        moved = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
        assert {was for was, _ in moved} == {NODES[-1]}
        assert len(moved) == before.count(NODES[-1])
        for count in Counter(now for _, now in moved).values():
            assert abs(count - len(moved) / 7) < 5 * 19

    def test_who_joins_takes_a_part_of_each(self) -> None:
        before, after = owners(NODES[:-1]), owners(NODES)
        moved = [now for was, now in zip(before, after, strict=True) if was != now]
        assert set(moved) == {NODES[-1]}
        assert abs(len(moved) - SLICES / 8) < 5 * 47


RANKS = [5, 1, 3, 0, 4, 6, 7, 2]


SEEDS = [rendezvous.seed(node) for node in NODES[:3]]


class TestParts:
    @given(st.integers(0, 5 * SLICE), st.integers(1, 3 * SLICE))
    def test_they_are_the_range_and_each_lies_with_its_slices(self, start: int, length: int) -> None:
        found = list(parts(SEEDS, "k", start, start + length))
        assert found[0].start == start and found[-1].stop == start + length
        assert all(a.stop == b.start for a, b in itertools.pairwise(found))
        for part in found:
            for at in range(part.start // SLICE, -(-part.stop // SLICE)):
                assert part.nodes == tuple(rendezvous.ranked(SEEDS, rendezvous.thing("k", at)))

    def test_one_node_has_all_at_once(self) -> None:
        assert len(list(parts(SEEDS[:1], "k", 5, 10 * SLICE))) == 1

    @given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
    def test_a_piece_of_views(self, sizes: list[int], data: st.DataObject) -> None:
        whole = bytes(range(sum(sizes)))
        at, views = 0, []
        for size in sizes:
            views.append(memoryview(bytearray(whole[at : at + size])))
            at += size
        start = data.draw(st.integers(0, len(whole) - 1))
        stop = data.draw(st.integers(start + 1, len(whole)))
        found = piece(views, start, stop)
        assert b"".join(found) == whole[start:stop]
        assert all(len(view) for view in found)


class TestStanding:
    def test_it_is_left_out_for_longer_each_time_and_never_for_ever(self) -> None:
        standing, now, spans = WELL, 100.0, []
        for _ in range(14):
            assert not is_out(standing, now)
            standing = failed(being_asked(standing, now), Fault.BROKEN, now, now, 1.0)
            assert is_out(standing, now)
            spans.append(standing.until - now)
            now = standing.until
        assert spans[:4] == [1.0, 2.0, 4.0, 8.0]
        assert spans[-1] == MOST_S

    @pytest.mark.parametrize("fault", Fault)
    def test_clients_do_not_come_back_together(self, fault: Fault) -> None:
        spans = {failed(WELL, fault, 0.0, 0.0, jitter).until for jitter in (0.0, 0.5, 0.99)}
        assert len(spans) == 3
        assert min(spans) >= 0.75 * fault.first_s and max(spans) <= fault.first_s

    def test_those_that_failed_together_count_once(self) -> None:
        first = failed(WELL, Fault.SILENT, 0.0, 6.0, 1.0)
        assert failed(first, Fault.SILENT, 1.0, 7.0, 1.0) == first
        assert failed(first, Fault.SILENT, 6.5, 12.0, 1.0).failures == 2

    def test_one_request_finds_out_whether_it_is_well(self) -> None:
        standing = failed(WELL, Fault.BROKEN, 0.0, 0.0, 1.0)
        trial = being_asked(standing, 1.0)
        assert is_out(trial, 1.0) and is_out(trial, TRIAL_S)
        assert not is_out(trial, 1.0 + TRIAL_S)
        assert being_asked(WELL, 1.0) == WELL


class TestManner:
    ORIGIN = Origin("https", "s3.us-east-1.amazonaws.com", "/openneuro.org", "openneuro.org")

    def test_the_three(self) -> None:
        key = "/ds%2B1/a"
        assert asked(Manner.SERVER, self.ORIGIN, key) == Asked(f"/openneuro.org{key}", self.ORIGIN.place)
        whole = f"https://{self.ORIGIN.place}/openneuro.org{key}"
        assert asked(Manner.PROXY, self.ORIGIN, key) == Asked(whole, self.ORIGIN.place)
        virtual = Origin("http", "bkt.localhost:9000", "", "bkt")
        assert asked(Manner.PATH, virtual, key, "/aws/us-east-1") == Asked(f"/aws/us-east-1/bkt{key}", "")

    def test_who_wants_whole_urls(self) -> None:
        assert [status for status in (200, 206, 400, 403, 404, 412, 500, 502) if wants_urls(status)] == [400, 404]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, None),
        ({"X-Cache-Status": "HIT"}, True),
        ({"X-Cache-Status": "MISS"}, False),
        ({"X-Cache": "HIT from squid.lab.org"}, True),
        ({"X-Cache": "MISS from squid.lab.org"}, False),
        ({"Cache-Status": "squid;hit;detail=match"}, True),
        ({"Cache-Status": "squid;fwd=miss"}, False),
        ({"X-Varnish": "32770 3"}, True),
        ({"X-Varnish": "32770"}, False),
        ({"Age": "17"}, True),
        ({"Age": "0"}, False),
        ({"Age": "soon"}, None),
    ],
)
def test_what_headers_say_of_a_cache(headers: dict[str, str], told: bool | None) -> None:
    assert is_hit(headers) is told
