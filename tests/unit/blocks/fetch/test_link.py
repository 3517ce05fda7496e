"""What is derived from the GETs of a source: latency, rate, and what costs little."""

from __future__ import annotations

import pytest

from mountnd.blocks.fetch.link import FIRST_GETS, LONG, SAMPLES, SHORT, SMALL_MAX, SMALL_MIN, TRIP_MAX, TRIP_MIN, Link

KIB, MIB = 1 << 10, 1 << 20


def seen(latency: float, rate: float, gets: int = 20) -> Link:
    """A link after short and long GETs, of which one each met no hindrance."""
    link = Link()
    for n in range(gets):
        link.record(SHORT, latency * (1 + n))
        link.record(4 * MIB, latency + 4 * MIB / rate * (1 + n))
    return link


def test_before_anything_was_seen_it_is_another_region_over_s3() -> None:
    link = Link()
    assert (link.latency, link.rate) == (0.03, 90e6)
    assert link.trip == 2_700_000
    assert link.small == 900_000


@pytest.mark.parametrize(
    ("latency", "rate", "trip", "small"),
    [
        (0.03, 90e6, 2_700_000, 900_000),
        (0.002, 90e6, TRIP_MIN, 900_000),  # the same region
        (0.1, 90e6, 9_000_000, SMALL_MAX),  # another continent
        (0.3, 90e6, TRIP_MAX, SMALL_MAX),
        (0.05, 5e6, TRIP_MIN, SMALL_MIN),  # a line of 40 Mbit/s
    ],
)
def test_what_a_link_makes_of_it(latency: float, rate: float, trip: int, small: int) -> None:
    link = seen(latency, rate)
    assert link.latency == pytest.approx(latency)
    assert link.rate == pytest.approx(rate)
    assert (link.trip, link.small) == (pytest.approx(trip, abs=1), pytest.approx(small, abs=1))


def test_the_fastest_of_the_recent_ones_counts() -> None:
    link = seen(0.002, 90e6)
    for _ in range(SAMPLES):
        link.record(1000, 0.1)
    assert link.latency == 0.1
    link.record(1000, 0.05)
    assert link.latency == 0.05


@pytest.mark.parametrize("size", [SHORT + 1, 256 * KIB, LONG - 1])
def test_answers_in_between_tell_nothing(size: int) -> None:
    """What TCP does at the start of a connection is most of their time."""
    link = Link()
    link.record(size, 5.0)
    assert (link.latency, link.rate) == (0.03, 90e6)


@pytest.mark.parametrize("size", [SHORT + 1, 256 * KIB, LONG])
def test_until_a_short_answer_has_come_the_latency_is_no_more_than_any_took(size: int) -> None:
    link = Link()
    link.record(size, 0.004)
    assert link.latency == 0.004
    assert not link.is_measured
    link.record(1000, 0.01)
    assert link.latency == 0.01


def test_names_tell_what_it_is_at_most_too() -> None:
    link = Link()
    link.at_most(0.002)
    assert (link.latency, link.trip, link.small) == (0.002, TRIP_MIN, 900_000)
    link.at_most(0.5)
    assert (link.latency, link.is_measured) == (0.002, False)


def test_an_answer_faster_than_the_latency_is_no_infinite_rate() -> None:
    link = Link()
    link.record(MIB, 0.001)
    assert link.rate <= MIB / 1e-3
    assert link.trip == MIB, "which comes in one round trip, as far as this one tells"


def test_near_is_where_requests_cost_more_than_round_trips() -> None:
    link = Link()
    assert not link.is_near, "the usual latency is assumed"
    link.at_most(0.004)
    assert link.is_near


@pytest.mark.parametrize(("latency", "slowly"), [(0.03, True), (0.012, True), (0.011, False), (0.002, False)])
def test_connections_start_slowly_while_they_are_new_and_far(latency: float, slowly: bool) -> None:
    link = Link()
    link.at_most(latency)
    for _ in range(FIRST_GETS):
        assert link.starts_slowly == slowly
        link.record(SHORT, latency)
    assert not link.starts_slowly
