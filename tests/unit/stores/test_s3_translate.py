from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from mountnd import errors
from mountnd.errors import (
    Archived,
    BadAnswer,
    Changed,
    Forbidden,
    NoCredentials,
    NoSuchBucket,
    NotFound,
    ServerFault,
    StoreError,
    Throttled,
    TimedOut,
    Unreachable,
    WrongRegion,
)
from mountnd.stores.s3.exceptions import BY_CLASS, lookup
from mountnd.stores.s3.translate import BY_CODE, Subject, error_from_response, translate

HERE = Subject("s3://b", "k", region="us-east-1")


def response(code: str, status: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "Error": {"Code": code, "Message": "said so\nin two lines", **more.get("error", {})},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": more.get("headers", {})},
    }


def classes(module: str, base: type[BaseException]) -> list[type[BaseException]]:
    found = vars(import_module(module)).values()
    return [each for each in found if inspect.isclass(each) and issubclass(each, base)]


def bare(kind: type[BaseException]) -> BaseException:
    """An instance without its constructor: those of botocore want this and that."""
    error = kind.__new__(kind)
    BaseException.__init__(error, "why\n\nDebug source: much")
    return error


def test_every_exception_of_botocore_is_mapped() -> None:
    from botocore.exceptions import BotoCoreError

    found = classes("botocore.exceptions", BotoCoreError)
    assert len(found) > 80
    assert all(lookup(bare(kind)) is not None for kind in found)
    for kind in classes("botocore.exceptions", Exception):
        assert isinstance(translate(bare(kind), HERE), StoreError)


def test_every_exception_of_aiohttp_is_mapped() -> None:
    from aiohttp import ClientError

    found = classes("aiohttp.client_exceptions", ClientError)
    assert len(found) > 15
    assert all(lookup(bare(kind)) is not None for kind in found)


def test_every_name_in_the_table_exists() -> None:
    """A library that renames an exception must be noticed."""
    places = {
        "botocore": ["botocore.exceptions", "botocore.parsers"],
        "aiohttp": ["aiohttp"],
        "asyncio": ["asyncio"],
        "concurrent": ["concurrent.futures"],
        "builtins": ["builtins"],
    }
    for name in BY_CLASS:
        package, _, kind = name.partition(".")
        assert any(hasattr(import_module(place), kind) for place in places[package]), name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("botocore.exceptions.NoCredentialsError", NoCredentials),
        ("botocore.exceptions.UnauthorizedSSOTokenError", NoCredentials),
        ("botocore.exceptions.EndpointConnectionError", Unreachable),
        ("botocore.exceptions.ConnectionClosedError", Unreachable),
        ("botocore.exceptions.SSLError", Unreachable),
        ("botocore.exceptions.ProxyConnectionError", Unreachable),
        ("botocore.exceptions.ConnectTimeoutError", TimedOut),
        ("botocore.exceptions.ReadTimeoutError", TimedOut),
        ("botocore.exceptions.IncompleteReadError", Unreachable),
        ("botocore.exceptions.ParamValidationError", NotFound),
        ("botocore.parsers.ResponseParserError", BadAnswer),
        ("aiohttp.ClientPayloadError", Unreachable),
        ("aiohttp.ServerTimeoutError", TimedOut),
        ("builtins.TimeoutError", TimedOut),
        ("builtins.ConnectionResetError", Unreachable),
        ("builtins.FileNotFoundError", NoCredentials),
        ("builtins.RuntimeError", StoreError),
    ],
)
def test_an_exception_means(name: str, kind: type[StoreError]) -> None:
    module, _, what = name.rpartition(".")
    said = translate(bare(getattr(import_module(module), what)), HERE)
    assert type(said) is kind
    assert "\n" not in str(said)
    assert "Debug source" not in str(said)
    assert what not in str(said)
    if kind is not TimedOut and not issubclass(getattr(import_module(module), what), OSError):
        assert said.code == what


