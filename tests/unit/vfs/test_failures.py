"""Each cause once in the log, and again after a while."""

from __future__ import annotations

from typing import Any

import pytest

from mountnd import errors
from mountnd.vfs.failures import CAUSES_MAX, REPEAT_S, FailureLog
from tests.support.waiting import Clock

ONE: Any = object()
OTHER: Any = object()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    caplog.clear()
    return found


def test_a_cause_is_told_once_and_again_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    failures = FailureLog(clock)
    for _ in range(3):
        failures.report(ONE, "d/", "s3://b/d/ cannot be listed", errors.BadAnswer("not XML", code="List"))
    assert lines(caplog) == ["s3://b/d/ cannot be listed: not XML"]
    clock.now += REPEAT_S - 1
    failures.report(ONE, "d/", "x", errors.BadAnswer("not XML", code="List"))
    assert lines(caplog) == []
    clock.now += 1
    failures.report(ONE, "d/", "x", errors.BadAnswer("not XML", code="List"))
    assert lines(caplog) == ["x: not XML"]


def test_another_directory_source_or_cause_is_told(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(Clock())
    failures.report(ONE, "d/", "x", errors.BadAnswer("no", code="1"))
    failures.report(ONE, "e/", "x", errors.BadAnswer("no", code="1"))
    failures.report(OTHER, "d/", "x", errors.BadAnswer("no", code="1"))
    failures.report(ONE, "d/", "x", errors.BadAnswer("no", code="2"))
    failures.report(ONE, "d/", "x", errors.StoreError("no", code="1"))
    assert len(lines(caplog)) == 5


def test_an_outage_is_one_cause_wherever_it_is_met(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(Clock())
    for n in range(5):
        failures.report(ONE, f"{n}/", f"{n}", errors.Unreachable("no connection", code="X"))
        failures.report(ONE, f"{n}/", f"{n}", errors.TimedOut("no answer"))
    assert lines(caplog) == ["0: no connection", "0: no answer"]


def test_ordinary_answers_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(Clock())
    failures.report(ONE, "d/", "x", errors.NotFound("no"))
    failures.report(ONE, "d/", "x", errors.Forbidden("no"))
    assert lines(caplog) == []


def test_no_more_is_remembered_than_is_of_use(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(Clock())
    for n in range(CAUSES_MAX + 1):
        failures.report(ONE, f"{n}/", "x", errors.BadAnswer("no"))
    lines(caplog)
    failures.report(ONE, "1/", "x", errors.BadAnswer("no"))
    assert lines(caplog) == []
    failures.report(ONE, "0/", "x", errors.BadAnswer("no"))
    assert lines(caplog) == ["x: no"]


def test_failures_are_counted_by_reason_and_the_last_one_is_kept() -> None:
    failures = FailureLog(Clock(), wall=lambda: 12.5)
    assert failures.summary() == {"count": 0, "by_reason": {}, "last": None}
    for _ in range(2):
        failures.read_failed("d/file", errors.Archived("it is archived"))
    refused = errors.Forbidden("access denied")
    refused.request_id = "REQ"
    failures.report(ONE, "d/", "x", refused, "d")
    failures.report(ONE, "d/", "x", errors.NotFound("an answer, and no failure"), "d/y")
    summary = failures.summary()
    assert (summary["count"], summary["by_reason"]) == (3, {"archived": 2, "access denied": 1})
    assert summary["last"] == {
        "at": 12.5, "path": "/d", "reason": "access denied", "message": "access denied", "request_id": "REQ"
    }  # fmt: skip


def test_a_failed_read_is_told_once_for_each_path_and_reason(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(Clock())
    for path in ("a", "b", "a"):
        failures.read_failed(path, errors.TimedOut("no answer"))
    failures.read_failed("a", errors.ServerFault("500"))
    assert lines(caplog) == [
        "/a cannot be read: no answer", "/b cannot be read: no answer", "/a cannot be read: 500"
    ]  # fmt: skip


def test_the_last_failure_of_a_path_and_of_a_source_is_told() -> None:
    failures = FailureLog(Clock(), wall=lambda: 12.5)
    assert failures.last("d/a") is failures.last(ONE) is None
    failures.read_failed("d/a", errors.TimedOut("first"), catalogue=ONE)
    failures.read_failed("d/a", errors.ServerFault("second"), catalogue=ONE)
    failures.report(OTHER, "e/", "x", errors.Forbidden("third"), "e/")
    last = failures.last("d/a")
    assert last is not None and (last.message, last.path) == ("second", "/d/a")
    assert failures.last("e") == failures.last(OTHER) and failures.last(ONE) == last
    for n in range(CAUSES_MAX):
        failures.read_failed(f"f/{n}", errors.TimedOut("x"), catalogue=OTHER)
    assert failures.last("d/a") is None, "no more is remembered than is of use"
    assert failures.last(f"f/{CAUSES_MAX - 1}") == failures.last(OTHER)
