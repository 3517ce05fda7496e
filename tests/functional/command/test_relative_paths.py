"""Relative paths mean the directory of the person who mounts, in the background too, whose own directory is "/"."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cli
from tests.support.certificates import PrivateCA
from tests.support.cli import daemon_record, run_mountnd
from tests.support.quirky import Quirky, quirky_server

pytestmark = pytest.mark.kernel

BODY = b"read with the right keys"
AT = ("--region", "us-east-1", "--endpoint-url")


@pytest.fixture
def server() -> Iterator[Quirky]:
    with quirky_server() as server:
        server.hold({"k": BODY}, keys=["LAB"])
        yield server


@pytest.fixture
def tls_server(private_ca: PrivateCA) -> Iterator[Quirky]:
    with quirky_server((private_ca.certificate, private_ca.key)) as server:
        server.hold({"k": BODY})
        yield server


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's directory, with a directory `aws` in it."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "aws").mkdir()
    return tmp_path


def read_in_background(here: Path, *args: str) -> bytes:
    with cli.mountpoint(here / "mnt") as path:
        done = run_mountnd(*args, "mnt", "--cache-dir", "cache", cwd=here)
        assert done.returncode == 0, done.stderr
        pid = daemon_record(path).pid
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        return (path / "k").read_bytes()


def test_the_credentials_file(server: Quirky, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "aws/keys").write_text("[default]\naws_access_key_id = LAB\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "aws/keys")
    assert read_in_background(here, "s3://bkt", *AT, server.url) == BODY


def test_the_config_file_and_what_is_in_it(server: Quirky, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "aws/config").write_text("[profile lab]\nregion = us-east-1\ncredential_process = ./bin/give 'L A B'\n")
    (here / "bin").mkdir()
    (here / "bin/give").write_text(
        "#!/bin/sh\n# also the program itself finds what lies here\n. ./aws/secret\n"
        'test "$1" = "L A B" && echo \'{"Version": 1, "AccessKeyId": "\'$KEY\'", "SecretAccessKey": "s"}\'\n'
    )
    (here / "bin/give").chmod(0o755)
    (here / "aws/secret").write_text("KEY=LAB\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", "./aws/config")
    assert read_in_background(here, "s3://bkt", "--endpoint-url", server.url, "--profile", "lab") == BODY


def test_a_process_found_by_a_relative_path_variable(
    server: Quirky, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "aws/config").write_text("[default]\ncredential_process = give-keys\n")
    (here / "bin").mkdir()
    (here / "bin/give-keys").write_text(
        '#!/bin/sh\necho \'{"Version": 1, "AccessKeyId": "LAB", "SecretAccessKey": "s"}\'\n'
    )
    (here / "bin/give-keys").chmod(0o755)
    monkeypatch.setenv("AWS_CONFIG_FILE", "aws/config")
    monkeypatch.setenv("PATH", f"bin:{os.environ['PATH']}")
    assert read_in_background(here, "s3://bkt", *AT, server.url) == BODY


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_trusted_certificates(
    tls_server: Quirky, private_ca: PrivateCA, here: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "aws/ca.pem").write_bytes(private_ca.authority.read_bytes())
    monkeypatch.setenv(variable, "aws/ca.pem")
    assert read_in_background(here, "s3://bkt", *AT, tls_server.url, "--anonymous") == BODY


def test_trusted_certificates_of_the_profile(
    tls_server: Quirky, private_ca: PrivateCA, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "aws/ca.pem").write_bytes(private_ca.authority.read_bytes())
    (here / "aws/config").write_text("[default]\nca_bundle = aws/ca.pem\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", "aws/config")
    assert read_in_background(here, "s3://bkt", *AT, tls_server.url, "--anonymous") == BODY


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_missing_certificates_are_named_when_mounting(
    tls_server: Quirky, here: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "aws/none.pem")
    with cli.mountpoint(here / "mnt") as path:
        done = run_mountnd("s3://bkt", *AT, tls_server.url, "--anonymous", "mnt", cwd=here)
        assert done.returncode == 1
        assert re.search(f"{variable}, {here}/aws/none.pem: No such", done.stderr.splitlines()[-1])
        assert not path.exists()


def test_the_log_file_and_the_file_of_links(server: Quirky, here: Path) -> None:
    server.switch(keys=None)
    (here / "links.txt").write_text(f'curl -C - "{server.url}/bkt/k?Expires=99999999999" --output k\n')
    assert read_in_background(here, "fastmri", "--urls", "links.txt", "--log-file", "aws/log", "-v") == BODY
    assert (here / "aws/log").exists()
    assert not Path("/aws").exists()
