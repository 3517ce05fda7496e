"""A mount over https, as S3 is: an authority of one's own is trusted for names and for bytes, or for neither.

What each client in the stores trusts is `tests/contract/test_trust.py`; here it is the command, as a person runs it
inside a hospital or behind a proxy that signs everything anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cli
from tests.support.certificates import PrivateCA
from tests.support.mounts import kernel_mount
from tests.support.servers import Answer, Scripted, scripted_server

pytestmark = pytest.mark.kernel

BODY = b"behind a wall"
STAMP = {"ETag": '"t"', "Last-Modified": "Mon, 12 Oct 2009 17:50:00 GMT"}
PAGE = (
    "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Key><LastModified>2009-10-12T17:50:00.000Z"
    f"</LastModified><ETag>&quot;t&quot;</ETag><Size>{len(BODY)}</Size></Contents></ListBucketResult>"
).encode()
PART = {"Content-Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}", "Content-Length": str(len(BODY)), **STAMP}
ANSWERS = {
    "HEAD /bkt": Answer(200, {"Content-Length": "0"}),
    "HEAD /bkt/k": Answer(200, {"Content-Length": str(len(BODY)), **STAMP}),
    "GET /bkt/k": Answer(206, PART, BODY),
    "GET *": Answer(200, {"Content-Length": str(len(PAGE))}, PAGE),
}


@pytest.fixture
def server(private_ca: PrivateCA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """One file in bucket `bkt`, over https; nobody has been told of its authority."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with scripted_server(ANSWERS, tls=(private_ca.certificate, private_ca.key)) as server:
        yield server


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
def test_names_and_bytes_come_through(
    server: Scripted,
    private_ca: PrivateCA,
    variable: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, str(private_ca.authority))
    with kernel_mount(tmp_path, server.url, ["s3://bkt"], {}) as mount:
        assert os.listdir(mount.path) == ["k"]
        assert (mount.path / "k").read_bytes() == BODY
    asked = [(method, target.partition("?")[0].rstrip("/")) for method, target, _ in server.log()]
    assert {("GET", "/bkt"), ("GET", "/bkt/k")} <= set(asked)


def test_the_bundle_of_an_aws_profile_counts_too(
    server: Scripted, private_ca: PrivateCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(f"[default]\nca_bundle = {private_ca.authority}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with kernel_mount(tmp_path, server.url, ["s3://bkt"], {}) as mount:
        assert (mount.path / "k").read_bytes() == BODY


def test_without_it_nothing_is_asked_and_the_certificate_is_named(server: Scripted, tmp_path: Path) -> None:
    with cli.mountpoint(tmp_path / "mnt") as where:
        done = cli.run_mountnd("s3://bkt", where, "--endpoint-url", server.url, "--anonymous", "--cache-size", "0")
        assert done.returncode != 0
        assert not cli.is_mounted(where)
    assert "Traceback" not in done.stderr
    assert "certificate" in done.stderr.lower(), done.stderr
    assert server.log() == []
