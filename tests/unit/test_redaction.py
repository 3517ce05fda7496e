"""Secrets in text: each place where one may stand, and text that only looks like it."""

from __future__ import annotations

import time

import pytest

from mountnd import redaction
from mountnd.redaction import identity, redacted

S = "s3cr3t-Val/ue+9%2F"

PLACES = [
    f"https://user:{S.replace('/', '_')}@host/path",
    "https://user:pass@word-s3cr3t@host/path",
    "mount https://user:s3c/r3t#1?x@host/path now",
    "https://u:s3cr3t'quote\"d@host/",
    "https://s3cr3t@host/",  # a token in the user's place
    "socks5h://me:s3cr3t@proxy:1080",
    f"https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Credential={S}&X-Amz-Signature={S}&X-Amz-Security-Token={S}",
    f"/k?AWSAccessKeyId={S}&Signature={S}&Expires={S}",
    f"https://storage.googleapis.com/b/o?GoogleAccessId={S}&X-Goog-Signature={S}&X-Goog-Credential={S}",
    f"https://a.blob.core.windows.net/c/b?sv=2024-01-01&sp=r&sig={S}",
    f"https://d.cloudfront.net/f?Policy={S}&Signature={S}&Key-Pair-Id={S}",
    f"https://h/f?access_token={S}&x=1 https://h/f?api_key={S} https://h/?password={S}",
    "https://h/?to=https%3A%2F%2Fh%2Fk%3FX-Amz-Signature%3Ds3cr3t%26x%3D1",
    f"https://h/f?a=1&amp;sig={S}",
    f"{{'Authorization': b'AWS4-HMAC-SHA256 Credential={S}, SignedHeaders=host, Signature={S}', 'Range': 'x'}}",
    f"Authorization: AWS AKIA:{S}",
    f"[('Authorization', 'Basic {S}')]",
    f'"X-Amz-Security-Token": "{S}"',
    f"host:h\nx-amz-security-token:{S}\n\nhost;x-amz-security-token",
    f"send: b'GET / HTTP/1.1\\r\\nX-Amz-Security-Token: {S}\\r\\nHost: h\\r\\n'",
    f"Proxy-Authorization: Basic {S}",
    f"Set-Cookie: CloudFront-Policy={S}; path=/",
    f"aws_secret_access_key = {S}",
    f"secret_key='{S}' region=x",
    f'{{"AccessKeyId": "A", "SecretAccessKey": "{S}", "SessionToken": "{S}"}}',
    f"AWS_SESSION_TOKEN={S}",
    f"<Credentials><SecretAccessKey>{S}</SecretAccessKey><SessionToken>{S}</SessionToken></Credentials>",
    "AccountKey=s3cr3t==;EndpointSuffix=core.windows.net",
    f"Signature:\n{'5ec3e75e' * 8}",
    f'Authorization: "cut off: {S}',
]


@pytest.mark.parametrize("text", PLACES)
def test_a_secret_is_hidden_wherever_it_stands(text: str) -> None:
    shown = redacted(text)
    for part in ("s3cr3t", "s3c/r3t", "pass@word", "Val/ue", "Val_ue", "5ec3e75e"):
        assert part not in shown
    assert "***" in shown
    assert redacted(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket: 'sub-01/func:run@2_bold.nii': access denied to these credentials (AccessDenied)",
        "http://127.0.0.1:9000/a@b and https://host:8080/x?list-type=2&continuation-token=abc&prefix=p",
        "sftp://alice@host/data",
        "the session token has expired: get a new one (for example `aws sso login`) (ExpiredToken)",
        "the secret key does not match the access key: check the profile (SignatureDoesNotMatch)",
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or name another profile with --profile",
        "task-rest_bold.json: Signature; Policy=open",
        "token=None, password=None",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert redacted(text) == text


def test_what_was_learned_is_hidden_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_learnt", ())
    redaction.learn_environment(
        {
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
            "HTTPS_PROXY": "http://me:pr%40xy-pass@proxy:3128",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "tokens/of/mine",
            "AWS_SHORT_TOKEN": "true",
            "HOME": "/home/somebody",
        }
    )
    text = redacted("x wJalrXUtnFEMI y pr@xy-pass z pr%40xy-pass; tokens/of/mine true /home/somebody")
    assert text == "x *** y *** z ***; tokens/of/mine true /home/somebody"


def test_an_identity_tells_sources_apart_and_holds_no_secret() -> None:
    one = identity("https://user:s3cr3t@host/f?sig=s3cr3t&x=1")
    assert "s3cr3t" not in one
    assert one == identity("https://user:new-pass@host/f?sig=s3cr3t&x=1")  # a changed password is no other source
    assert one != identity("https://user:s3cr3t@host/f?sig=other&x=1")
    assert one != identity("https://other:s3cr3t@host/f?sig=s3cr3t&x=1")
    assert identity("https://token-a@host/") != identity("https://token-b@host/")
    assert identity("https://host/path@x?y=1") == "https://host/path@x?y=1"
    assert identity("sftp://alice@host/x") == "sftp://alice@host/x"


@pytest.mark.parametrize(
    "part",
    ["a", "://", "?sig=", "Authorization:", "secret=", "=:", "http://a:", "a_", "-_", "token", "secret='", "@", " "],
)
def test_long_text_takes_no_longer_than_it_is_long(part: str) -> None:
    """Not a matter of speed: an expression that backtracks would take minutes, and hold the interpreter meanwhile."""
    text = (part * (1 << 15))[: 1 << 15]
    start = time.process_time()
    redacted(text)
    assert time.process_time() - start < 20