def test_what_is_translated_already_stays() -> None:
    error = Archived("x")
    assert translate(error, HERE) is error


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchKey", 404, NotFound),
        ("404", 404, NotFound),
        ("NoSuchBucket", 404, NoSuchBucket),
        ("AccessDenied", 403, Forbidden),
        ("403", 403, Forbidden),
        ("InvalidObjectState", 403, Archived),
        ("PreconditionFailed", 412, Changed),
        ("412", 412, Changed),
        ("PermanentRedirect", 301, WrongRegion),
        ("301", 301, WrongRegion),
        ("IllegalLocationConstraintException", 400, WrongRegion),
        ("AuthorizationHeaderMalformed", 400, Forbidden),
        ("SlowDown", 503, Throttled),
        ("503", 503, Throttled),
        ("429", 429, Throttled),
        ("InternalError", 500, ServerFault),
        ("InternalError", 200, ServerFault),
        ("501", 501, ServerFault),
        ("ExpiredToken", 400, Forbidden),
        ("InvalidAccessKeyId", 403, Forbidden),
        ("SignatureDoesNotMatch", 403, Forbidden),
        ("RequestTimeTooSkewed", 403, Forbidden),
        ("InvalidRange", 416, BadAnswer),
        ("NewCodeOfTomorrow", 403, Forbidden),
        ("NewCodeOfTomorrow", 400, StoreError),
        ("", 0, StoreError),
    ],
)
def test_a_code_means(code: str, status: int, kind: type[StoreError]) -> None:
    said = error_from_response(response(code, status), HERE)
    assert type(said) is kind
    assert said.code == code or (not code and said.code == str(status))
    assert "\n" not in str(said)
    assert "s3://b" in str(said)


def test_a_region_is_named_wherever_the_server_put_it() -> None:
    header = {"headers": {"x-amz-bucket-region": "eu-west-1"}}
    for said in (
        error_from_response(response("PermanentRedirect", 301, **header), HERE),
        error_from_response(response("AuthorizationHeaderMalformed", 400, error={"Region": "eu-west-1"}), HERE),
        error_from_response(response("400", 400, **header), HERE),
    ):
        assert isinstance(said, WrongRegion)
        assert said.region == "eu-west-1"
        assert "--region eu-west-1" in str(said)
    same = error_from_response(response("400", 400, headers={"x-amz-bucket-region": "us-east-1"}), HERE)
    assert type(same) is StoreError


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredToken", "aws sso login"),
        ("RequestTimeTooSkewed", "clock"),
        ("InvalidAccessKeyId", "access key"),
        ("SignatureDoesNotMatch", "secret key"),
        ("InvalidObjectState", "restored"),
    ],
)
def test_a_message_says_what_to_do(code: str, words: str) -> None:
    assert words in str(error_from_response(response(code, 403), HERE))


def test_a_refusal_of_unsigned_requests_names_the_option() -> None:
    assert "--profile" in str(error_from_response(response("AccessDenied", 403), HERE._replace(unsigned=True)))
    assert "--profile" not in str(error_from_response(response("AccessDenied", 403), HERE))


def test_a_proxy_is_named_where_it_may_be_to_blame() -> None:
    behind = HERE._replace(proxy="http://proxy.lab:3128")
    for error in (ConnectionRefusedError(111, "refused"), OSError("Tunnel connection failed: 403 Filtered")):
        said = translate(error, behind)
        assert type(said) is Unreachable
        assert "the proxy http://proxy.lab:3128" in str(said)
        assert "proxy" not in str(translate(error, HERE))
    said = error_from_response(response("407", 407), behind)
    assert type(said) is Unreachable
    assert "through the proxy http://proxy.lab:3128" in str(said)
    assert "password" in str(said)


def test_transient_codes_are_those_that_pass() -> None:
    transient = {code for code, kind in BY_CODE.items() if kind.transient}
    assert {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout"} <= transient
    assert not transient & {"AccessDenied", "NoSuchKey", "NoSuchBucket", "InvalidObjectState", "PermanentRedirect"}
    assert issubclass(errors.TimedOut, StoreError)
