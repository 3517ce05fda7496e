"""HTTP statuses -> classes of `errors.StoreError`, for every store that speaks HTTP. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from ...errors import (
    BadAnswer,
    Changed,
    Forbidden,
    NotFound,
    ServerFault,
    StoreError,
    Throttled,
    Unreachable,
    WrongRegion,
)

BY_STATUS: dict[int, type[StoreError]] = {
    301: WrongRegion,  # a redirect without a place to go to is S3's way to say so; others are followed
    302: WrongRegion,
    307: WrongRegion,
    308: WrongRegion,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: NotFound,  # on S3: what stands at this name is a delete marker
    407: Unreachable,  # said by a proxy: it wants a user and a password, or others
    408: ServerFault,
    410: NotFound,
    412: Changed,
    416: BadAnswer,
    429: Throttled,
    503: Throttled,
    509: Throttled,
}


def error_type(status: int) -> type[StoreError]:
    """The class for an HTTP status that is no success; a plain StoreError for one that nobody knows."""
    return BY_STATUS.get(status) or (ServerFault if status >= 500 else StoreError)


# What providers call a request, in the order of preference: S3 and its like, Google, DANDI and others.
_REQUEST_IDS = ("x-amz-request-id", "x-guploader-uploadid", "x-request-id")


def request_id_in(header: Callable[[str], str | None], said: str = "") -> str:
    """What the provider calls this request, "" where what stands there cannot be such a name.

    Args:
        header: gives a header of the answer by its lower-case name.
        said: what the body calls it, for an answer without such a header.
    """
    found = next((text for name in _REQUEST_IDS if (text := header(name))), said)
    return found if re.fullmatch(r"[A-Za-z0-9+/=_.:-]{1,128}", found) else ""
