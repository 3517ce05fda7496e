"""Secrets in text: passwords, signatures, tokens and keys, replaced by `***` in whatever is shown, logged or recorded.

By where they stand (a URL's user and password, a query's parameter, a header, a line of a config file, XML and JSON of
servers that give credentials), and by value for those that were `learn`ed. Known to everyone, knows no one.

What signs a URL: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html (X-Amz-*),
.../RESTAuthentication (version 2: AWSAccessKeyId, Signature, Expires),
docs.cloud.google.com/storage/docs/access-control/signed-urls (X-Goog-*, GoogleAccessId),
learn.microsoft.com/rest/api/storageservices/create-service-sas (sig),
docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide (Policy, Signature, Key-Pair-Id).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

HIDDEN = "***"

# Parameters of a query that are secret, or part of a signature.
_PARAMETERS = (
    r"X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|GoogleAccessId|Signature|Expires|Policy|"
    r"Key-Pair-Id|sig|(?:[a-z]+[-_])?(?:access|auth|id|refresh|security|session|bearer|api|sas)?[-_]?token|"
    r"api[-_]?key|access[-_]?key|auth(?:key)?|jwt|(?:[a-z]+[-_])?secret(?:[-_]?key)?|passw(?:or)?d|passphrase|pwd"
)
# A listing's own tokens are no secret.
_NOT_SECRET = r"(?!continuation-token|next-?continuation-?token|page-?token|next-?page-?token)"
_PARAMETER = re.compile(
    rf"([?&;]|%3F|%26){_NOT_SECRET}({_PARAMETERS})(=|%3D)((?:(?!%26)[^&;\s\"'<>#])*)", re.IGNORECASE
)

_HEADERS = (
    r"(?:Proxy-)?Authorization|X-Amz-Security-Token|X-Amz-S3session-Token|X-Amz-Content-Sha256-Key|"
    r"X-aws-ec2-metadata-token|x-amz-sso_bearer_token|X-Amz-Server-Side-Encryption-Customer-Key|"
    r"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key|X-Auth-Token|X-Goog-Iam-Authorization-Token|"
    r"(?:Set-)?Cookie"
)
# "Name: value", and as Python shows a dict of headers or a list of pairs: 'Name': b'value', ('Name', 'value').
_HEADER = re.compile(
    rf"(?:\b|(?<=\\n))({_HEADERS})(['\"]?\s{{0,9}}[:,]\s{{0,9}})"
    r"(?:(b?\"[^\"]*(?:\"|$)|b?'[^']*(?:'|$))|((?!b?['\"])(?:(?!\\[rn])[^\r\n])+))",
    re.IGNORECASE,
)
_SCHEME = re.compile(
    r"\b(AWS4-HMAC-SHA256|GOOG4-RSA-SHA256|GOOG4-HMAC-SHA256)((?:\s+|,\s*)Credential=)"
    r"[^\s'\",]+(?:,\s*[A-Za-z]+=[^\s'\",]+)*|\b(Bearer|Basic)( )[A-Za-z0-9+/=._~-]{8,}"
)

# Names of values in config files, environments, JSON, XML and the arguments that Python shows.
_NAMES = (
    r"(?:aws_?)?secret_?(?:access_?)?key|secret|(?:aws_?)?(?:session|security)_?token|(?:access|refresh|id|bearer|auth|sas)_?"
    r"token|passw(?:or)?d|passphrase|pwd|client_?secret|account_?key|connection_?string|api_?key|private_?key"
)
_ASSIGNED = re.compile(
    rf"((?<![A-Za-z])(?:{_NAMES})['\"]?\s{{0,9}}[=:]\s{{0,9}})"
    r"(b?\"[^\"]*(?:\"|$)|b?'[^']*(?:'|$)|[^\s,;&'\"<>()]+)",
    re.IGNORECASE,
)
_ELEMENT = re.compile(
    r"<(SecretAccessKey|SessionToken|SignatureProvided|StringToSignBytes|CanonicalRequestBytes)>[^<]*", re.IGNORECASE
)
# What botocore's signer tells with --debug.
_SIGNATURE = re.compile(r"(Signature:(?:\s|\\n)*)[0-9a-f]{64}\b", re.IGNORECASE)

# A user and password: up to the last @ before the path. A password that holds a / or # ends the host for a parser, and
# yet somebody typed it: a colon that is not followed by a port.
_USER = re.compile(r"://((?:(?!['\"][,;)\]}:])[^/?#\s])*)@")
_ODD_PASSWORD = re.compile(r"://[^/?#\s\"'<>@:]{0,256}:(?!\d{1,5}(?:[/?#\s\"'>)\],]|$))[^\s\"'<>@]{0,512}@")

# Values shorter than this are not replaced by value: they would be found in the middle of other words.
_LEARNT_LENGTH = 8
_VARIABLES = re.compile(r"(SECRET|TOKEN|PASSW|PASSPHRASE|PWD|CREDENTIAL|_SAS$|ACCOUNT_KEY|API_KEY|CONNECTION_STRING)")
_learnt: tuple[str, ...] = ()  # the longest first: one may be part of another


def redacted(text: str) -> str:
    """`text` with every secret that can be recognised replaced. Linear in its length."""
    for value in _learnt:
        text = text.replace(value, HIDDEN)
    if "://" in text:
        text = _USER.sub(_hide_user, text)
        text = _ODD_PASSWORD.sub(f"://{HIDDEN}@", text)
    if "=" in text or "%3D" in text or "%3d" in text:
        text = _PARAMETER.sub(rf"\1\2\3{HIDDEN}", text)
    text = _HEADER.sub(lambda m: f"{m[1]}{m[2]}{_hidden(m[3] or '')}", text)
    text = _SCHEME.sub(lambda m: f"{m[1] or m[3]}{m[2] or m[4]}{HIDDEN}", text)
    text = _ASSIGNED.sub(_hide_value, text)
    if "<" in text:
        text = _ELEMENT.sub(rf"<\1>{HIDDEN}", text)
    return _SIGNATURE.sub(rf"\1{HIDDEN}", text)


def learn(value: str | None) -> None:
    """From now on `value`, a secret of this process, is replaced wherever it stands. One too short to be told from
    other words is left to the rules."""
    global _learnt
    if value and len(value) >= _LEARNT_LENGTH:
        _learnt = tuple(sorted({*_learnt, value}, key=len, reverse=True))


def learn_url(url: str) -> None:
    """`learn` the password in `url`, as it is written and as it is meant."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        learn(password)
        learn(unquote(password))


