"""Signing by the server's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from mountnd.errors import Forbidden
from mountnd.stores.s3.access.clock import SAME_S, SUSPICIOUS_S, ServerClock

NOW = 1_700_000_000.0


def refusal(server_time: float | None, code: str = "RequestTimeTooSkewed") -> Forbidden:
    error = Forbidden("no", code=code)
    error.server_time = server_time
    return error


@pytest.fixture
def clock() -> ServerClock:
    return ServerClock(wall=lambda: NOW)


@pytest.mark.parametrize("ahead", [3600.0, -3600.0, 901.0])
def test_what_it_learns(clock: ServerClock, ahead: float) -> None:
    assert clock.correct(refusal(NOW + ahead), 0.0)
    assert clock.ahead == ahead
    assert not clock.correct(refusal(NOW + ahead, "AccessDenied"), ahead), "this one was signed by the right time"


def test_those_refused_at_the_same_moment_try_again_too(clock: ServerClock) -> None:
    assert clock.correct(refusal(NOW + 3600), 0.0)
    assert clock.correct(refusal(None, "AccessDenied"), 0.0)


@pytest.mark.parametrize(
    ("ahead", "code", "learns"),
    [
        (SUSPICIOUS_S + 1, "AccessDenied", True),
        (SUSPICIOUS_S - 1, "AccessDenied", False),
        (-SUSPICIOUS_S - 1, "SignatureDoesNotMatch", True),
        (SAME_S + 1, "RequestTimeTooSkewed", True),
        (SAME_S - 1, "RequestTimeTooSkewed", False),
    ],
)
def test_from_which_difference_on(clock: ServerClock, ahead: float, code: str, learns: bool) -> None:
    assert clock.correct(refusal(NOW + ahead, code), 0.0) == learns
    assert clock.ahead == (ahead if learns else 0.0)


def test_no_date_teaches_nothing(clock: ServerClock) -> None:
    assert not clock.correct(refusal(None), 0.0)


def test_a_date_that_turns_out_wrong_is_believed_no_more(clock: ServerClock) -> None:
    assert clock.correct(refusal(NOW + 3600, "AccessDenied"), 0.0)
    assert clock.correct(refusal(NOW + 3600), 3600.0), "signed by that Date, and too far off"
    assert clock.ahead == 0.0
    assert not clock.correct(refusal(NOW + 3600, "AccessDenied"), 0.0)


@pytest.mark.parametrize("kind", [auth.S3SigV4Auth, auth.S3SigV4QueryAuth])
def test_the_signature_is_that_of_the_later_time(
    clock: ServerClock, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sign(at: datetime) -> tuple[str, dict[str, str]]:
        monkeypatch.setattr(auth, "get_current_datetime", lambda: at)
        request = AWSRequest(method="GET", url="https://bkt.example/key")
        request.context["client_config"] = None
        clock.apply(request)
        kind(ReadOnlyCredentials("key", "secret", "token"), "s3", "us-east-1").add_auth(request)
        return request.url, dict(request.headers.items())

    now = datetime.fromtimestamp(NOW, UTC)
    later = sign(now + timedelta(days=1, minutes=61))
    assert clock.correct(refusal(NOW + 86400 + 61 * 60), 0.0)
    assert sign(now) == later
