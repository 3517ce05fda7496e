"""Headers that sign a GET, by botocore, with credentials that renew themselves.

Lock order: `Signer._lock` is a leaf, held while botocore is asked for credentials at most once a minute.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from .connect import IDLE_S, Link

# botocore renews credentials 10 to 15 minutes before they end; asking it crosses to its loop's thread and back,
# which once a minute costs nothing.
KEEP_S = 60.0


class Signer:
    """Signs requests over one link; leaves them as they are where the link is unsigned."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._auth: Any = None
        self._asked = 0.0

    def headers(self, url: str, headers: dict[str, str]) -> dict[str, str]:
        """`headers` with what signs a GET of `url` (AWS Signature Version 4). Raises what botocore raises."""
        if self._link.unsigned:
            return headers
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method="GET", url=url, headers=headers)
        self._current().add_auth(request)
        return dict(request.headers.items())

    def _current(self) -> Any:
        from botocore.auth import S3SigV4Auth

        with self._lock:
            now = time.monotonic()
            if self._auth is None or now - self._asked > KEEP_S:
                ask = self._link.credentials.get_frozen_credentials()
                frozen = asyncio.run_coroutine_threadsafe(ask, self._link.loop).result(IDLE_S)
                self._auth, self._asked = S3SigV4Auth(frozen, "s3", self._link.region), now
            return self._auth
