"""The S3 store: which client carries what, and how both are made once.

Lock order: `S3Store._lock` is a leaf: it guards `_clients`, and no I/O happens under it. So is `S3Store._parsing`:
pages that arrive together are parsed one after the other, so that one is done soon.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from ...errors import BadAnswer, Forbidden, NotFound, StoreError, TimedOut
from ..base import Deadline, Notes, ObjectId, ObjectStat, Page, Renewals, StoreBase
from ..facts import mtime_of, size_of
from ..http.etag_trust import EtagTrust
from ..http.etags import normalised
from ..http.reading import VersionedReads
from .aws_files import read_profile
from .boto_client import BotoClient, wait
from .bucket_options import BucketOptions
from .clock import ServerClock
from .connect import BucketAccess, connect, event_loop
from .credentials import RENEW_S
from .http_client import HttpClient
from .identity import Asked, is_on_ec2, settle
from .key_rules import is_valid_key
from .lister import Lister
from .listing import ParsedPage, parse
from .object_requests import ObjectRequests
from .translate import Subject

T = TypeVar("T")

# How often one request is made: as it is, then by the server's clock or with new keys, and then with both.
ATTEMPTS = 3


class _Clients(NamedTuple):
    """The two clients of a bucket: botocore for names, our own for bytes."""

    url: str
    access: BucketAccess
    boto: BotoClient
    http: HttpClient
    proxy: str

    def subject(self, key: str = "") -> Subject:
        return Subject(self.url, key, self.access.unsigned, self.access.region, self.proxy)


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
            and for an endpoint other than AWS's own.
        connections: kept open, at most, by each of the two clients.
        directory: where relative paths in the AWS files start; "": the working directory.
        clock: monotonic seconds.
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
        directory: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        asked = Asked(bucket, endpoint_url, region, profile, anonymous, requester_pays, path_style)
        settled = settle(asked, read_profile(profile), os.environ, on_ec2=is_on_ec2())
        self._options = BucketOptions(
            bucket=bucket,
            endpoint_url=settled.endpoint,
            region=region,
            profile=profile,
            anonymous=anonymous,
            requester_pays=requester_pays,
            path_style=settled.path_style,
            connections=connections,
            signs=settled.signs,
            directory=directory,
        )
        self.source = settled.source
        self.former_source = settled.former if settled.former != settled.source else ""
        self.root = root
        # Directory buckets, and access points to them, list their keys in no order, and only below prefixes that end
        # in "/" (docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
        self.flat = not bucket.endswith(("--x-s3", "--xa-s3"))
        self.url = f"s3://{bucket}/{root}".rstrip("/")
        self._lock = threading.Lock()
        self._clients: Future[_Clients] | None = None
        self._retired: list[_Clients] = []
        self._server_clock, self._clock, self._connected_at = ServerClock(), clock, float("-inf")
        self._failed = False  # the last attempt to connect
        self.renewals = Renewals()
        self._parsing = threading.Lock()
        self._lister = Lister(self.url)
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

        def request(params: dict[str, object], version_1: bool) -> ParsedPage:
            body = self._ask(
                lambda clients: clients.boto.list_page(
                    clients.subject(prefix), deadline, version_1=version_1, **params
                ),
                deadline,
            )
            with self._parsing:
                return parse(body, self.source)

        return self._lister.list_page(request, params, token, start_after)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        self._check(key)
        answer = self._ask(lambda clients: self._head(clients, key, deadline), deadline)
        size = size_of(answer.get("ContentLength"))
        if size is None:
            raise BadAnswer(f"{self.url}: {key!r}: the server does not say how large it is", code="Content-Length")
        id = ObjectId(self.source, key, normalised(answer.get("ETag", "")), size=size)
        mtime_ns = mtime_of(answer.get("RawLastModified"))
        return self.relied(ObjectStat(id, size, mtime_ns, answer.get("StorageClass", "STANDARD")))

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        if not views:
            return
        self._check(id.key)

        def read(clients: _Clients) -> None:
            subject = clients.subject(id.key)
            requests = ObjectRequests(
                clients.boto, clients.http, id.key, start, views, subject, deadline, self._list_page
            )
            self._reads.read(id, requests, subject)

        self._ask(read, deadline)

    def renew(self, *, deadline: Deadline) -> bool:
        clients = self._made_clients()
        if clients is not None:
            return self._renew(clients, self.renewals.count, deadline)
        if self._clock() - self._connected_at < RENEW_S:
            return False
        seen = self.renewals.count
        with suppress(StoreError):
            self._connect_once(deadline)
        return self.renewals.count != seen

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
            retired, self._retired = self._retired, []
        for clients in [*retired, made] if made is not None else retired:
            clients.boto.close(clients.subject())
            clients.http.close()

    def _made_clients(self) -> _Clients | None:
        future = self._clients
        return future.result() if future is not None and future.done() and future.exception() is None else None

    def _check(self, key: str) -> None:
        if not is_valid_key(key):
            raise NotFound(f"{self.url}: {key!r} is not UTF-8, which S3 keys are", code="InvalidURI")

    def _ask(self, request: Callable[[_Clients], T], deadline: Deadline) -> T:
        """Make a request; again at once after a refusal whose cause could be put right. Raises StoreError."""
        for left in reversed(range(ATTEMPTS)):
            clients, seen, ahead = None, self.renewals.count, self._server_clock.ahead
            try:
                clients = self._connect_once(deadline)
                seen = self.renewals.count
                return request(clients)
            except Forbidden as refused:
                if not left or not self._put_right(refused, clients, seen, ahead, deadline):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _put_right(
        self, refused: Forbidden, clients: _Clients | None, seen: int, ahead: float, deadline: Deadline
    ) -> bool:
        """Whether to ask again. Without `clients` it was STS, or the like, that refused."""
        if (clients is None or not clients.access.unsigned) and self._server_clock.correct(refused, ahead):
            return True
        return clients is not None and self._renew(clients, seen, deadline)

    def _renew(self, clients: _Clients, seen: int, deadline: Deadline) -> bool:
        """Whether there are other keys now than when `renewals` had counted to `seen`."""
        access = clients.access
        if not access.credentials.may_differ(seen):
            return False
        try:
            renewed = wait(access.credentials.renew(seen), access.loop, clients.subject(), deadline)
        except StoreError:  # no time left
            return False
        if renewed and access.unsigned:
            with self._lock:
                if self._made_clients() is clients:
                    self._clients = None  # new ones sign
                    self._retired.append(clients)
        return renewed

    @staticmethod
    def _head(clients: _Clients, key: str, deadline: Deadline) -> dict[str, Any]:
        subject = clients.subject(key)
        try:
            return clients.boto.head(key, subject, deadline)
        except StoreError as error:
            if error.code.isdigit() and not isinstance(error, NotFound):
                with suppress(BadAnswer):  # of an empty object, which has no byte to give
                    # A HEAD has no body, so it does not say why; the refusal of a GET has a code.
                    clients.http.read(key, 0, [memoryview(bytearray(1))], subject, deadline)
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
            made = self._connect(deadline)
        except BaseException as error:
            with self._lock:
                self._failed = True
                if self._clients is future:
                    self._clients = None  # the next caller tries again
            future.set_exception(error)
        else:
            if self._failed:
                self._failed = False
                self.renewals.count += 1  # what was refused for want of credentials is not any more
            future.set_result(made)
        return future.result()

    def _connect(self, deadline: Deadline) -> _Clients:
        options = self._options
        self._connected_at = self._clock()
        found = connect(options, self.renewals, self._server_clock, self._clock)
        access = wait(found, event_loop(), Subject(self.url), deadline)
        boto = BotoClient(access, options.bucket, {"RequestPayer": "requester"} if options.requester_pays else {})
        http = HttpClient(
            access, options.bucket, requester_pays=options.requester_pays, connections=options.connections
        )
        return _Clients(self.url, access, boto, http, str(access.proxy or ""))
