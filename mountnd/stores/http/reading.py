"""Reads of one version over HTTP: a refusal or a contradiction is checked before it is believed.

The first answer for an id is compared with the listing's ETag (or size and date), later ones with what the first one
looked like. Where something does not fit, a HEAD says whether the object changed, or the server only speaks differently
in answers than in listings; then what answers look like is remembered for the id, and what to expect of the server for
the source (`trust.py`). Servers that behave see no request more for it.

Lock order: `VersionedReads._lock` is a leaf; no request is made under it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from cachetools import LRUCache

from ...errors import Cancelled, Changed, Intercepted, NotFound, StoreError
from ..base import Deadline, ObjectId, ObjectStat
from .etag_samples import FIRST
from .etag_trust import DIFFERENT, UNSTABLE, EtagTrust
from .etags import is_strong, normalised
from .expected import Doubt, Expected
from .versions import Answer, Known, Match, compare, fits, is_listed

# Ids whose answers are remembered, some 500 bytes each; one that is forgotten is compared with its listing again.
REMEMBERED = 16_384
# How If-Match is spelled, what answers look like, and one race with a writer: more is not to be found out for one read.
_ATTEMPTS = 6
# How long a listing may be kept waiting for first bytes that are looked at again.
LOOK_AGAIN_S = 10.0


class Requests(Protocol):
    """The requests of one read, of what lies from `start` on into `views`. Each raises StoreError."""

    @property
    def start(self) -> int: ...

    @property
    def views(self) -> Sequence[memoryview]: ...

    def get(self, if_match: str, accept: Callable[[Answer], None]) -> bool:
        """The ranged GET, with If-Match where that is not "". `accept` is told the answer's head, and may raise.

        Returns whether the server itself gave all of it, and no cache between: only then do the bytes tell of it.
        """
        ...

    def head(self) -> Answer:
        """What the object is now."""
        ...

    def first(self, view: memoryview) -> Answer:
        """Fill `view` with the object's first bytes as they are now; what their answer says."""
        ...

    def listed(self) -> ObjectStat | None:
        """What is listed of the object now, with its ETag as the provider gives it; None when it is not there."""
        ...


