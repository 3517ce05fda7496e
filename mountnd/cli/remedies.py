"""What to do about an error of a source: for `mountnd doctor`, and behind the error of a mount that fails. Pure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from functools import cache

from ..config.options import SourceConfig
from ..config.presets import Preset
from ..errors import (
    Forbidden,
    LinkExpired,
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
from ..foreign_text import as_region

Remedy = Callable[[SourceConfig], str]


def suggest_fix(error: StoreError, source: SourceConfig, preset: Preset | None) -> str:
    """What to do about an error of a source, as a command where there is one; "" for nothing."""
    if isinstance(error, LinkExpired):
        return "ask the data's owner for new links, and pass the file with --urls FILE"
    if found := _by_code().get(error.code):
        return found(source)
    if isinstance(error, Forbidden) and preset is not None and preset.keys:
        return preset.keys
    if isinstance(error, NoCredentials):
        return f"aws configure{_profile(source)}   (or, for a public bucket: --anonymous)"
    if isinstance(error, Forbidden):
        if source.anonymous:
            return "use keys that may list it: --profile NAME"
        prefix = "; where only a prefix may be listed: s3://BUCKET/PREFIX" if source.url.startswith("s3://") else ""
        return f"use other keys: --profile NAME   (for a public bucket: --anonymous{prefix})"
    if isinstance(error, WrongRegion):
        region = as_region(error.region)
        return f"--region {shlex.quote(region)}" if region else "--region with the region that the bucket is in"
    if isinstance(error, NoSuchBucket):
        return "check the bucket's name, and --endpoint-url when it is not on AWS"
    if isinstance(error, NotFound):
        return "check the URL"
    if isinstance(error, Throttled):
        return "wait a minute, and try again"
    if isinstance(error, ServerFault):
        return "try again later; where it lasts, tell whoever runs the server"
    if isinstance(error, TimedOut):
        return f"try again, or wait longer: --timeout 120; is it reached at all? {_curl(source)}"
    if isinstance(error, Unreachable):
        return _curl(source)
    return "try again; --debug shows the requests" if error.transient else ""


def next_step(error: StoreError, source: SourceConfig) -> str:
    """`suggest_fix` behind the message of a mount that fails; "" where that says it itself already, as for keys."""
    if isinstance(error, Forbidden) and error.code not in _CLOCK:
        return ""
    if isinstance(error, Unreachable | TimedOut | Throttled | ServerFault) or error.code in _by_code():
        return suggest_fix(error, source, None)
    return ""


_CLOCK = ("RequestTimeTooSkewed", "RequestExpired")


@cache
def _by_code() -> Mapping[str, Remedy]:
    """By the codes of `stores/http/faults.py` (read when it is needed, as it imports ssl), and S3's."""
    from ..stores.http import faults

    return {
        faults.REFUSED: lambda source: f"check that the server runs, and its port: {_curl(source)}",
        faults.UNKNOWN_HOST: lambda source: f"check its spelling ({_url_word(source)}), or this machine's network",
        faults.NO_NETWORK: lambda _: "connect this machine to the network; what is cached: --offline",
        faults.NO_ROUTE: lambda _: "is a VPN or a proxy needed (HTTPS_PROXY)? What is cached: --offline",
        faults.BROKEN: lambda source: f"try again; where it lasts, look at what stands between: {_curl(source)}",
        faults.NO_ANSWER: lambda source: f"does it want {_other_scheme(source)}? {_curl(source)}",
        faults.NO_TIME: lambda source: f"check host and port, or wait longer (--timeout 120): {_curl(source)}",
        faults.NOT_TLS: lambda source: f"write http:// in place of https:// in {_url_word(source)}",
        faults.TLS_ONLY: lambda source: f"write https:// in place of http:// in {_url_word(source)}",
        faults.TLS: lambda source: f"see what the server takes: {_curl(source)}",
        faults.CERTIFICATE: lambda source: (
            f"name the PEM file of its authority: SSL_CERT_FILE=FILE{_or_aws(source)} (a proxy that opens TLS has one)"
        ),
        faults.CERTIFICATE_TIME: lambda _: "check this machine's clock (date); else its owner must renew it",
        faults.CERTIFICATE_NAME: lambda source: f"write the host's name as in the certificate: {_url_word(source)}",
        faults.NOT_HTTP: lambda source: f"check the port: {_curl(source)}",
        faults.WEB_PAGE: lambda source: (
            f"open it in a browser: a network may want you to sign in first; else check {_url_word(source)}"
            + (" (MinIO: the port of its API, not of its console)" if source.endpoint_url else "")
        ),
        faults.PROXY_KEYS: lambda _: "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
        "SnapshotService": lambda source: (
            f"see whether it answers: curl -I {shlex.quote(source.snapshots_url or '')}; without @TAG the data set is "
            "shown as it is now, which asks nobody else"
        ),
        "CABundle": lambda _: "unset it, or name a file that is there",
        "InvalidAccessKeyId": _other_keys,
        "InvalidTokenId": _other_keys,
        "InvalidClientTokenId": _other_keys,
        "SignatureDoesNotMatch": _other_keys,
        "ExpiredToken": _log_in,
        "ExpiredTokenException": _log_in,
        "InvalidToken": _log_in,
        "TokenRefreshRequired": _log_in,
        "UnauthorizedSSOTokenError": _log_in,
        "SSOTokenLoadError": _log_in,
        "TokenRetrievalError": _log_in,
        **dict.fromkeys(_CLOCK, lambda _: "sudo timedatectl set-ntp true"),
    }


def _curl(source: SourceConfig) -> str:
    web = source.url if source.url.startswith(("http://", "https://")) else "https://s3.amazonaws.com"
    return f"curl -I {shlex.quote(source.endpoint_url or web)}"


def _url_word(source: SourceConfig) -> str:
    """What of what was typed holds the address."""
    if source.endpoint_url:
        return f"--endpoint-url {source.endpoint_url}"
    return "the URL" if source.url.startswith("http") else "the region or AWS_ENDPOINT_URL"


def _other_scheme(source: SourceConfig) -> str:
    return "http://" if (source.endpoint_url or source.url).startswith("https://") else "https://"


def _or_aws(source: SourceConfig) -> str:
    return " or AWS_CA_BUNDLE=FILE" if source.url.startswith("s3://") else " (for S3 also AWS_CA_BUNDLE=FILE)"


def _profile(source: SourceConfig) -> str:
    named = source.profile or os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE") or ""
    return f" --profile {shlex.quote(named)}" if named else ""


def _other_keys(source: SourceConfig) -> str:
    return f"aws configure list{_profile(source)}   (says which keys are used; others: --profile NAME)"


def _log_in(source: SourceConfig) -> str:
    return f"aws sso login{_profile(source)}   (or however you got these keys)"
