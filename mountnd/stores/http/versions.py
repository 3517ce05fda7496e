"""Is an answer of the version that was asked for? Decided by what its headers say. Pure."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol

from ..base import ObjectId, ObjectStat
from ..facts import UNKNOWN_MTIME_NS, mtime_of, size_of
from .etags import (
    canonical_date,
    date_of,
    dated_token,
    http_date,
    is_etag,
    is_reliable,
    is_strong,
    normalised,
    seconds_of,
    told,
)
from .ranges import parse_content_range

# Characters of a Content-Type that are kept, for comparing and for messages.
_KIND_MAX = 100
# A listing may round the times that it gives, and a HEAD cut them.
_ROUNDING_S = 1


class Headers(Protocol):
    """What headers are looked up in, by names in any case."""

    def get(self, name: str, /) -> str | None: ...


class Answer(NamedTuple):
    """What the headers of an answer say of its object.

    Attributes:
        etag: as the server writes it; "" without one.
        size: of the whole object in bytes; None where they do not say.
        date: Last-Modified as `etags.canonical_date` spells it; "" without one.
        kind: Content-Type.
        version: the S3 version id; "" without one.
    """

    etag: str
    size: int | None
    date: str
    kind: str
    version: str = ""

    @classmethod
    def of(cls, headers: Headers, size: int | None) -> Answer:
        """From headers whose names are looked up in any case, and the object's size as the caller knows it."""
        date, kind = (headers.get(name) or "" for name in ("Last-Modified", "Content-Type"))
        return cls(
            told(headers.get("ETag")),
            size_of(size),
            canonical_date(date) if date else "",
            kind[:_KIND_MAX],
            told(headers.get("x-amz-version-id")),
        )

    @property
    def token(self) -> str:
        """The version's token: its ETag; size and date where that cannot be relied on, if there is a date."""
        etag = normalised(self.etag)
        if is_reliable(etag, self.size or 0) or (etag and not self.date):
            return etag
        return dated_token(self.size, self.date)

    @property
    def mtime_ns(self) -> int:
        """Last-Modified in nanoseconds since the epoch; `facts.UNKNOWN_MTIME_NS` where there is none that can be."""
        return mtime_of(self.date)


def size_in(status: int, content_range: str | None, length: int | None) -> int | None:
    """The size of the whole object, as an answer with a body of `length` bytes says it."""
    if content_range is not None:
        place = parse_content_range(content_range)
        return place[2] if place else None
    return length if status == 200 else None


class Known(NamedTuple):
    """What answers of one version look like, once one was taken.

    Attributes:
        etag: the strong one that they carry, normalised; "" where they carry none.
        date: their Last-Modified.
        vouched: an answer without what tells versions apart, which a HEAD vouched for.
    """

    etag: str
    date: str
    vouched: Answer | None = None


class Match(Enum):
    """SAME: of that version. UNPROVEN: nothing contradicts it, but what would prove it is missing. OTHER: it is not."""

    SAME, UNPROVEN, OTHER = range(3)


def compare(id: ObjectId, known: Known | None, answer: Answer, *, by_date: bool) -> Match:
    """How `answer` compares with the version `id`.

    Args:
        known: what answers of it look like, if that is known.
        by_date: its date has to fit, too: the ETag is not relied on.
    """
    if known is not None and known.vouched is not None and answer == known.vouched:
        return Match.SAME
    if id.size >= 0 and answer.size is not None and answer.size != id.size:
        return Match.OTHER
    unproven = False
    if etag := known.etag if known is not None else id.etag if is_etag(id.etag) else "":
        got = normalised(answer.etag)
        if got and got != etag and (is_strong(got) or not is_strong(etag)):
            return Match.OTHER
        unproven = got != etag
    if by_date or not etag:
        date = known.date if known is not None else "" if is_etag(id.etag) else date_of(id.etag)
        if answer.date and answer.date != date:
            return Match.OTHER
        unproven = unproven or answer.date != date or (known is not None and not (date or etag))
    return Match.UNPROVEN if unproven else Match.SAME


def is_listed(id: ObjectId, row: ObjectStat) -> bool:
    """Whether `id` is the version that `row`, with the token as the provider gives it, tells of."""
    tokens = (row.id.etag, normalised(row.id.etag), dated_token(row.size, http_date(row.mtime_ns)))
    return id.etag in tokens and id.size in (-1, row.size)


def fits(row: ObjectStat, answer: Answer) -> bool:
    """Whether an answer is of the object that a listing tells of, going by size and time."""
    if row.mtime_ns == UNKNOWN_MTIME_NS:  # the listing has no date that can be
        return answer.size in (None, row.size)
    seconds = seconds_of(answer.date) if answer.date else None
    near = seconds is not None and abs(seconds - row.mtime_ns // 10**9) <= _ROUNDING_S
    return near and answer.size in (None, row.size)