class VersionedReads:
    """The reads of one source."""

    def __init__(self, trust: EtagTrust) -> None:
        self._trust = trust
        self._lock = threading.Lock()
        self._known: LRUCache[ObjectId, Known] = LRUCache(REMEMBERED)
        self._checks: dict[ObjectId, Future[None]] = {}

    def read(self, id: ObjectId, requests: Requests, subject: object, deadline: Deadline) -> None:
        """One ranged GET of exactly this version.

        Raises Changed and NotFound when the version is gone, Intercepted when an answer is not the server's, and
        what `requests` raises. `subject` is for messages.
        """
        for _ in range(_ATTEMPTS):
            by_date = not self._trust.relies_on(id)
            known = self._recall(id)  # after that: what is learnt of an id is put there before the source is doubted
            if by_date and known is None and is_strong(id.etag):
                # It was listed, and perhaps read, before the ETags turned out to mean nothing.
                raise _changed(subject)
            expected = self._expected(id, known, by_date=by_date)
            sent = expected.if_match
            doubt: Doubt | None = None
            try:
                is_its_own = requests.get(sent, expected.accept)
                if is_its_own and not by_date and expected.answer is not None:
                    self._look_at_bytes(id, known, expected, expected.answer, requests, subject)
                return
            except Doubt as error:
                doubt = Doubt(error.match, error.answer)  # without the frames, which hold the views
            except Changed:
                if not sent:
                    raise
            with self._one_at_a_time(id, deadline) as first:
                if first:
                    self._check(id, known, doubt, sent, requests, subject, by_date=by_date)
        raise Intercepted(f"{subject}: answers of many versions, none of which lasts", code="Version")

    def expected(self, id: ObjectId) -> Expected | None:
        """What one GET of exactly this version is sent with, and how its answer is judged; None where it may take more
        than one GET."""
        return self._expected(id, self._recall(id), by_date=False) if self._trust.relies_on(id) else None

    def _expected(self, id: ObjectId, known: Known | None, *, by_date: bool) -> Expected:
        if_match = self._trust.if_match(known.etag if known is not None else id.etag)
        saw = partial(self._trust.saw, keep=False)
        return Expected(id, known, if_match, by_date=by_date, take=self._take, saw=saw)

    def look_again(self, objects: Sequence[ObjectStat], requests_for: Callable[[str], Requests]) -> bool:
        """Objects of a listing: whether the ETags turn out to mean nothing, because one of them has other bytes under
        the ETag that it had (`EtagTrust.redated`). Asks for the first bytes of a few."""
        for stat in self._trust.redated(objects):
            try:
                if not self._is_as_before(stat.id, requests_for(stat.id.key), stat.mtime_ns):
                    return True
            except StoreError:
                continue  # then at the next listing
        return False

    def _look_at_bytes(
        self,
        id: ObjectId,
        known: Known | None,
        expected: Expected,
        answer: Answer,
        requests: Requests,
        subject: object,
    ) -> None:
        """Bytes came under the right ETag. Raises Changed where they, or the date, give away that it means nothing."""
        same = self._trust.saw(id, requests.start, requests.views, answer.date)
        if same and known is not None and expected.is_redated:
            if self._trust.may_be_another(id):
                same = self._is_as_before(id, requests, answer.mtime_ns)
            if same:
                self._put(id, known._replace(date=answer.date))
        if not same:
            raise _changed(subject)

    def _is_as_before(self, id: ObjectId, requests: Requests, mtime_ns: int) -> bool:
        first = memoryview(bytearray(min(id.size, FIRST)))
        answer = requests.first(first)
        if answer.size not in (None, id.size) or normalised(answer.etag) != id.etag:
            return True  # replaced once more: that is seen as such
        return self._trust.confirm(id, mtime_ns, first)

    def _check(
        self,
        id: ObjectId,
        known: Known | None,
        doubt: Doubt | None,
        sent: str,
        requests: Requests,
        subject: object,
        *,
        by_date: bool,
    ) -> None:
        """Whether the version is still there; then what its answers look like is known now. Raises as `read` does.

        Args:
            doubt: the answer that did not fit; None where If-Match was refused (412).
        """
        contradicted = doubt is not None and doubt.match is Match.OTHER
        try:
            now = doubt.answer if doubt is not None and contradicted else requests.head()
        except NotFound:
            raise _changed(subject) from None
        if compare(id, known, now, by_date=by_date) is Match.SAME:
            if doubt is None:
                self._trust.refused(sent, now.etag)
            elif doubt.answer.kind != now.kind:
                raise _intercepted(subject, doubt.answer)
            else:  # its answers lack what its HEADs have
                self._put(id, Known("", now.date, doubt.answer))
            return
        row = self._listed(requests)
        if row is not None and is_listed(id, row) and fits(row, now):
            self._learn(id, known, now, requests, subject)
            return
        if doubt is None or (row is not None and not is_listed(id, row)):
            raise _changed(subject)
        if contradicted and self._is_another_version(id, known, now, requests, by_date=by_date):
            raise _changed(subject)
        raise _intercepted(subject, doubt.answer)

    def _learn(self, id: ObjectId, known: Known | None, now: Answer, requests: Requests, subject: object) -> None:
        """The version is what it was when it was listed, and answers look like `now`."""
        etag, against = normalised(now.etag), DIFFERENT if is_strong(id.etag) else ""
        if known is not None:
            # Replaced within the second, or given another ETag each time?
            if known.date != now.date or normalised(requests.head().etag) == etag:
                raise _changed(subject)
            against = UNSTABLE
        self._put(id, Known(etag if is_strong(etag) and against != UNSTABLE else "", now.date))
        if against:  # not sooner: other threads read the same id, and it is not relied on from now on
            self._trust.note(against)

    @staticmethod
    def _is_another_version(
        id: ObjectId, known: Known | None, answer: Answer, requests: Requests, *, by_date: bool
    ) -> bool:
        """Whether an answer that contradicts the version is of another one of the object, and not somebody else's page.

        A HEAD contradicts the version, too, or says that this is what the object's answers look like.
        """
        try:
            head = requests.head()
        except NotFound:
            return True
        if compare(id, known, head, by_date=by_date) is Match.SAME:
            return bool(answer.etag or answer.date) and answer.kind == head.kind
        return bool(head.etag or head.date)

    @staticmethod
    def _listed(requests: Requests) -> ObjectStat | None:
        try:
            return requests.listed()
        except StoreError as error:
            if error.transient:
                raise
            return None  # not allowed to list, or a page of somebody else: nothing is known

    def _take(self, id: ObjectId, known: Known | None, answer: Answer) -> None:
        """An answer of the version is being received."""
        if known is None:
            etag = normalised(answer.etag)
            pinned = etag if is_strong(etag) and self._trust.pins_answers else ""
            if pinned or answer.date:
                self._put(id, Known(pinned, answer.date))
        elif known.vouched == answer and not answer.date:
            with self._lock:
                self._known.pop(id, None)  # nothing in it tells versions apart: a HEAD vouches for each

    @contextmanager
    def _one_at_a_time(self, id: ObjectId, deadline: Deadline) -> Iterator[bool]:
        """Yields True to the first of the threads that doubt an id; the others wait, and share what it raises."""
        with self._lock:
            found = self._checks.get(id)
            check = self._checks[id] = found if found is not None else Future()
        if found is not None:
            try:
                deadline.result(found, id.key)
            except Cancelled:  # the first one's request, not ours
                deadline.check(id.key)
            yield False
            return
        try:
            yield True
            check.set_result(None)
        except BaseException as error:
            check.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._checks[id]
            del check  # which holds the error, which holds this frame

    def _recall(self, id: ObjectId) -> Known | None:
        with self._lock:
            return self._known.get(id)

    def _put(self, id: ObjectId, known: Known) -> None:
        with self._lock:
            self._known[id] = known


def _changed(subject: object) -> Changed:
    return Changed(f"{subject}: the object was replaced since it was opened", code="Version")


def _intercepted(subject: object, answer: Answer) -> Intercepted:
    kind = f" ({answer.kind})" if answer.kind else ""
    return Intercepted(
        f"{subject}: the answer is not the object's{kind}; does a login page or a proxy stand before the server?",
        code="Version",
    )
