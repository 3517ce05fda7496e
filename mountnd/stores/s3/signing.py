"""Headers that sign a request, by botocore, with credentials that renew themselves and by the server's clock.

Lock order: `Signer._lock` is a leaf.
"""

from __future__ import annotations

import threading
from typing import Any

from ..base import Deadline
from .access.connect import BucketAccess
from .loop import submitted


class Signer:
    """Signs requests to one bucket; leaves them as they are where access is unsigned."""

    def __init__(self, access: BucketAccess) -> None:
        self._access = access
        self._region, self._service = access.signed_for
        self._lock = threading.Lock()
        self._keys: Any = None
        self._auth: Any = None

    @property
    def is_ready(self) -> bool:
        """Whether `headers` need wait for nothing."""
        return self._access.unsigned or self._access.credentials.kept() is not None

    def headers(self, method: str, url: str, headers: dict[str, str], deadline: Deadline) -> dict[str, str]:
        """`headers` with what signs a request for `url` (AWS Signature Version 4). Raises what botocore raises."""
        if self._access.unsigned:
            return headers
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method=method, url=url, headers=headers)
        self._access.clock.apply(request)
        self._current(deadline).add_auth(request)
        return dict(request.headers.items())

    def _current(self, deadline: Deadline) -> Any:
        from botocore.auth import S3SigV4Auth

        credentials = self._access.credentials
        keys = credentials.kept()
        if keys is None:
            # It crosses to botocore's thread and back.
            keys = deadline.result(submitted(credentials.keys()), "credentials")
        with self._lock:
            if keys is not self._keys:
                self._keys, self._auth = keys, S3SigV4Auth(keys, self._service, self._region)
            return self._auth
