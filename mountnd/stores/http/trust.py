"""Whose certificates are trusted, settled once for all clients, so that names and bytes trust the same.

AWS_CA_BUNDLE, else `ca_bundle` of the AWS profile, names a PEM file, or a directory of them, that takes the place of
the system's. Without them the system's are trusted as OpenSSL finds them (SSL_CERT_FILE, SSL_CERT_DIR, else its own
paths), and those of REQUESTS_CA_BUNDLE, which was not written for S3 alone. A system that has none gets those that come
with botocore.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import StoreError

# Where systems keep what they trust as one file: Debian and its like, Fedora and its like, SUSE, Alpine and the BSDs.
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


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
        bundle: PEM file or directory, "" for none.
        origin: what named the bundle, for messages.
        system: whether the system's certificates are trusted.
        extra: (variable, path) of what is trusted beside them.
    """

    bundle: str = ""
    origin: str = ""
    system: bool = True
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def file(self) -> str:
        """The PEM file that is trusted, "" where it is another thing: for libraries that take nothing else."""
        path = self.bundle or (self.extra[0][1] if self.extra else "")
        return path if os.path.isfile(path) else ""

    def context(self) -> ssl.SSLContext:
        """A new client context. Raises StoreError where a file holds no certificates."""
        made = _SettledContext(ssl.PROTOCOL_TLS_CLIENT)
        # Python 3.13 begins to refuse what private authorities often leave out (key usage); botocore does not.
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.bundle:
            made.trust(self.bundle, self.origin)
        if self.system:
            made.load_default_certs()  # also those of SSL_CERT_FILE; of one that holds none it says nothing
            for origin, path in self.extra:
                if origin != "SSL_CERT_FILE" or not _has_certificates(made):
                    made.trust(path, origin)
            if not self.extra and not _has_certificates(made):
                from botocore.httpsession import where

                made.trust(where(), "botocore")
        return made


def settle_trust(
    profile_bundle: str | None = None, environ: Mapping[str, str] = os.environ, *, with_system: bool = False
) -> Trust:
    """What the environment and the AWS profile say.

    Args:
        profile_bundle: `ca_bundle` of the profile.
        with_system: trust the system's beside a bundle: one that was made for S3 says nothing of web servers.

    Raises StoreError, which names the variable, where a path is missing.
    """
    for origin, path in (
        ("AWS_CA_BUNDLE", environ.get("AWS_CA_BUNDLE")),
        ("ca_bundle of the AWS profile", profile_bundle),
    ):
        if path:
            bundle = _existing(os.path.expanduser(path), origin)
            return Trust(bundle, origin, with_system, _beside_the_system(environ) if with_system else ())
    return Trust(extra=_beside_the_system(environ))


def usual_context() -> ssl.SSLContext:
    """A new context that trusts what the system does, and what the environment names beside it. Raises StoreError."""
    return settle_trust(with_system=True).context()


def pem_file(environ: Mapping[str, str] = os.environ) -> str:
    """One file with what is trusted, for programs that take no more: the first of AWS_CA_BUNDLE, SSL_CERT_FILE,
    REQUESTS_CA_BUNDLE and the system's; "" where it is a directory, or there is none. Raises StoreError."""
    trust = settle_trust(environ=environ)
    named = {name: path for name, path in trust.extra if os.path.isfile(path)}
    if trust.bundle or named:
        return trust.file if trust.bundle else named.get("SSL_CERT_FILE") or next(iter(named.values()))
    found = (ssl.get_default_verify_paths().cafile or "", *_SYSTEM_FILES)
    return next((path for path in found if path and os.path.isfile(path)), "")


def _beside_the_system(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    directories = [path for path in environ.get("SSL_CERT_DIR", "").split(os.pathsep) if path]
    if directories and not any(map(os.path.isdir, directories)):
        raise _unusable(directories[0], "SSL_CERT_DIR", "No such directory")
    found = {environ[name]: name for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE") if environ.get(name)}
    return tuple((name, _existing(path, name)) for path, name in found.items())


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
    directories = os.environ.get("SSL_CERT_DIR", "").split(os.pathsep) + [ssl.get_default_verify_paths().capath or ""]
    return bool(context.cert_store_stats()["x509_ca"] or any(os.path.isdir(d) and os.listdir(d) for d in directories))
