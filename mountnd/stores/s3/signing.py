"""Headers that sign a GET, by botocore, with credentials that renew themselves.

Lock order: `Signer._lock` is a leaf, held while botocore is asked for credentials, at most once a minute.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from ..http.timeouts import IDLE_S
from .connect import BucketAccess

# botocore renews credentials 10 to 15 minutes before they end. Asking it crosses to its loop's thread and back, which
# once a minute costs nothing.
CREDENTIALS_KEPT_S = 60.0


class Signer:
    """Signs requests to one bucket; leaves them as they are where access is unsigned."""

    def __init__(self, access: BucketAccess) -> None:
        self._access = access
        self._region, self._service = access.signed_for
        self._lock = threading.Lock()
        self._auth: Any = None
        self._renewed = 0.0

    def headers(self, url: str, headers: dict[str, str]) -> dict[str, str]:
        """`headers` with what signs a GET of `url` (AWS Signature Version 4). Raises what botocore raises."""
        if self._access.unsigned:
            return headers
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method="GET", url=url, headers=headers)
        self._current().add_auth(request)
        return dict(request.headers.items())

    def _current(self) -> Any:
        from botocore.auth import S3SigV4Auth

        with self._lock:
            now = time.monotonic()
            if self._auth is None or now - self._renewed > CREDENTIALS_KEPT_S:
                request = self._access.credentials.get_frozen_credentials()
                frozen = asyncio.run_coroutine_threadsafe(request, self._access.loop).result(IDLE_S)
                self._auth, self._renewed = S3SigV4Auth(frozen, self._service, self._region), now
            return self._auth
