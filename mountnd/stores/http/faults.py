"""What sockets, TLS and `http.client` raise -> `errors.StoreError`: the table of network failures. Pure.

Each has a code, by which `cli/remedies.py` knows what to do about it, and words of its own: the text of a library names
neither the place nor what happened there.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

from ...errors import BadAnswer, StoreError, TimedOut, Unreachable
from .answers import InvalidHead

REFUSED = "ConnectionRefused"
UNKNOWN_HOST = "UnknownHost"
NO_NETWORK = "NoNetwork"
NO_ROUTE = "NoRoute"
BROKEN = "ConnectionBroken"
NO_ANSWER = "NoAnswer"
NOT_TLS = "NotTls"
TLS_ONLY = "TlsOnly"
TLS = "Tls"
CERTIFICATE = "CertificateUntrusted"
CERTIFICATE_TIME = "CertificateTime"
CERTIFICATE_NAME = "CertificateName"
NOT_HTTP = "NotHttp"
NO_TIME = "TimedOut"
WEB_PAGE = "WebPage"
PROXY_KEYS = "407"

# Of a name server that says that there is none; others say that it could not be asked.
_NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))

# By `OSError.errno`. `%s`: the place that was connected to.
_BY_ERRNO = {
    errno.ECONNREFUSED: (REFUSED, "%s refused the connection: nothing listens there"),
    errno.ENETUNREACH: (NO_NETWORK, "no network leads to %s"),
    errno.ENETDOWN: (NO_NETWORK, "no network leads to %s"),
    errno.EADDRNOTAVAIL: (NO_NETWORK, "no network leads to %s"),
    errno.EHOSTUNREACH: (NO_ROUTE, "%s cannot be reached from this network"),
    errno.EHOSTDOWN: (NO_ROUTE, "%s cannot be reached from this network"),
    errno.EACCES: (NO_ROUTE, "a firewall forbids the connection to %s"),
    errno.EPERM: (NO_ROUTE, "a firewall forbids the connection to %s"),
    errno.ECONNRESET: (BROKEN, "the connection to %s broke"),
    errno.ECONNABORTED: (BROKEN, "the connection to %s broke"),
    errno.EPIPE: (BROKEN, "the connection to %s broke"),
}

_TLS_ONLY = "%s speaks TLS (https), and was asked without"
# What OpenSSL says of one who answers a handshake with text.
_NOT_TLS = frozenset(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"))
# x509_vfy.h: X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED; _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH
_TIMES, _NAMES = {9: "is not valid yet", 10: "has expired"}, (62, 64)


def error_from_exception(error: Exception, subject: object, through: str = "", place: str = "") -> StoreError:
    """What to raise instead of `error`; chain it with `from error`.

    Args:
        subject: what was asked for; its `str()` begins the message.
        through: the proxy, as messages name it; "" without one.
        place: host, and port where it is not the scheme's own, that was asked; "" where that is not known.
    """
    if isinstance(error, StoreError):
        return error
    code, said, kind = describe(error, place, through)
    return kind(f"{subject}: {said}", code=code)


def describe(error: Exception, place: str, through: str = "") -> tuple[str, str, type[StoreError]]:
    """Code, words and class for an exception that is no StoreError."""
    place = place or "the server"
    # A connection is made to the proxy; TLS and HTTP are spoken to the server behind it.
    peer = f"the proxy {through}" if through else place
    if isinstance(error, ssl.SSLError):
        code, said = _of_tls(error, place)
        return code, said, Unreachable
    if isinstance(error, http.client.RemoteDisconnected):
        return NO_ANSWER, f"{peer} closed the connection without an answer", Unreachable
    if isinstance(error, http.client.IncompleteRead):
        return BROKEN, f"the connection to {peer} broke in the middle of an answer", Unreachable
    if isinstance(error, InvalidHead):
        return NOT_HTTP, f"{peer} does not speak HTTP as it should: {error}", BadAnswer
    if isinstance(error, http.client.BadStatusLine) and str(error).lstrip("'\"").startswith(("\x15\x03", "\\x15\\x03")):
        return TLS_ONLY, _TLS_ONLY % peer, BadAnswer
    if isinstance(error, http.client.HTTPException):
        return NOT_HTTP, f"{peer} does not speak HTTP", BadAnswer
    if isinstance(error, TimeoutError):
        return NO_TIME, f"no answer in time from {peer}", TimedOut
    if isinstance(error, socket.gaierror):
        host = peer.removeprefix("the proxy ") if through else _host(place)
        if error.errno in _NO_SUCH_NAME:
            return UNKNOWN_HOST, f"no host is called {host}, or this machine has no network", Unreachable
        return NO_NETWORK, f"the name {host} cannot be looked up: no name server answers", Unreachable
    if isinstance(error, OSError):
        if found := _BY_ERRNO.get(error.errno or 0):
            return found[0], found[1] % peer, Unreachable
        by = f" through {peer}" if through else f" to {place}"
        said = (error.strerror or str(error)).partition("\n")[0] or "nothing is said about why"
        return BROKEN, f"no connection{by}, or it broke: {said}", Unreachable
    if isinstance(error, ValueError):  # text that no request can hold
        return "URL", f"cannot be asked for: {error}", StoreError
    return "Unknown", f"the request failed ({type(error).__name__})", StoreError


def _of_tls(error: ssl.SSLError, place: str) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        number = error.verify_code
        if number in _TIMES:
            return CERTIFICATE_TIME, f"the certificate of {place} {_TIMES[number]}"
        if number in _NAMES:
            return CERTIFICATE_NAME, f"the certificate of {place} is for another name"
        return CERTIFICATE, f"the certificate of {place} is not trusted: its authority is not known here"
    if error.reason in _NOT_TLS:
        return NOT_TLS, f"{place} does not speak TLS (https)"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or not error.reason:
        return BROKEN, f"the connection to {place} broke"
    return TLS, f"no TLS connection to {place}: {error.reason.lower().replace('_', ' ')}"


def _host(place: str) -> str:
    """`place` without its port."""
    host, colon, port = place.rpartition(":")
    return host if colon and port.isdigit() and not host.endswith(":") else place


def tls_only(subject: object, place: str) -> BadAnswer:
    """The error for a refusal of which `is_told_to_use_tls` holds; arguments as for `error_from_exception`."""
    return BadAnswer(f"{subject}: {_TLS_ONLY % place}", code=TLS_ONLY)


def is_told_to_use_tls(body: bytes) -> bool:
    """Whether the body of a refusal (400) says that a port for TLS was asked without it (nginx, Go)."""
    return b"HTTPS port" in body or b"HTTPS server" in body
