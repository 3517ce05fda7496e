"""HTTP statuses -> classes of `errors.StoreError`, for every store that speaks HTTP. Pure."""

from __future__ import annotations

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
