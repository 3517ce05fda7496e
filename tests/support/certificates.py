"""A certificate authority of one's own, and a server's certificate signed by it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from .servers import executable


class PrivateCA(NamedTuple):
    """PEM files: the authority's certificate; a server's for 127.0.0.1, and its key; another one for `localhost`."""

    authority: Path
    certificate: Path
    key: Path
    named_certificate: Path


def make_private_ca(where: Path) -> PrivateCA:
    """Make both in the directory `where`; valid for two days. Skips the test where openssl is not installed."""
    openssl = executable("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=where, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    run("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    for name, certificate in (("IP:127.0.0.1", "server.pem"), ("DNS:localhost", "named.pem")):
        (where / "names").write_text(f"subjectAltName={name}\n")
        run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", certificate)  # fmt: skip
    return PrivateCA(where / "ca.pem", where / "server.pem", where / "server.key", where / "named.pem")
