"""One GET of a version: whether its answer may be believed, before its body is received. Pure but for what it tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import BadAnswer
from ..base import ObjectId
from .versions import Answer, Known, Match, compare


class Doubt(BadAnswer):
    """Raised by `accept` before a body is received: this answer is not certainly of the version asked for."""

    def __init__(self, match: Match, answer: Answer) -> None:
        super().__init__("an answer of another version", code="Version")
        self.match, self.answer = match, answer


class Expected:
    """Args:
        known: what answers of the version look like, if that is known.
        if_match: the header as it stands; "" for none.
        by_date: its ETag is not relied on.
        take: told an answer that is accepted.
        saw: told the bytes that came with it, from which byte on, and its Last-Modified: whether nothing gives away
            that its ETag means nothing. No I/O.

    Attributes:
        answer: the one that was accepted; None before.
    """

    def __init__(
        self,
        id: ObjectId,
        known: Known | None,
        if_match: str,
        *,
        by_date: bool,
        take: Callable[[ObjectId, Known | None, Answer], object],
        saw: Callable[[ObjectId, int, Sequence[memoryview], str], bool],
    ) -> None:
        self._id, self._known, self.if_match, self._by_date = id, known, if_match, by_date
        self._take, self._saw = take, saw
        self.answer: Answer | None = None

    def accept(self, answer: Answer) -> None:
        """Raises Doubt where the answer is not certainly of the version."""
        match = compare(self._id, self._known, answer, by_date=self._by_date)
        if match is not Match.SAME:
            raise Doubt(match, answer)
        self._take(self._id, self._known, answer)
        self.answer = answer

    @property
    def is_redated(self) -> bool:
        """Whether the answer has another date than those before it."""
        before = "" if self._known is None else self._known.date
        now = "" if self.answer is None else self.answer.date
        return bool(before and now) and before != now

    def check(self, start: int, views: Sequence[memoryview]) -> None:
        """All bytes have come. Raises BadAnswer where more is to be looked at before they are believed."""
        assert self.answer is not None
        if not self._saw(self._id, start, views, self.answer.date) or self.is_redated:
            raise BadAnswer("an answer that may be of another version", code="Version")
