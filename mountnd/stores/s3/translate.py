"""What S3 and the libraries that speak to it raise -> `errors.StoreError`, by code or class, never by text. Pure.

Codes: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. A HEAD has no body, and so only an HTTP status for a
code; `store.py` then makes a GET, whose refusal has one.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ...errors import (
    Archived,
    BadAnswer,
    Changed,
    Forbidden,
    Intercepted,
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
from ...foreign_text import as_region
from ..facts import datetime_of
from ..http import faults
from ..http.status import error_type, request_id_in
from . import key_faults
from .exceptions import lookup

BY_CODE: dict[str, type[StoreError]] = {
    "NoSuchKey": NotFound,
    "NoSuchVersion": NotFound,
    "NoSuchBucket": NoSuchBucket,
    "InvalidBucketName": NoSuchBucket,
    "NoSuchAccessPoint": NoSuchBucket,
    "AccessDenied": Forbidden,
    "AllAccessDisabled": Forbidden,
    "AccountProblem": Forbidden,
    "InvalidPayer": Forbidden,
    "NotSignedUp": Forbidden,
    "InvalidAccessKeyId": Forbidden,
    "SignatureDoesNotMatch": Forbidden,
    "AuthorizationHeaderMalformed": Forbidden,
    "ExpiredToken": Forbidden,
    "InvalidToken": Forbidden,
    "TokenRefreshRequired": Forbidden,
    "InvalidSecurity": Forbidden,
    # Others than AWS's S3 have these, some with status 400.
    "InvalidTokenId": Forbidden,
    "InvalidClientTokenId": Forbidden,
    "InvalidAccessKey": Forbidden,
    "InvalidSignature": Forbidden,
    "ExpiredTokenException": Forbidden,
    "UnrecognizedClientException": Forbidden,
    "MissingAuthenticationToken": Forbidden,
    "Unauthorized": Forbidden,
    "RequestTimeTooSkewed": Forbidden,
    "RequestExpired": Forbidden,
    "InvalidObjectState": Archived,
    "PreconditionFailed": Changed,
    "PermanentRedirect": WrongRegion,
    "TemporaryRedirect": WrongRegion,
    "Redirect": WrongRegion,
    "IllegalLocationConstraintException": WrongRegion,
    "SlowDown": Throttled,
    "Throttling": Throttled,
    "ThrottlingException": Throttled,
    "RequestLimitExceeded": Throttled,
    "TooManyRequests": Throttled,
    "TooManyRequestsException": Throttled,
    "BandwidthLimitExceeded": Throttled,
    "ServiceUnavailable": Throttled,
    "Busy": Throttled,
    "InternalError": ServerFault,
    "RequestTimeout": ServerFault,
    "OperationAborted": ServerFault,
    "InvalidRange": BadAnswer,
}

# What a person can do about a code that refuses everybody in the same way.
_ADVICE = {
    "InvalidAccessKeyId": "the server does not know this access key: check the profile and the endpoint",
    "SignatureDoesNotMatch": "the secret key does not match the access key: check the profile",
    "InvalidTokenId": "the server does not know this access key: check the profile and the endpoint",
    "InvalidClientTokenId": "the server does not know this access key: check the profile and the endpoint",
    "ExpiredToken": "the session token has expired: get a new one (for example: aws sso login{profile})",
    "ExpiredTokenException": "the session token has expired: get a new one (for example: aws sso login{profile})",
    "InvalidToken": "the session token is not valid: get a new one (for example: aws sso login{profile})",
    "TokenRefreshRequired": "the session token must be renewed (for example: aws sso login{profile})",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
    "RequestExpired": "this machine's clock is wrong: set it",
    "InvalidPayer": "the bucket lets requesters pay, and this account cannot",
    "AllAccessDisabled": "the bucket's owner has disabled all access",
    "InvalidObjectState": "the object is archived and must be restored before it can be read",
}

# What servers are asked that give keys.
_KEY_OPERATIONS = frozenset(
    (
        "AssumeRole",
        "AssumeRoleWithWebIdentity",
        "AssumeRoleWithSAML",
        "GetRoleCredentials",
        "GetSessionToken",
        "CreateToken",
    )
)


class Subject(NamedTuple):
    """What a request was about, for messages: url of the source, key ("" for the bucket), and how it was sent.

    `proxy` is how messages name the proxy, "" without one; `place`: host and port that were asked; `profile`: of the
    AWS files, "" where the source names none.
    """

    url: str
    key: str = ""
    unsigned: bool = False
    region: str = ""
    proxy: str = ""
    place: str = ""
    profile: str = ""

    def __str__(self) -> str:
        return f"{self.url}: {self.key!r}" if self.key else self.url


def translate(error: BaseException, subject: Subject) -> StoreError:
    """What to raise instead of `error`; chain it with `from error`."""
    if isinstance(error, StoreError):
        return error
    response = getattr(error, "response", None)  # botocore's ClientError
    if isinstance(response, Mapping) and "Error" in response:
        refused = error_from_response(response, subject)
        return _of_keys(refused, subject, str(getattr(error, "operation_name", "")))
    name, kind = lookup(error) or ("", StoreError)
    if name == "botocore.ParamValidationError" and not subject.key:
        kind = NoSuchBucket
    if kind is NoCredentials and (words := key_faults.words(error, subject.profile)):
        return NoCredentials(f"{subject.url}: {words}", code=type(error).__name__)
    of_library = name.startswith(("botocore.", "aiohttp."))
    if isinstance(error, HTTPException | OSError) and kind is not NoCredentials and not of_library:
        code, said, kind = faults.describe(error, subject.place, subject.proxy)
        return kind(f"{subject if kind is TimedOut else subject.url}: {said}", code=code)
    if of_library and issubclass(kind, Unreachable | TimedOut):  # requests to the bucket are not theirs
        server = _origin(str(getattr(error, "kwargs", {}).get("endpoint_url", ""))) or "the server that gives them"
        return kind(f"{subject.url}: the keys could not be had: {server} cannot be reached", code=type(error).__name__)
    return _build(kind, subject, "", _first_paragraph(error), shown=type(error).__name__)


def _of_keys(refused: StoreError, subject: Subject, operation: str) -> StoreError:
    """`refused`; where it was STS or the like that refused, and not the bucket, it says so."""
    if operation not in _KEY_OPERATIONS or isinstance(refused, WrongRegion):
        return refused
    of = f"of profile {subject.profile!r} " if subject.profile else ""
    advice = _ADVICE.get(refused.code, "").format(profile=_profile_flag(subject))
    why = advice or "check the role, and the keys that ask for it"
    told = type(refused)(
        f"{subject.url}: the keys {of}could not be had, {operation} was refused: {why} ({refused.code})"
    )
    told.code = refused.code
    if isinstance(refused, Forbidden) and isinstance(told, Forbidden):
        told.server_time = refused.server_time
    return told


def error_from_response(response: Mapping[str, Any], subject: Subject) -> StoreError:
    """The error in a botocore response, by its `Error.Code`, else by its HTTP status."""
    fault, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(fault.get("Code", "")), int(meta.get("HTTPStatusCode", 0))
    region = as_region(meta.get("HTTPHeaders", {}).get("x-amz-bucket-region", "") or fault.get("Region", ""))
    if status == 407:  # never S3's
        return _build(Unreachable, subject, "407", "it needs a user and password, or rejected those given")
    if status == 511:  # RFC 6585, section 6: a captive portal's
        return Intercepted(f"{subject.url}: this network wants you to sign in first (511)", code=faults.WEB_PAGE)
    kind = BY_CODE.get(code) or error_type(status)
    # A request signed for another region is refused as malformed, and a HEAD of one by a bare 400.
    if region and region != subject.region and (code == "AuthorizationHeaderMalformed" or status == 400):
        kind = WrongRegion
    if 300 <= status < 400 and not region and (where := _origin(meta.get("HTTPHeaders", {}).get("location"))):
        return BadAnswer(
            f"{subject}: the server leads to {where}, which is not followed, as names, bytes and credentials are for "
            f"this server; if it is right, name it with --endpoint-url ({code or status})",
            code=code or str(status),
        )
    error = _build(kind, subject, code or str(status), str(fault.get("Message", "")), region)
    error.request_id = request_id_in(meta.get("HTTPHeaders", {}).get, str(fault.get("RequestId", "")))
    if isinstance(error, Forbidden):
        error.server_time = _seconds(str(meta.get("HTTPHeaders", {}).get("date", "")))
    return error


def _build(
    kind: type[StoreError], subject: Subject, code: str, said: str, region: str = "", *, shown: str = ""
) -> StoreError:
    """`kind` with one line for a person; `said` is what server or library had to say.

    `code` is the provider's, and shown; without one the error gets `shown` for a code, which is not.
    """
    said = " ".join(said.split()) or "the server refused"
    if kind is WrongRegion:
        advice = f"use --region {region}" if region else "name its region with --region"
        return WrongRegion(f"{subject.url}: the bucket is in another region: {advice}", code=code, region=region)
    if code in _ADVICE:
        message = f"{subject}: {_ADVICE[code].format(profile=_profile_flag(subject))}"
    elif kind is NoSuchBucket:
        message = f"{subject.url}: no such bucket; check its name and the endpoint"
    elif kind is NotFound:
        message = f"{subject}: not found"
    elif kind is Changed:
        message = f"{subject}: the object was replaced since it was opened"
    elif kind is Forbidden and subject.unsigned:
        message = f"{subject}: access denied to unsigned requests; it may need credentials (--profile NAME)"
    elif kind is Forbidden:
        message = f"{subject}: access denied to these credentials"
    elif kind is NoCredentials:
        message = f"{subject.url}: no usable credentials: {said}"
    elif kind is TimedOut:
        message = f"{subject}: no answer in time"
    elif kind is Unreachable:
        through = f" through the proxy {subject.proxy}" if subject.proxy else ""
        message = f"{subject.url}: no connection{through}, or it broke: {said}"
    elif kind is Throttled:
        message = f"{subject}: the server is busy, and asks to come back later"
    elif kind is ServerFault:
        message = f"{subject}: the server failed"
    else:
        message = f"{subject}: {said}"
    return kind(f"{message} ({code})" if code else message, code=code or shown)


def _profile_flag(subject: Subject) -> str:
    return f" --profile {shlex.quote(subject.profile)}" if subject.profile else ""


def _origin(location: str | None) -> str:
    """Scheme and host of a Location header; "" where it names none."""
    try:
        parts = urlsplit(location or "")
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2][:253]}" if parts.netloc else ""
    except ValueError:
        return ""


def _seconds(date: str) -> float | None:
    """A Date header in seconds since the epoch."""
    when = datetime_of(date)
    return None if when is None else when.timestamp()


def _first_paragraph(error: BaseException) -> str:
    return str(error).partition("\n\n")[0] or type(error).__name__
