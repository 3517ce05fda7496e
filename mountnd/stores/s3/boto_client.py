"""Listings and HEADs: the botocore client of a bucket, called from any thread.

Every key goes as a parameter. (s3fs's own paths would cut `?versionId=` off, and join `//`.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from ...errors import ServerFault, StoreError
from ..base import Deadline
from .access.connect import BucketAccess
from .translate import Subject, translate

T = TypeVar("T")


def wait(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, subject: Subject, deadline: Deadline) -> T:
    """Run `coroutine` on the loop of another thread and wait; at the deadline it is cancelled. Raises StoreError."""
    if (why := deadline.over(subject)) is not None:
        coroutine.close()
        raise why
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return deadline.result(future, subject)
    except Exception as error:
        future.cancel()
        raise deadline.over(subject) or translate(error, subject) from error


class BotoClient:
    """One bucket through its botocore client. Raises StoreError; the `subject` is for its messages.

    Args:
        access: how the bucket is reached.
        extra: parameters of every request (`RequestPayer`).
    """

    def __init__(self, access: BucketAccess, bucket: str, extra: dict[str, str]) -> None:
        self._access, self._client = access, access.client
        self._common = {"Bucket": bucket, **extra}

    def list_page(self, subject: Subject, deadline: Deadline, *, version_1: bool = False, **params: Any) -> bytes:
        """The XML of one page."""
        ask = self._client.list_objects if version_1 else self._client.list_objects_v2
        request = ask(**self._common, EncodingType="url", **params)
        answer = wait(request, self._access.loop, subject, deadline)
        body: bytes = answer["RawPage"]
        if body and not body.rstrip().endswith(b">"):
            raise ServerFault(f"{subject.url}: a listing was cut off on the way", code="ListObjectsV2")
        return body

    def head(self, key: str, subject: Subject, deadline: Deadline) -> dict[str, Any]:
        """botocore's HeadObject answer, with the date as it was written in `RawLastModified`.

        A refusal has only an HTTP status: that of a GET says why.
        """
        request = self._client.head_object(**self._common, Key=key)
        answer: dict[str, Any] = wait(request, self._access.loop, subject, deadline)
        return answer

    def close(self, subject: Subject) -> None:
        """Drop the connections; waits at most two seconds."""
        with suppress(StoreError):
            wait(self._client.close(), self._access.loop, subject, Deadline(2.0))
