"""Whose certificates are trusted, settled once for all clients, so that names and bytes trust the same.

From the strongest: AWS_CA_BUNDLE, `ca_bundle` of the AWS profile, REQUESTS_CA_BUNDLE (botocore's order); each names a
PEM file, or a directory of them, that takes the place of the system's. Without one the system's are trusted as OpenSSL
finds them: SSL_CERT_FILE, SSL_CERT_DIR, else its own paths. A system that has none gets those that come with botocore.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import StoreError


class _SettledContext(ssl.SSLContext):
    """Trusts what it was made with: a library that would add certificates of its own adds nothing."""

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        pass

    def trust(self, path: str, origin: str) -> None:
        try:
            if os.path.isdir(path):
                super().load_verify_locations(capath=path)
            else:
                super().load_verify_locations(cafile=path)
        except OSError as error:  # an SSLError is one, too
            raise _unusable(path, origin, error.strerror or str(error)) from error


@dataclass(frozen=True, slots=True)
class Trust:
    """What is trusted.

    Attributes:
        bundle: PEM file or directory that takes the place of the system's; "" for the system's.
        origin: what named the bundle, for messages.
        extra: (origin, PEM file) pairs of the system's that must be readable.
    """

    bundle: str = ""
    origin: str = ""
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def file(self) -> str:
        """The PEM file that is trusted, "" where it is another thing: for libraries that take nothing else."""
        path = self.bundle or (self.extra[0][1] if self.extra else "")
        return path if os.path.isfile(path) else ""

    def context(self, *, and_system: bool = False) -> ssl.SSLContext:
        """A new client context. Raises StoreError where a file holds no certificates.

        Args:
            and_system: trust the system's beside a bundle: one that was made for S3 says nothing of web servers.
        """
        made = _SettledContext(ssl.PROTOCOL_TLS_CLIENT)
        # Python 3.13 begins to refuse what private authorities often leave out (key usage); botocore does not.
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.bundle:
            made.trust(self.bundle, self.origin)
        if not self.bundle or and_system:
            made.load_default_certs()
            for origin, path in self.extra:
                made.trust(path, origin)
            if not self.extra and not _has_certificates(made):
                from botocore.httpsession import where

                made.trust(where(), "botocore")
        return made


def settle_trust(profile_bundle: str | None = None, environ: Mapping[str, str] = os.environ) -> Trust:
    """What the environment and the AWS profile (`profile_bundle`: its `ca_bundle`) say.

    Raises StoreError, which names the variable, where a path is missing.
    """
    for origin, path in (
        ("AWS_CA_BUNDLE", environ.get("AWS_CA_BUNDLE")),
        ("ca_bundle of the AWS profile", profile_bundle),
        ("REQUESTS_CA_BUNDLE", environ.get("REQUESTS_CA_BUNDLE")),
    ):
        if path:
            return Trust(_existing(os.path.expanduser(path), origin), origin)
    extra = []
    if file := environ.get("SSL_CERT_FILE"):
        extra.append(("SSL_CERT_FILE", _existing(file, "SSL_CERT_FILE")))
    directories = [path for path in environ.get("SSL_CERT_DIR", "").split(os.pathsep) if path]
    if directories and not any(map(os.path.isdir, directories)):
        raise _unusable(directories[0], "SSL_CERT_DIR", "No such directory")
    return Trust(extra=tuple(extra))


def _existing(path: str, origin: str) -> str:
    try:
        os.stat(path)
    except OSError as error:
        raise _unusable(path, origin, error.strerror or str(error)) from error
    return path


def _unusable(path: str, origin: str, why: str) -> StoreError:
    return StoreError(
        f"the certificates of {origin}, {path}: {why}; name a file that is there, or unset it", code="CABundle"
    )


def _has_certificates(context: ssl.SSLContext) -> bool:
    # Those of a directory are loaded when they are needed, and not counted before.
    directory = ssl.get_default_verify_paths().capath
    return bool(context.cert_store_stats()["x509_ca"] or (directory and os.listdir(directory)))
