"""How long keys are kept, and how often they are looked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mountnd.stores.base import Renewals
from mountnd.stores.s3.access.credentials import KEPT_S, RENEW_S, Credentials
from tests.support.waiting import Clock


class Found:
    """As botocore's credentials: frozen when asked for. `ends_in`: seconds, infinite for keys without an end."""

    def __init__(self, *keys: str | Exception, ends_in: float = float("inf")) -> None:
        self._keys, self._ends_in, self.asked = list(keys), ends_in, 0
        self.good = isinstance(keys[0], str)

    async def get_frozen_credentials(self) -> str:
        self.asked += 1
        given = self._keys.pop(0) if len(self._keys) > 1 else self._keys[0]
        if isinstance(given, Exception):
            raise given
        return given

    def refresh_needed(self, within: float) -> bool:
        return self._ends_in < within


class Stand:
    """Credentials over a clock that the test moves, and a chain that finds what the test says."""

    def __init__(self, found: Found | None, *later: Any) -> None:
        self.clock, self.renewals, self.later, self.looks = Clock(), Renewals(), list(later), 0
        self.credentials = Credentials(found, self.load, self.renewals, clock=self.clock)

    async def load(self) -> Any:
        self.looks += 1
        given = self.later.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    def keys(self) -> Any:
        return asyncio.run(self.credentials.keys())

    def renew(self, seen: int = 0) -> bool:
        return asyncio.run(self.credentials.renew(seen))


@pytest.mark.parametrize(
    ("ends_in", "kept"), [(float("inf"), KEPT_S), (KEPT_S + 1, KEPT_S), (KEPT_S - 1, RENEW_S), (-1.0, KEPT_S)]
)
def test_how_long_keys_are_kept(ends_in: float, kept: float) -> None:
    found = Found("a", ends_in=ends_in)
    stand = Stand(found)
    stand.keys()
    stand.clock.now += kept - 0.1
    assert (stand.keys(), found.asked) == ("a", 1)
    stand.clock.now += 0.2
    assert stand.credentials.kept() is None
    assert (stand.keys(), found.asked) == ("a", 2)
    assert stand.renewals.count == 0


def test_keys_that_renew_themselves_are_counted() -> None:
    stand = Stand(Found("a", "b"))
    stand.keys()
    assert stand.renewals.count == 0
    stand.clock.now += KEPT_S + 1
    assert stand.keys() == "b"
    assert stand.renewals.count == 1


def test_while_they_cannot_be_renewed_the_old_ones_go_on() -> None:
    stand = Stand(Found("a", OSError("no network"), "b"))
    stand.keys()
    stand.clock.now += KEPT_S + 1
    assert stand.keys() == "a"
    stand.clock.now += RENEW_S + 0.1
    assert stand.keys() == "b"


def test_the_first_failure_is_raised() -> None:
    with pytest.raises(OSError, match="no network"):
        Stand(Found(OSError("no network"))).keys()


@pytest.mark.parametrize("later", [Found("a"), None, OSError("gone"), Found(OSError("gone"))])
def test_a_look_that_brings_nothing_new(later: Any) -> None:
    again = isinstance(later, Found) and later.good
    stand = Stand(Found("a"), *([later] if again else [later, later]), Found("b"))
    stand.keys()
    assert not stand.renew()
    looks = stand.looks
    assert not stand.renew()
    assert stand.looks == looks, "once in a few seconds"
    assert not stand.credentials.may_differ(0)
    assert (stand.keys(), stand.renewals.count) == ("a", 0)
    stand.clock.now += RENEW_S
    assert stand.credentials.may_differ(0)
    assert stand.renew()
    assert (stand.keys(), stand.renewals.count, stand.looks) == ("b", 1, looks + 1)


@pytest.mark.parametrize("later", [None, OSError("gone"), Found(OSError("gone"))])
def test_a_look_that_fails_is_repeated_once(later: Any) -> None:
    stand = Stand(Found("a"), later, Found("b"))
    stand.keys()
    assert stand.renew()
    assert (stand.keys(), stand.looks) == ("b", 2)


def test_whoever_was_refused_with_the_keys_before_need_not_look() -> None:
    stand = Stand(Found("a"), Found("b"))
    stand.keys()
    assert stand.renew()
    assert stand.credentials.may_differ(0)
    assert stand.renew(0)
    assert stand.looks == 1


def test_what_was_found_last_renews_itself_from_then_on() -> None:
    stand = Stand(Found("a"), Found("b", "c"))
    stand.keys()
    stand.renew()
    stand.clock.now += KEPT_S + 1
    assert stand.keys() == "c"
    assert stand.renewals.count == 2


def test_keys_where_there_were_none() -> None:
    stand = Stand(None, None, Found("a"))
    assert not stand.renew()
    stand.clock.now += RENEW_S
    assert stand.renew()
    assert (stand.credentials.kept(), stand.renewals.count) == ("a", 1)


def test_one_that_never_signs_never_looks() -> None:
    credentials = Credentials(None, None, Renewals())
    assert not credentials.may_differ(0)
    assert not asyncio.run(credentials.renew(0))
