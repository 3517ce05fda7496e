"""The requests that reading one range of one object may take (`http.reading.Requests`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...errors import Forbidden, StoreError
from ..base import Deadline, ObjectStat, Page
from ..facts import size_of
from ..http.etags import normalised
from ..http.versions import Answer
from ..via.node import Wanted
from ..via.ring import Ring
from .http_client import HttpClient, quoted
from .names_client import NamesClient
from .translate import Subject

# Statuses of servers and proxies that do not take HEADs. A HEAD that S3 cannot check the signature of is a bare 400.
_NO_HEADS = ("400", "405", "501")


def is_about_heads(error: StoreError) -> bool:
    """Whether a HEAD failed in a way that says nothing of the object: a GET of its first byte tells more."""
    return isinstance(error, Forbidden) or error.code in _NO_HEADS


@dataclass(frozen=True, slots=True)
class ObjectRequests:
    """`[start, ...)` of `key` into `views`.

    Attributes:
        list_page: the store's, with ETags as the server gives them; None where nothing is to be listed.
        version: the version id; "" for the current version.
        via: asked first for bytes of one version; None to ask the server alone.
        agrees: see `via.node.Wanted`.
    """

    names: NamesClient
    http: HttpClient
    key: str
    start: int
    views: Sequence[memoryview]
    subject: Subject
    deadline: Deadline
    list_page: Callable[..., Page] | None
    version: str = ""
    via: Ring | None = None
    agrees: Callable[[int, Sequence[memoryview]], bool] = lambda start, views: True

    def get(self, if_match: str, accept: Callable[[Answer], None]) -> bool:
        def source(start: int, views: Sequence[memoryview]) -> None:
            self._read(start, views, if_match, accept)

        # A server that wants If-Match spelled oddly is understood by no cache.
        if self.via is None or not if_match or normalised(if_match) != if_match:
            source(self.start, self.views)
            return True
        wanted = Wanted(self.http.origin, quoted(self.key, self.version), if_match, accept, self.agrees)
        return self.via.read(wanted, self.start, self.views, self.subject, self.deadline, source)

    def first(self, view: memoryview) -> Answer:
        seen: list[Answer] = []
        self._read(0, [view], "", seen.append)
        return seen[-1]

    def _read(self, start: int, views: Sequence[memoryview], if_match: str, accept: Callable[[Answer], object]) -> None:
        subject, deadline = self.subject, self.deadline
        self.http.read(
            self.key, start, views, subject, deadline, version=self.version, if_match=if_match, accept=accept
        )

    def head(self) -> Answer:
        try:
            said = self.names.head(self.key, self.subject, self.deadline, self.version)
        except StoreError as error:
            if not is_about_heads(error):
                raise
            return self.first(memoryview(bytearray(1)))
        return Answer.of(said, size_of(said.get("content-length")))

    def listed(self) -> ObjectStat | None:
        if self.list_page is None or self.version:  # listings tell of the current version
            return None
        page = self.list_page(self.key, limit=1, deadline=self.deadline)
        return next((stat for stat in page.objects if stat.id.key == self.key), None)
