"""The S3 store: which client carries what, and how both are made once.

Lock order: `S3Store._lock` is a leaf: it guards `_clients`, and no I/O happens under it. So is `S3Store._parsing`:
pages that arrive together are parsed one after the other, so that one is done soon.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from typing import NamedTuple

from ...errors import BadAnswer, Forbidden, NotFound, StoreError, TimedOut
from ..base import Deadline, Notes, ObjectId, ObjectStat, Page, StoreBase
from ..http.etags import normalised
from ..http.reading import VersionedReads
from ..http.trust import EtagTrust
from .boto_client import BotoClient, wait
from .connect import BucketAccess, BucketOptions, connect, event_loop
from .http_client import HttpClient
from .key_rules import is_valid_key
from .listing import parse_page
from .object_requests import ObjectRequests
from .translate import Subject

# Refusals that end when the person gets new credentials.
_RENEWABLE = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"})


class _Clients(NamedTuple):
    """The two clients of a bucket: botocore for names, our own for bytes."""

    url: str
    access: BucketAccess
    boto: BotoClient
    http: HttpClient
    proxy: str

    def subject(self, key: str = "") -> Subject:
        return Subject(self.url, key, self.access.credentials is None, self.access.region, self.proxy)


class S3Store(StoreBase):
    """One bucket, or a prefix of it. Making one sends nothing: the first request finds out how the bucket is reached.

    Args:
        bucket: its name (or an access point's ARN).
        root: key prefix below which the tree begins, "" or ending in "/".
        endpoint_url: of a server other than AWS's; None: as the AWS environment and files say.
        region: None: found out by one unsigned HEAD of the bucket.
        profile: of the AWS files; None: the default one.
        anonymous: True never signs, False must sign, None signs when credentials are found.
        requester_pays: agree to pay for requests and transfer.
        path_style: `endpoint/bucket/key` instead of `bucket.endpoint/key`; None: for buckets with a dot
            and for an `endpoint_url`.
        connections: kept open, at most, by each of the two clients.
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
    ) -> None:
        self._options = BucketOptions(
            bucket, endpoint_url, region, profile, anonymous, requester_pays, path_style, connections
        )
        self.source = f"s3://{bucket}" + (f"@{endpoint_url.rstrip('/')}" if endpoint_url else "")
        self.root = root
        # Directory buckets, and access points to them, list their keys in no order, and only below prefixes that end
        # in "/" (docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
        self.flat = not bucket.endswith(("--x-s3", "--xa-s3"))
        self.url = f"s3://{bucket}/{root}".rstrip("/")
        self._lock = threading.Lock()
        self._clients: Future[_Clients] | None = None
        self._parsing = threading.Lock()
        self._trust = EtagTrust(self.url)
        self._reads = VersionedReads(self._trust)

    @property
    def notice(self) -> str:
        clients = self._made_clients()
        return clients.access.notice if clients else ""

    @property
    def region(self) -> str:
        clients = self._made_clients()
        return clients.access.region if clients else ""

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
        return self._trust.settle(
            self._list_page(
                prefix, delimiter=delimiter, token=token, start_after=start_after, limit=limit, deadline=deadline
            )
        )

    def _list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = 1000,
        deadline: Deadline,
    ) -> Page:
        """As `list_page`, with ETags as the server gives them."""
        if not all(is_valid_key(text) for text in (prefix, start_after) if text):
            raise NotFound(f"{self.url}: {prefix!r} is not UTF-8, which S3 keys are", code="InvalidURI")
        params: dict[str, object] = {"Prefix": prefix, "MaxKeys": limit}
        if delimiter:
            params["Delimiter"] = delimiter
        if token is not None:
            params["ContinuationToken"] = token
        elif start_after:
            params["StartAfter"] = start_after
        with self._connected(deadline) as clients:
            body = clients.boto.list_page(clients.subject(prefix), deadline, **params)
            with self._parsing:
                return parse_page(body, self.source)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        self._check(key)
        with self._connected(deadline) as clients:
            subject = clients.subject(key)
            try:
                answer = clients.boto.head(key, subject, deadline)
            except StoreError as error:
                if error.code.isdigit() and not isinstance(error, NotFound):
                    with suppress(BadAnswer):  # of an empty object, which has no byte to give
                        # A HEAD has no body, so it does not say why; the refusal of a GET has a code.
                        clients.http.read(key, 0, [memoryview(bytearray(1))], subject, deadline)
                raise
        size = answer["ContentLength"]
        id = ObjectId(self.source, key, normalised(answer.get("ETag", "")), size=size)
        mtime_ns = int(answer["LastModified"].timestamp()) * 10**9
        return self.relied(ObjectStat(id, size, mtime_ns, answer.get("StorageClass", "STANDARD")))

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        if not views:
            return
        self._check(id.key)
        with self._connected(deadline) as clients:
            subject = clients.subject(id.key)
            requests = ObjectRequests(
                clients.boto, clients.http, id.key, start, views, subject, deadline, self._list_page
            )
            self._reads.read(id, requests, subject)

    def remember(self, notes: Notes) -> None:
        self._trust.remember(notes)

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return self._trust.relied(stat)

    @property
    def remarks(self) -> tuple[str, ...]:
        return self._trust.remarks

    def close(self) -> None:
        with self._lock:
            made, self._clients = self._made_clients(), None
        if made is not None:
            made.boto.close(made.subject())
            made.http.close()

    def _made_clients(self) -> _Clients | None:
        future = self._clients
        return future.result() if future is not None and future.done() and future.exception() is None else None

    def _check(self, key: str) -> None:
        if not is_valid_key(key):
            raise NotFound(f"{self.url}: {key!r} is not UTF-8, which S3 keys are", code="InvalidURI")

    @contextmanager
    def _connected(self, deadline: Deadline) -> Iterator[_Clients]:
        clients = self._connect_once(deadline)
        try:
            yield clients
        except Forbidden as error:
            if error.code in _RENEWABLE:
                with self._lock:
                    self._clients = None  # somebody may log in again: the next request reads the AWS files anew
            raise

    def _connect_once(self, deadline: Deadline) -> _Clients:
        """The clients; made by the first caller while the others wait, at most until their own deadline."""
        with self._lock:
            future, first = self._clients, False
            if future is None:
                future, first = Future(), True
                self._clients = future
        if not first:
            try:
                return future.result(min(deadline.left(), threading.TIMEOUT_MAX))
            except FutureTimeout:
                raise TimedOut(f"{self.url}: no answer in time") from None
        try:
            future.set_result(self._connect(deadline))
        except BaseException as error:
            with self._lock:
                if self._clients is future:
                    self._clients = None  # the next caller tries again
            future.set_exception(error)
        return future.result()

    def _connect(self, deadline: Deadline) -> _Clients:
        options = self._options
        access = wait(connect(options), event_loop(), Subject(self.url), deadline)
        boto = BotoClient(access, options.bucket, {"RequestPayer": "requester"} if options.requester_pays else {})
        http = HttpClient(
            access, options.bucket, requester_pays=options.requester_pays, connections=options.connections
        )
        return _Clients(self.url, access, boto, http, str(access.proxy or ""))
