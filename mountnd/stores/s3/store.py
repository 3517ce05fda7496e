"""The S3 store: which client carries what, and what an error was.

Lock order: `S3Store._lock` is a leaf: it guards the two attributes below it, and no I/O happens under it.
So is `S3Store._parsing`: pages that come together are parsed one after the other, so that one is done soon.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from typing import NamedTuple

from ...errors import BadAnswer, Forbidden, NotFound, StoreError, TimedOut, Unreachable
from ..base import Deadline, ObjectId, ObjectStat, Page
from .bodies import Bodies, fill
from .boto_client import Names, wait
from .connect import Wanted, connect, event_loop
from .http_client import Wire
from .key_rules import botocore_may_carry, needs_proxy, obstore_may_carry
from .listing import parse_page
from .translate import Subject, needs_code, translate

log = logging.getLogger(__name__)

# How often obstore may fail in a row where botocore at once succeeds, before it is taken to be unable to
# talk to this server (some answer ranges with 200, or leave Last-Modified out).
_DISAGREEMENTS = 3

# Refusals that end when the person gets new credentials.
_RENEWABLE = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"})


class _Ready(NamedTuple):
    names: Names
    bodies: Bodies | Wire
    notice: str
    region: str


class S3Store:
    """One bucket, or a prefix of it. Making one asks nothing: the first request settles how it is reached.

    Args:
        bucket: its name (or an access point's ARN).
        root: key prefix below which the tree begins, "" or ending in "/".
        endpoint_url: of a server other than AWS's; None: as the AWS environment and files say.
        region: None: asked of the bucket by one unsigned HEAD.
        profile: of the AWS files; None: the default one.
        anonymous: True never signs, False must sign, None signs when credentials are found.
        requester_pays: agree to pay for requests and transfer.
        path_style: `endpoint/bucket/key` instead of `bucket.endpoint/key`; None: for buckets with a dot
            and for an `endpoint_url`.
        connections: kept open, at most, by each of the two clients.
        carrier: of bytes: "wire" (our own, the fast one) or "obstore"; None: the wire, unless a proxy is needed.
    """

    pins = True

    def __init__(
        self,
        bucket: str,
        root: str = "",
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        anonymous: bool | None = None,
        requester_pays: bool = False,
        path_style: bool | None = None,
        connections: int = 32,
        carrier: str | None = None,
    ) -> None:
        self._wanted = Wanted(bucket, endpoint_url, region, profile, anonymous, requester_pays, path_style, connections)
        self.source = f"s3://{bucket}" + (f"@{endpoint_url.rstrip('/')}" if endpoint_url else "")
        self.root = root
        # Directory buckets, and access points to them, list their keys in no order, and only below prefixes that end
        # in "/" (docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
        self.flat = not bucket.endswith(("--x-s3", "--xa-s3"))
        self.url = f"s3://{bucket}/{root}".rstrip("/")
        self._lock = threading.Lock()
        self._ready: Future[_Ready] | None = None
        self._disagreed = 0
        self._carrier = carrier
        self._parsing = threading.Lock()

    @property
    def notice(self) -> str:
        """What a person should be told of how requests are signed, "" for nothing (or nothing asked yet)."""
        ready = self._settled()
        return ready.notice if ready else ""

    @property
    def region(self) -> str:
        """Where the bucket is, "" before the first request."""
        ready = self._settled()
        return ready.region if ready else ""

    def probe(self, deadline: Deadline) -> None:
        """Ask for one name below the root: whether this source can be read, or else the precise error."""
        self.list_page(self.root, limit=1, deadline=deadline)

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = 1000,
        deadline: Deadline,
    ) -> Page:
        if not all(botocore_may_carry(text) for text in (prefix, start_after) if text):
            raise NotFound(f"{self.url}: {prefix!r} is not UTF-8, which S3 keys are", code="InvalidURI")
        params: dict[str, object] = {"Prefix": prefix, "MaxKeys": limit}
        if delimiter:
            params["Delimiter"] = delimiter
        if token is not None:
            params["ContinuationToken"] = token
        elif start_after:
            params["StartAfter"] = start_after
        with self._reached(deadline) as ready:
            body = ready.names.list_page(deadline, **params)
            with self._parsing:
                return parse_page(body, self.source)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        self._check(key)
        with self._reached(deadline) as ready:
            try:
                answer = ready.names.head(key, deadline)
            except StoreError as error:
                if error.code.isdigit() and not isinstance(error, NotFound):
                    with suppress(BadAnswer):  # of an empty object, which has no byte to give
                        ready.names.get(key, "", 0, 1, deadline)  # the refusal of a GET has a code
                raise
        id = ObjectId(self.source, key, answer.get("ETag", ""))
        mtime_ns = int(answer["LastModified"].timestamp()) * 10**9
        return ObjectStat(id, answer["ContentLength"], mtime_ns, answer.get("StorageClass", "STANDARD"))

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        if not views:
            return
        self._check(id.key)
        with self._reached(deadline) as ready:
            subject = ready.names.subject(id.key)
            if isinstance(ready.bodies, Wire):
                ready.bodies.read(id.key, id.etag, start, views, subject, deadline)
                return
            if not obstore_may_carry(id.key) or self._disagreed >= _DISAGREEMENTS:
                stop = start + sum(len(view) for view in views)
                fill(list(views), [ready.names.get(id.key, id.etag, start, stop, deadline).body])
                return
            try:
                ready.bodies.read(id.key, id.etag, start, views, subject, deadline)
            except StoreError:
                raise
            except Exception as error:
                raise self._why(error, id, start, ready.names, subject, deadline) from error
            self._disagreed = 0

    def close(self) -> None:
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is not None and ready.done() and ready.exception() is None:
            ready.result().names.close()
            ready.result().bodies.close()

    def _settled(self) -> _Ready | None:
        ready = self._ready
        return ready.result() if ready is not None and ready.done() and ready.exception() is None else None

    def _check(self, key: str) -> None:
        if not botocore_may_carry(key):
            raise NotFound(f"{self.url}: {key!r} is not UTF-8, which S3 keys are", code="InvalidURI")

    def _why(
        self, error: Exception, id: ObjectId, start: int, names: Names, subject: Subject, deadline: Deadline
    ) -> StoreError:
        """What obstore's exception meant; one more request where it does not say."""
        if not needs_code(error):
            return translate(error, subject)
        try:
            piece = names.get(id.key, id.etag, start, start + 1, deadline)
        except StoreError as why:
            return why
        # The server gives this byte to botocore: so the connection broke, or obstore cannot talk to it.
        self._disagreed = self._disagreed + 1 if piece.partial else _DISAGREEMENTS
        if self._disagreed == _DISAGREEMENTS:
            log.warning("%s: this server's ranges do not suit the fast client; bytes go the slow way", self.url)
        return Unreachable(f"{subject}: the connection broke", code=type(error).__name__)

    @contextmanager
    def _reached(self, deadline: Deadline) -> Iterator[_Ready]:
        ready = self._reach(deadline)
        try:
            yield ready
        except Forbidden as error:
            if error.code in _RENEWABLE:
                with self._lock:
                    self._ready = None  # somebody may log in again: the next request reads the AWS files anew
            raise

    def _reach(self, deadline: Deadline) -> _Ready:
        with self._lock:
            ready, mine = self._ready, False
            if ready is None:
                ready, mine = Future(), True
                self._ready = ready
        if not mine:
            try:
                return ready.result(min(deadline.left(), threading.TIMEOUT_MAX))
            except FutureTimeout:
                raise TimedOut(f"{self.url}: no answer in time") from None
        try:
            ready.set_result(self._connect(deadline))
        except BaseException as error:
            with self._lock:
                if self._ready is ready:
                    self._ready = None  # the next one tries again
            ready.set_exception(error)
        return ready.result()

    def _connect(self, deadline: Deadline) -> _Ready:
        wanted = self._wanted
        link = wait(connect(wanted), event_loop(), Subject(self.url), deadline)
        names = Names(link, wanted.bucket, self.url, {"RequestPayer": "requester"} if wanted.requester_pays else {})
        carrier = self._carrier or ("obstore" if needs_proxy(link.endpoint) else "wire")
        kind = Bodies if carrier == "obstore" else Wire
        bodies = kind(link, wanted.bucket, requester_pays=wanted.requester_pays, connections=wanted.connections)
        return _Ready(names, bodies, link.notice, link.region)
