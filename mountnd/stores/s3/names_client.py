"""Listings and HEADs of one bucket, as far as HTTP goes: what is asked, and what may come back."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPMessage
from types import MappingProxyType
from typing import Any

from ...errors import Intercepted, ServerFault
from ...foreign_text import as_region
from ..base import Deadline
from ..http.faults import WEB_PAGE
from ..http.web_page import described, is_page
from .http_client import HttpClient
from .translate import Subject

# A page has at most 1,000 keys of 1,024 bytes. Quoted they take 3 bytes for one, as XML's entities 6; beside its key, a
# row takes less than 2 KiB (dates, ETag, checksum, owner): 1,000 * (6 + 2) KiB.
LIST_BODY_MAX = 8 << 20


class NamesClient:
    """Raises StoreError; the `subject` is for its messages."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def list_page(
        self, subject: Subject, deadline: Deadline, params: dict[str, Any], *, version_1: bool = False
    ) -> bytes:
        """The XML of one page. `params`: of ListObjects, as its query spells them."""
        return self._list(params | ({} if version_1 else {"list-type": 2}), subject, deadline)

    def list_versions(self, subject: Subject, deadline: Deadline, params: dict[str, Any]) -> bytes:
        """The XML of one page of ListObjectVersions. `params`: as its query spells them."""
        return self._list({"versions": "", **params}, subject, deadline)

    def _list(self, params: dict[str, Any], subject: Subject, deadline: Deadline) -> bytes:
        query = {"encoding-type": "url", **params}
        reply = self._http.ask("GET", "", query, subject, deadline, most=LIST_BODY_MAX)
        if reply.status != 200:
            raise reply.error(subject)
        body = reply.body
        if body and not body.rstrip().endswith(b">"):
            raise ServerFault(f"{subject.url}: a listing was cut off on the way", code="ListObjectsV2")
        if is_page(body):
            raise Intercepted(f"{subject.url}: {subject.place} answered with {described(body)}", code=WEB_PAGE)
        return body

    def head(
        self,
        key: str,
        subject: Subject,
        deadline: Deadline,
        version: str = "",
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> HTTPMessage:
        """The headers of a HEAD, found in any case.

        A refusal has only an HTTP status: that of a GET says why.

        Args:
            version: of the object; "" for what is there now.
            headers: of the request.
        """
        query = {"versionId": version} if version else {}
        reply = self._http.ask("HEAD", key, query, subject, deadline, most=0, headers=headers)
        if reply.status != 200:
            raise reply.error(subject)
        return reply.headers

    def bucket_region(self, subject: Subject, deadline: Deadline) -> str:
        """`x-amz-bucket-region` of an unsigned HEAD, which S3 gives with 200, 301 and 403 alike; "" without it."""
        reply = self._http.ask("HEAD", "", {}, subject, deadline, most=0, signed=False)
        return as_region(reply.headers.get("x-amz-bucket-region", ""))  # which becomes part of a host name
