"""The S3 store: which client carries what.

Lock order: `S3Store._parsing` is a leaf: pages that arrive together are parsed one after the other, so that one is done
soon.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from http.client import HTTPMessage
from typing import Any

from ...checks.digest import Told
from ...errors import BadAnswer, Changed, NotFound, ServerFault, StoreError
from ...stats import Stats
from ..base import Deadline, Notes, ObjectId, ObjectStat, Page, ShortRead, ViaUse
from ..common import StoreBase
from ..facts import mtime_of, size_of
from ..http.etag_trust import EtagTrust
from ..http.etags import normalised, told
from ..http.expected import Expected
from ..http.exposure import is_exposed
from ..http.reading import LOOK_AGAIN_S, VersionedReads
from ..http.trust import usual_context
from ..http.versions import Answer
from ..object_versions import NO_VERSIONS, Marker, VersionsPage
from ..via.manner import Origin
from ..via.ring import Ring
from .access.aws_files import read_profile
from .access.bucket_options import BucketOptions
from .access.identity import Asked, is_on_ec2, settle
from .clients import Clients, RenewingClients
from .digests import ASKING, digests_in, etags_are_md5s
from .http_client import CONNECTIONS_TO_BEGIN
from .key_rules import is_valid_key
from .listing.lister import Lister
from .listing.page import ParsedPage, parse
from .listing.versions import goes_on, parse_versions
from .object_requests import ObjectRequests, is_about_heads


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
        connections: kept open when they are idle, at most.
        via: URLs of caching proxies that are asked first for bytes, where requests are not signed and ETags relied on.
        directory: where relative paths in the AWS files start; "": the working directory.
        lists: whether to list an object whose answers leave a doubt which version they are of.
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
        via: Sequence[str] = (),
        directory: str = "",
        lists: bool = True,
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
        self.source, self.is_open = settled.source, not settled.signs
        self.former_source = settled.former if settled.former != settled.source else ""
        self.root = root
        # Directory buckets, and access points to them, list their keys in no order, and only below prefixes that end
        # in "/" (docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
        self.flat = not bucket.endswith(("--x-s3", "--xa-s3"))
        self.url = f"s3://{bucket}/{root}".rstrip("/")
        self._clients = RenewingClients(self._options, self.url, clock=clock)
        self.renewals = self._clients.renewals
        self._parsing = threading.Lock()
        self._lister, self._lists = Lister(self.url), lists
        self._trust = EtagTrust(self.url)
        self._reads = VersionedReads(self._trust)
        self._ring = Ring(via, connections=connections, context=cache(usual_context), clock=clock) if via else None

    @property
    def notice(self) -> str:
        clients = self._clients.made()
        return clients.access.notice if clients else ""

    @property
    def latency(self) -> float | None:
        clients = self._clients.made()
        return clients.http.latency if clients else None

    @property
    def keys(self) -> str:
        clients = self._clients.made()
        return clients.access.keys if clients else ""

    @property
    def exposure(self) -> str:
        clients = self._clients.made()
        if clients is None or clients.access.unsigned or not is_exposed(clients.access.endpoint):
            return ""
        return (
            f"{self.url}: signed requests go to {clients.access.endpoint} unencrypted; others on the network can read "
            "the data and session tokens (not the secret key). Use https:// if the server has it"
        )

    @property
    def region(self) -> str:
        clients = self._clients.made()
        return clients.access.region if clients else ""

    @property
    def via(self) -> ViaUse | None:
        if self._ring is None:
            return None
        nodes = tuple(node.url for node in self._ring.nodes)
        clients, signs = self._clients.made(), self._options.signs and not self._options.anonymous
        if signs and (clients is None or not clients.access.unsigned):
            return ViaUse(nodes, "its requests are signed, and what keys are needed for is not shared")
        return ViaUse(
            nodes, f"its ETags do not tell versions apart ({self._trust.evidence})" * bool(self._trust.evidence)
        )

    def count_in(self, stats: Stats) -> None:
        if self._ring is not None:
            self._ring.stats = stats

    def via_counts(self) -> list[dict[str, Any]]:
        return self._ring.counts() if self._ring is not None else []

    def origin(self, deadline: Deadline) -> Origin:
        """Where the bucket is; found out by an unsigned HEAD of it where nobody names its region. Raises StoreError."""
        return self._clients.run(lambda clients: clients.http.origin, deadline)

    def load_libraries(self) -> None:
        self._clients.load_libraries()

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
        page = self._trust.settle(
            self._list_page(
                prefix, delimiter=delimiter, token=token, start_after=start_after, limit=limit, deadline=deadline
            )
        )
        return self._trust.settle(page) if self._look_again(page.objects, deadline) else page

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
        for text in filter(None, (prefix, start_after)):
            self._check(text)
        params: dict[str, object] = {"prefix": prefix, "max-keys": limit}
        if delimiter:
            params["delimiter"] = delimiter

        def request(params: dict[str, object], version_1: bool) -> ParsedPage:
            body = self._clients.run(
                lambda clients: clients.names.list_page(clients.subject(prefix), deadline, params, version_1=version_1),
                deadline,
            )
            with self._parsing:
                return parse(body, self.source)

        return self._lister.list_page(request, params, token, start_after)

    def list_versions(self, prefix: str, *, after: Marker | None = None, deadline: Deadline) -> VersionsPage:
        if prefix:
            self._check(prefix)
        params: dict[str, object] = {"prefix": prefix, "max-keys": 1000}
        if after is not None:
            params |= {"key-marker": after.key} | ({"version-id-marker": after.version} if after.version else {})
        try:
            body = self._clients.run(
                lambda clients: clients.names.list_versions(clients.subject(prefix), deadline, params), deadline
            )
        except ServerFault as error:
            if error.code not in ("NotImplemented", "501"):
                raise
            raise BadAnswer(f"{self.url}: the server does not know versions", code=NO_VERSIONS) from error
        page = parse_versions(body, self.url)
        if page.next is not None and not goes_on(after, page.next):
            raise BadAnswer(
                f"{self.url}: a listing of versions does not go on behind {page.next.key!r}", code="Versions"
            )
        return page

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        found = self.head_version(key, "", deadline=deadline)
        stat = self.relied(found._replace(id=found.id._replace(version="")))
        return self.relied(stat) if self._look_again([stat], deadline) else stat

    def head_version(self, key: str, version: str, *, deadline: Deadline) -> ObjectStat:
        self._check(key)
        answer = self._clients.run(lambda clients: self._head(clients, key, version, deadline), deadline)
        size = size_of(answer.get("content-length"))
        if size is None:
            raise BadAnswer(f"{self.url}: {key!r}: the server does not say how large it is", code="Content-Length")
        told_version = answer.get("x-amz-version-id") or ""
        id = ObjectId(self.source, key, normalised(told(answer.get("etag"))), told_version, size)
        mtime_ns = mtime_of(answer.get("last-modified"))
        return ObjectStat(id, size, mtime_ns, answer.get("x-amz-storage-class", "STANDARD"))

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        if not views:
            return
        self._check(id.key)

        def read(clients: Clients) -> None:
            requests = self._requests(clients, id.key, start, views, deadline, id.version)
            if self._ring is not None and clients.access.unsigned and self._trust.relies_on(id):
                requests = replace(requests, via=self._ring, agrees=partial(self._trust.agrees, id))
            if id.version and not id.etag:
                requests.get("", lambda answer: _check_version(id, answer, requests.subject))
            else:
                self._reads.read(id, requests, requests.subject, deadline)

        self._clients.run(read, deadline)

    @property
    def begins_reads(self) -> bool:
        return self._ring is None and self._options.connections >= CONNECTIONS_TO_BEGIN

    def connections_for(self, id: ObjectId, length: int, sharing: int) -> int:
        begun = self._begun(id)
        return 0 if begun is None else begun[0].http.connections_for(length, sharing)

    def _begun(self, id: ObjectId) -> tuple[Clients, Expected] | None:
        """Who would begin a read of this version, and how its answer would be judged; None where it is not begun."""
        clients, expected = self._clients.made(), self._reads.expected(id)
        by_version_alone = bool(id.version) and not id.etag
        if not self.begins_reads or clients is None or expected is None or by_version_alone or not is_valid_key(id.key):
            return None
        return clients, expected

    def begin_read(self, read: ShortRead) -> bool:
        begun = self._begun(read.id)
        if begun is None:
            return False
        clients, expected = begun
        return clients.http.begin(read, expected, clients.subject(read.id.key))

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        self._check(id.key)

        def ask(clients: Clients) -> Told:
            subject = clients.subject(id.key)
            said = clients.names.head(id.key, subject, deadline, id.version, headers=ASKING)
            md5s = etags_are_md5s(clients.access.endpoint, directory_bucket=not self.flat, seen=self._trust.are_md5s)
            return digests_in(said, id, by_etag=self._trust.relies_on(id), md5s=md5s)

        return self._clients.run(ask, deadline)

    def renew(self, *, deadline: Deadline) -> bool:
        return self._clients.renew(deadline)

    def remember(self, notes: Notes) -> None:
        self._trust.remember(notes)

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return self._trust.relied(stat)

    @property
    def remarks(self) -> tuple[str, ...]:
        return self._trust.remarks

    def close(self) -> None:
        self._trust.close()
        self._clients.close()
        if self._ring is not None:
            self._ring.close()

    def _requests(
        self,
        clients: Clients,
        key: str,
        start: int,
        views: Sequence[memoryview],
        deadline: Deadline,
        version: str = "",
    ) -> ObjectRequests:
        subject, list_page = clients.subject(key), self._list_page if self._lists else None
        return ObjectRequests(clients.names, clients.http, key, start, views, subject, deadline, list_page, version)

    def _look_again(self, objects: Sequence[ObjectStat], deadline: Deadline) -> bool:
        """Whether the ETags of a listing turn out to mean nothing. It is not kept waiting long for that."""
        clients = self._clients.made()
        if clients is None:
            return False
        soon = Deadline(min(LOOK_AGAIN_S, deadline.left()))
        return self._reads.look_again(objects, lambda key: self._requests(clients, key, 0, (), soon))

    def _check(self, key: str) -> None:
        if not is_valid_key(key):
            raise NotFound(f"{self.url}: {key!r} is not UTF-8, which S3 keys are", code="InvalidURI")

    def _head(self, clients: Clients, key: str, version: str, deadline: Deadline) -> HTTPMessage:
        """The headers of a HEAD; where HEADs are refused, what a GET of the first byte says.

        A HEAD has no body, so that it does not say why; the refusal of a GET has a code.
        """
        requests = self._requests(clients, key, 0, (), deadline, version)
        try:
            return clients.names.head(key, requests.subject, deadline, version)
        except StoreError as error:
            if is_about_heads(error) or (error.code.isdigit() and not isinstance(error, NotFound)):
                with suppress(BadAnswer):  # of an empty object, which has no byte to give
                    found = requests.first(memoryview(bytearray(1)))
                    said = HTTPMessage()
                    said["etag"], said["last-modified"] = found.etag, found.date
                    said["x-amz-version-id"] = found.version
                    if found.size is not None:
                        said["content-length"] = str(found.size)
                    return said
            raise


def _check_version(id: ObjectId, answer: Answer, subject: object) -> None:
    """Raise Changed where an answer is not of the version that a version id names, or does not say so: without an ETag
    nothing else tells that the server has looked at the id."""
    if answer.version != id.version:
        gave = f"version {answer.version}" if answer.version else "a version that it does not name"
        raise Changed(f"{subject}: version {id.version} was asked for, the server gives {gave}", code="Version")
    if answer.size not in (None, id.size):
        raise Changed(f"{subject}: version {id.version} has {answer.size} bytes, not {id.size}", code="Version")
