"""What sockets, TLS and `http.client` raise -> `errors.StoreError`. Pure."""

from __future__ import annotations

import http.client

from ...errors import BadAnswer, StoreError, TimedOut, Unreachable
from .answers import InvalidHead


def error_from_exception(error: Exception, subject: object, through: str = "") -> StoreError:
    """What to raise instead of `error`; chain it with `from error`.

    Args:
        subject: what was asked for; its `str()` begins the message.
        through: the proxy, as messages name it; "" without one.
    """
    if isinstance(error, StoreError):
        return error
    code = type(error).__name__
    if isinstance(error, http.client.HTTPException):
        said = str(error) if isinstance(error, InvalidHead) else code
        broken = isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead)
        kind: type[StoreError] = Unreachable if broken else BadAnswer
        return kind(f"{subject}: invalid or incomplete HTTP response ({said})", code=code)
    if isinstance(error, TimeoutError):
        return TimedOut(f"{subject}: no answer in time ({code})", code=code)
    if isinstance(error, OSError):
        by = f" through the proxy {through}" if through else ""
        return Unreachable(f"{subject}: no connection{by}, or it broke: {error.strerror or error}", code=code)
    if isinstance(error, ValueError):  # text that no request can hold
        return StoreError(f"{subject}: cannot be asked for: {error}", code=code)
    return StoreError(f"{subject}: {code}", code=code)
