"""Names, and the bytes of odd keys: the botocore client, called from any thread.

Every key goes as a parameter. (s3fs's own paths would cut `?versionId=` off, and join `//`.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from ...errors import BadAnswer, Changed, ServerFault, StoreError, TimedOut
from ..base import Deadline
from .connect import Link
from .translate import Subject, translate

T = TypeVar("T")


class Piece(NamedTuple):
    """An answered ranged GET: its bytes, and whether the server called it 206 (some say 200)."""

    body: bytes
    partial: bool


def wait(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, subject: Subject, deadline: Deadline) -> T:
    """Run `coroutine` on the loop of another thread and wait; at the deadline it is cancelled. Raises StoreError."""
    left = deadline.left()
    if left <= 0:
        coroutine.close()
        raise TimedOut(f"{subject}: no time left to ask")
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result(min(left, _FOREVER_S))
    except FutureTimeout as error:
        future.cancel()
        raise translate(error, subject) from error
    except Exception as error:
        raise translate(error, subject) from error


# threading refuses waits of centuries; nobody waits a year
_FOREVER_S = 365 * 86400.0


class Names:
    """One bucket through its botocore client.

    Args:
        link: how it is reached.
        bucket: its name.
        url: of the source, for messages.
        extra: parameters of every request (`RequestPayer`).
    """

    def __init__(self, link: Link, bucket: str, url: str, extra: dict[str, str]) -> None:
        self._link, self._client = link, link.client
        self._where = {"Bucket": bucket, **extra}
        self._url = url

    def subject(self, key: str = "") -> Subject:
        return Subject(self._url, key, self._link.unsigned, self._link.region)

    def list_page(self, deadline: Deadline, **params: Any) -> bytes:
        """The XML of one page."""
        ask = self._client.list_objects_v2(**self._where, EncodingType="url", **params)
        answer = wait(ask, self._link.loop, self.subject(params.get("Prefix", "")), deadline)
        body: bytes = answer["RawPage"]
        if body and not body.rstrip().endswith(b">"):
            raise ServerFault(f"{self._url}: a listing was cut off on the way", code="ListObjectsV2")
        return body

    def head(self, key: str, deadline: Deadline) -> dict[str, Any]:
        """botocore's HeadObject answer. A refusal has only an HTTP status: `get` of one byte knows why."""
        ask = self._client.head_object(**self._where, Key=key)
        answer: dict[str, Any] = wait(ask, self._link.loop, self.subject(key), deadline)
        return answer

    def get(self, key: str, etag: str, start: int, stop: int, deadline: Deadline) -> Piece:
        """The bytes `[start, stop)` of `key` at `etag` ("" for any version)."""
        return wait(self._get(key, etag, start, stop), self._link.loop, self.subject(key), deadline)

    def close(self) -> None:
        """Drop the connections; waits at most two seconds."""
        with suppress(StoreError):
            wait(self._client.close(), self._link.loop, self.subject(), Deadline(2.0))

    async def _get(self, key: str, etag: str, start: int, stop: int) -> Piece:
        pinned = {"IfMatch": etag} if etag else {}
        answer = await self._client.get_object(**self._where, Key=key, Range=f"bytes={start}-{stop - 1}", **pinned)
        stream, subject = answer["Body"], self.subject(key)
        try:
            check_range(answer, answer["ResponseMetadata"]["HTTPStatusCode"], start, stop, subject)
            pieces, got = [], 0
            while got <= stop - start and (piece := await stream.read(1 << 20)):
                pieces.append(piece)
                got += len(piece)
        finally:
            stream.close()  # without it a body that nobody wants would be read to its end
        if got != stop - start:
            raise BadAnswer(f"{subject}: asked for {stop - start} bytes, got {got}", code="Body")
        check_etag(answer.get("ETag"), etag, subject)
        return Piece(b"".join(pieces), answer["ResponseMetadata"]["HTTPStatusCode"] == 206)


def check_etag(got: str | None, pinned: str, subject: Subject) -> None:
    """That the answer is of the pinned version, as some servers ignore If-Match. Raises Changed."""
    if got and pinned and got != pinned:
        raise Changed(f"{subject}: the object was replaced since it was opened", code="ETag")


def check_range(answer: dict[str, Any], status: int, start: int, stop: int, subject: Subject) -> None:
    """That the answer's headers promise `[start, stop)`. Raises BadAnswer.

    A 200 without Content-Range is the whole object, which is right only when that was asked for; a 206 without
    one does not say what it is.
    """
    said, length = answer.get("ContentRange"), answer.get("ContentLength")
    if said is None:
        good = status == 200 and start == 0 and length == stop
    else:
        good = said.partition("/")[0].strip() == f"bytes {start}-{stop - 1}" and length in (None, stop - start)
    if not good:
        got = said or ("the whole object" if status == 200 else "a part that it does not name")
        raise BadAnswer(f"{subject}: asked for bytes {start}-{stop - 1}, got {got}", code="Range")
