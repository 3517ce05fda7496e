"""What holds for every test: nobody's own settings, credentials or cache take part, and nobody's are changed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from .servers import program

_home: str | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Give the run, and every process it starts, an environment of its own.

    `AWS_*` and `MOUNTND_*` of whoever runs the tests go away (a developer's keys must neither be needed
    nor used), and the XDG directories lie in a temporary one. Without this line botocore would ask the
    link-local address of EC2 for credentials, and wait.
    """
    global _home
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, by what is tested here, too
    for name in [n for n in os.environ if n.startswith(("AWS_", "MOUNTND_"))]:
        del os.environ[name]
    _home = tempfile.mkdtemp(prefix="mountnd-tests-")
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["AWS_CONFIG_FILE"] = os.path.join(_home, "aws-config")
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(_home, "aws-credentials")
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = os.path.join(_home, name.lower())
    runtime = os.path.join(_home, "run")
    os.mkdir(runtime, 0o700)  # a run directory that others may write is refused
    os.environ["XDG_RUNTIME_DIR"] = runtime


def pytest_unconfigure(config: pytest.Config) -> None:
    if _home is not None:
        shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture(scope="session")
def private_ca(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(certificate of a private authority, of a server for 127.0.0.1, its key)"""
    where = tmp_path_factory.mktemp("ca")
    openssl = program("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=where, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    run("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (where / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "names", "-out", "server.pem")  # fmt: skip
    return where / "ca.pem", where / "server.pem", where / "server.key"