def learn_environment(environ: Mapping[str, str]) -> None:
    """`learn` what variables hold that are named like secrets, and the passwords in the URLs (of proxies) in them."""
    for name, value in environ.items():
        if "://" in value:
            learn_url(value)
        # The file or address that a secret comes from is none.
        elif _VARIABLES.search(name) and not name.endswith(("_FILE", "_URI", "_PATH", "_DIR")) and value[:1] != "/":
            learn(value)


def identity(url: str) -> str:
    """`url` as a name that caches may be kept by: it can be told from other URLs, and holds no secret.

    A password goes: the user's name says whose view it is. A token or signature is replaced by a digest, because two of
    them may open two different things.
    """

    def user(match: re.Match[str]) -> str:
        name, colon, _ = match[1].partition(":")
        return f"://{name if colon or not _is_web(match) else _digest(name)}@"

    url = _ODD_PASSWORD.sub("://", _USER.sub(user, url, count=1))
    return _PARAMETER.sub(lambda m: f"{m[1]}{m[2]}{m[3]}{_digest(m[4])}", url)


def _digest(secret: str) -> str:
    from hashlib import sha256  # which loads OpenSSL; only some URLs hold secrets

    return sha256(b"mountnd " + secret.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _is_web(match: re.Match[str]) -> bool:
    return match.string[max(0, match.start() - 5) : match.start()].lower().endswith(("http", "https"))


def _hide_user(match: re.Match[str]) -> str:
    # A name without a password is one for SSH, and a token for the web.
    return f"://{HIDDEN}@" if ":" in match[1] or _is_web(match) else match[0]


def _hide_value(match: re.Match[str]) -> str:
    value = match[2]
    if value in ("None", "True", "False", HIDDEN) or value.strip("b'\"") in ("", HIDDEN):
        return match[0]
    return f"{match[1]}{_hidden(value)}"


def _hidden(value: str) -> str:
    """What stands for `value`: in its quotes, if it has any, so that the text around it stays what it was."""
    quote = value.removeprefix("b")[:1]
    return f"{quote}{HIDDEN}{quote}" if quote in ("'", '"') else HIDDEN
