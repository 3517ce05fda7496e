"""The table of network failures: words of our own, and a remedy for each."""

from __future__ import annotations

import email.message
import errno
import http.client
import socket
import ssl

import pytest

from mountnd.cli.remedies import next_step, suggest_fix
from mountnd.config.options import SourceConfig
from mountnd.errors import BadAnswer, Forbidden, NotFound, ServerFault, StoreError, Throttled, TimedOut, Unreachable
from mountnd.stores.http import faults
from mountnd.stores.http.web_page import described, is_index, is_page
from mountnd.stores.s3.http_client import Reply
from mountnd.stores.s3.translate import Subject, translate

S3, WEB = SourceConfig(name="x", url="s3://bkt"), SourceConfig(name="x", url="https://h/x/")
CODES = sorted({value for name, value in vars(faults).items() if name.isupper() and isinstance(value, str)})


def verification(number: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1)")
    error.verify_code = number
    return error


def of_tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1)")
    error.reason = reason
    return error


CASES: list[tuple[Exception, str, type[StoreError], str]] = [
    (ConnectionRefusedError(errno.ECONNREFUSED, "x"), faults.REFUSED, Unreachable, "h:9 refused the connection"),
    (OSError(errno.ENETUNREACH, "x"), faults.NO_NETWORK, Unreachable, "no network leads to h:9"),
    (OSError(errno.EHOSTUNREACH, "x"), faults.NO_ROUTE, Unreachable, "h:9 cannot be reached"),
    (socket.gaierror(socket.EAI_NONAME, "x"), faults.UNKNOWN_HOST, Unreachable, "no host is called h,"),
    (socket.gaierror(socket.EAI_AGAIN, "x"), faults.NO_NETWORK, Unreachable, "the name h cannot be looked up"),
    (ConnectionResetError(errno.ECONNRESET, "x"), faults.BROKEN, Unreachable, "the connection to h:9 broke"),
    (http.client.RemoteDisconnected("x"), faults.NO_ANSWER, Unreachable, "h:9 closed the connection"),
    (http.client.IncompleteRead(b""), faults.BROKEN, Unreachable, "in the middle of an answer"),
    (http.client.BadStatusLine("\x15\x03\x01"), faults.TLS_ONLY, BadAnswer, "h:9 speaks TLS"),
    (http.client.BadStatusLine("SSH-2.0"), faults.NOT_HTTP, BadAnswer, "h:9 does not speak HTTP"),
    (TimeoutError("timed out"), faults.NO_TIME, TimedOut, "no answer in time from h:9"),
    (of_tls("WRONG_VERSION_NUMBER"), faults.NOT_TLS, Unreachable, "h:9 does not speak TLS"),
    (of_tls("TLSV1_ALERT_PROTOCOL_VERSION"), faults.TLS, Unreachable, "tlsv1 alert protocol version"),
    (verification(20), faults.CERTIFICATE, Unreachable, "the certificate of h:9 is not trusted"),
    (verification(10), faults.CERTIFICATE_TIME, Unreachable, "has expired"),
    (verification(9), faults.CERTIFICATE_TIME, Unreachable, "is not valid yet"),
    (verification(62), faults.CERTIFICATE_NAME, Unreachable, "is for another name"),
]


@pytest.mark.parametrize(
    ("error", "code", "kind", "words"), CASES, ids=[f"{c[1]}-{type(c[0]).__name__}" for c in CASES]
)
def test_a_failure_is_told_in_words(error: Exception, code: str, kind: type[StoreError], words: str) -> None:
    for said in (
        faults.error_from_exception(error, "s3://bkt", place="h:9"),
        translate(error, Subject("s3://bkt", "k", place="h:9")),
    ):
        assert (type(said), said.code) == (kind, code)
        assert words in str(said)
        assert type(error).__name__ not in str(said) and "_ssl" not in str(said) and "Errno" not in str(said)


def test_a_proxy_is_named_in_place_of_the_server_that_it_leads_to() -> None:
    refused = faults.error_from_exception(ConnectionRefusedError(errno.ECONNREFUSED, "x"), "u", "http://p:1", "h:9")
    assert "the proxy http://p:1 refused" in str(refused)
    opened = faults.error_from_exception(verification(20), "u", "http://p:1", "h:9")
    assert "certificate of h:9" in str(opened)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("source", [S3, WEB], ids=["S3", "web"])
def test_each_has_a_remedy(code: str, source: SourceConfig) -> None:
    error = Unreachable("x", code=code)
    assert suggest_fix(error, source, None)
    assert next_step(error, source) == suggest_fix(error, source, None)


def test_what_passes_and_what_keys_say_themselves() -> None:
    assert "try again" in suggest_fix(Throttled(""), S3, None)
    assert "try again" in suggest_fix(ServerFault(""), S3, None)
    assert next_step(Forbidden("", code="ExpiredToken"), S3) == ""
    assert suggest_fix(Forbidden("", code="ExpiredToken"), S3, None).startswith("aws sso login")
    assert "clock" not in next_step(Forbidden("", code="AccessDenied"), S3)
    assert "timedatectl" in next_step(Forbidden("", code="RequestTimeTooSkewed"), S3)


@pytest.mark.parametrize("status", [403, 404, 400])
def test_a_refusal_that_is_a_page_is_no_word_of_s3(status: int) -> None:
    page = b"<!DOCTYPE html><html><head><title>Blocked by  policy</title></head></html>"
    error = Reply(status, email.message.Message(), page).error(Subject("s3://bkt", place="h:9"))  # type: ignore[arg-type]
    assert f'h:9 answered {status} with a web page ("Blocked by policy")' in str(error)
    assert isinstance(error, {403: Forbidden, 404: NotFound}.get(status, StoreError))
    told = Reply(400, email.message.Message(), b"The plain HTTP request was sent to HTTPS port")  # type: ignore[arg-type]
    assert "speaks TLS" in str(told.error(Subject("s3://bkt", place="h:9")))


@pytest.mark.parametrize(
    ("body", "page", "index"),
    [
        (b"<html><body><form action=x><input type=password></form></body></html>", True, False),
        (b"<html><body>Welcome</body></html>", True, False),
        (b"<html><head><title>Index of /x/</title></head><body></body></html>", True, True),
        (b"<!DOCTYPE HTML><html><title>Directory listing for /</title><ul></ul></html>", True, True),
        (b'<html><body><a href="../">../</a></body></html>', True, True),
        (b"", False, True),
        (b"<?xml version='1.0'?><ListBucketResult/>", False, True),
    ],
)
def test_pages_for_people(body: bytes, page: bool, index: bool) -> None:
    assert (is_page(body), is_index(body)) == (page, index)
    assert described(body).startswith("a web page")
