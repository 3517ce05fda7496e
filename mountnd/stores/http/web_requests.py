"""The requests that reading one range of a file at a plain URL may take (`reading.Requests`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..base import Deadline, ObjectStat
from .client import WebClient
from .versions import Answer


@dataclass(frozen=True, slots=True)
class WebRequests:
    """`[start, ...)` of what is at `url` into `views`; `name` is for messages.

    Attributes:
        describe: what is there now: a HEAD, or what takes its place.
        stat: the same as the source lists it.
    """

    web: WebClient
    url: str
    start: int
    views: Sequence[memoryview]
    name: str
    deadline: Deadline
    describe: Callable[[str, str, Deadline], Answer]
    stat: Callable[[], ObjectStat]

    def get(self, if_match: str, accept: Callable[[Answer], None]) -> bool:
        self.web.read(self.url, self.start, self.views, self.name, self.deadline, if_match=if_match, accept=accept)
        return True

    def first(self, view: memoryview) -> Answer:
        seen: list[Answer] = []
        self.web.read(self.url, 0, [view], self.name, self.deadline, accept=seen.append)
        return seen[-1]

    def head(self) -> Answer:
        return self.describe(self.url, self.name, self.deadline)

    def listed(self) -> ObjectStat | None:
        return self.stat()
