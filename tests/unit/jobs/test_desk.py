"""Jobs of a mount, begun and looked at by requests, and ended when nobody looks any more."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mountnd.errors import MountError, UsageError
from mountnd.jobs import prefetch, verify
from mountnd.jobs.desk import MOST, Desk, desks
from tests.support.waiting import Clock, wait_until


class FakeJob:
    made: list[FakeJob]

    def __init__(self, vfs: object, bulk: object, request: Any) -> None:
        self.request, self.cancelled = request, False
        FakeJob.made.append(self)

    def start(self) -> None:
        pass

    def cancel(self) -> None:
        self.cancelled = True

    def snapshot(self, seen: int) -> dict[str, Any]:
        return {"seen": seen}


class NoBlocks:
    def bulk(self) -> None:
        return None


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    FakeJob.made = []
    monkeypatch.setattr(prefetch, "Prefetch", FakeJob)
    return desks(None, NoBlocks(), silent=0.3)["prefetch"]  # type: ignore[arg-type]


def ask(desk: Desk, do: str, **more: Any) -> dict[str, Any]:
    return desk.answer({"verb": "prefetch", "do": do, **more})


def test_a_job_from_its_beginning_to_its_end(desk: Desk) -> None:
    number = ask(desk, "begin", job={"paths": ["a"], "listed": ["x"]})["id"]
    assert ask(desk, "add", id=number, listed=["y", "z"]) == {}
    assert ask(desk, "add", id=number, paths=["b"]) == {}
    assert ask(desk, "start", id=number) == {}
    (job,) = FakeJob.made
    assert job.request.listed == ("x", "y", "z") and job.request.paths == ("a", "b")
    assert ask(desk, "poll", id=number, seen=3) == {"seen": 3}
    assert ask(desk, "poll", id=number, seen=-1) == {"seen": 0}
    ask(desk, "cancel", id=number)
    assert job.cancelled


def test_one_that_nobody_looks_at_is_cancelled_and_forgotten(desk: Desk) -> None:
    number = ask(desk, "begin", job={"paths": ["a"]})["id"]
    ask(desk, "start", id=number)
    wait_until(lambda: FakeJob.made[0].cancelled, "the job to be cancelled")
    with pytest.raises(MountError, match="ended"):
        ask(desk, "poll", id=number)


def test_one_that_somebody_looks_at_goes_on(desk: Desk) -> None:
    clock = Clock()
    desk = desks(None, NoBlocks(), silent=0.05, clock=clock)["prefetch"]  # type: ignore[arg-type]
    number = ask(desk, "begin", job={"paths": ["a"]})["id"]
    ask(desk, "start", id=number)
    for _ in range(20):
        clock.now += 0.04
        ask(desk, "poll", id=number)
        time.sleep(0.02)
    assert not FakeJob.made[0].cancelled
    clock.now += 10
    wait_until(lambda: FakeJob.made[0].cancelled, "the job to be cancelled")


def test_the_end_of_the_mount_ends_all(desk: Desk) -> None:
    for _ in range(2):
        ask(desk, "start", id=ask(desk, "begin", job={"paths": [""]})["id"])
    desk.close()
    assert all(job.cancelled for job in FakeJob.made)


@pytest.mark.parametrize(
    "request_",
    [
        {"do": "begin"}, {"do": "begin", "job": []}, {"do": "begin", "job": {"paths": ["\0"]}},
        {"do": "poll", "id": 1}, {"do": "add", "id": 1, "listed": ["x"]}, {"do": "add", "id": 1, "paths": "x"},
        {"do": "dance", "id": 1}, {"do": "cancel", "id": 1}, {"do": "poll", "id": "1"}, {"do": "poll"}, {},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(desk: Desk, request_: dict[str, Any]) -> None:
    ask(desk, "begin", job={"paths": ["a"]})
    with pytest.raises((UsageError, MountError)):
        desk.answer({"verb": "prefetch", **request_})


def test_there_are_only_so_many(desk: Desk) -> None:
    for _ in range(MOST):
        ask(desk, "begin", job={"paths": ["a"]})
    with pytest.raises(MountError, match="run already"):
        ask(desk, "begin", job={"paths": ["a"]})


def test_verifications_have_a_desk_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeJob.made = []
    monkeypatch.setattr(verify, "Verify", FakeJob)
    both = desks(None, NoBlocks())  # type: ignore[arg-type]
    asked = {"paths": ["a"], "by": ["etag"], "from_source": True}
    number = ask(both["verify"], "begin", job=asked)["id"]
    ask(both["verify"], "start", id=number)
    (job,) = FakeJob.made
    assert (job.request.by, job.request.from_source) == (("etag",), True)
    with pytest.raises(MountError):
        ask(both["prefetch"], "poll", id=number)
    for wrong in ({"paths": ["a"], "by": ["md4"]}, {"paths": ["a"], "pin": "x"}):
        with pytest.raises(UsageError):
            ask(both["verify"], "begin", job=wrong)
