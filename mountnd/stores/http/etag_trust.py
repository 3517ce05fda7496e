"""What was learnt of a server's ETags: whether they tell versions apart, and how it wants to see them in If-Match.

Evidence against them holds for the whole source from then on, and over restarts: what was listed before it came is
re-labelled when it is used (`EtagTrust.relied`), so that bytes which were kept under an ETag that means nothing are
not shown again.

Lock order: `EtagTrust._lock` before `EtagSamples._lock`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from ..base import Notes, ObjectId, ObjectStat, Page
from .etag_samples import EtagSamples, Md5Proof, digest_of, first_bytes, is_dubious
from .etags import (
    QUOTED,
    SPELLINGS,
    are_shared,
    are_usual,
    dated_token,
    http_date,
    is_etag,
    is_reliable,
    is_strong,
    next_spelling,
    normalised,
    seconds_of,
    spelled,
)

log = logging.getLogger(__name__)

# Why ETags are not relied on: of single objects, which their listing shows each time ...
DOUBTFUL = "some objects have no ETag, a weak one, or one that cannot be theirs"
# ... and of the whole source, by evidence that is kept.
SHARED = "one ETag stands for different objects"
DIFFERENT = "answers give other ETags than listings for unchanged objects"
UNSTABLE = "the ETag of an unchanged object changes from answer to answer"
# Pages whose first object is remembered, to notice that a server gives one ETag to all.
_SAMPLES = 1024


class EtagTrust:
    """What is known of the ETags of one source. Thread-safe.

    Args:
        url: how the source is named in the log.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._notes: Notes | None = None
        self._evidence = ""
        self._spelling = QUOTED
        self._remarks: list[str] = []
        self._is_due = False  # something was learnt, and not written down
        self._samples: dict[str, ObjectStat] = {}
        self._reads, self._md5s = EtagSamples(), Md5Proof()

    def remember(self, notes: Notes) -> None:
        """Take what was learnt before from `notes`, and keep there what is learnt."""
        kept = notes.read()
        with self._lock:
            self._notes = notes
            self._evidence = kept.get("etags", "") or self._evidence
            spelling = kept.get("if_match", "")
            self._spelling = spelling if spelling in SPELLINGS else self._spelling
            self._md5s.found = self._md5s.found or kept.get("md5s", "") == "yes"
            self._reads.load(kept.get("samples", ""))
            self._remarks += [said for said in (kept.get("etags"), _about(self._spelling)) if said]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was found, in words for a person."""
        with self._lock:
            return tuple(self._remarks)

    def relies_on(self, id: ObjectId) -> bool:
        """Whether the ETag in `id` alone says which version it is."""
        return not self._evidence and is_reliable(id.etag, id.size)

    @property
    def evidence(self) -> str:
        """Why no ETag of the source is relied on, in words; "" where that is not so."""
        return self._evidence

    @property
    def pins_answers(self) -> bool:
        """Whether the ETag of an answer may be expected of the next one."""
        return self._evidence != UNSTABLE

    @property
    def are_md5s(self) -> bool:
        """Whether an ETag that looks like an MD5 was seen to be that of the content."""
        return self._md5s.found and not self._evidence

    def relied(self, stat: ObjectStat) -> ObjectStat:
        """`stat` with the token that its version goes by: its ETag, or size and LastModified."""
        id = stat.id
        if not is_etag(id.etag):
            return stat
        etag = normalised(id.etag)
        if not self._evidence and is_reliable(etag, stat.size):
            return stat if etag == id.etag else stat._replace(id=id._replace(etag=etag))
        return stat._replace(id=id._replace(etag=dated_token(stat.size, http_date(stat.mtime_ns))))

    def settle(self, page: Page) -> Page:
        """A page of a listing whose objects have tokens to rely on. Looks for evidence, too."""
        if self._is_due:
            self._learnt(True)
        objects = page.objects
        if not objects:
            return page
        etags = [stat[0][2] for stat in objects]
        distinct = set(etags)
        usual = are_usual(distinct)
        if not self._evidence:
            shared = len(distinct) < len(etags) and are_shared(objects if usual else map(self.relied, objects))
            if shared or self._is_known_otherwise(self.relied(objects[0])):
                self.note(SHARED)
        if usual and not self._evidence:
            return page
        settled = [self.relied(stat) for stat in objects]
        if not self._evidence and any(not is_strong(stat.id.etag) for stat in settled):
            self.note(DOUBTFUL)
        return page._replace(objects=settled)

    def note(self, what: str, *, keep: bool = True) -> None:
        """Something speaks against the ETags; said once. `keep`: as in `saw`."""
        with self._lock:
            if what in self._remarks:
                return
            self._remarks.append(what)
            if what != DOUBTFUL:
                self._evidence = self._evidence if self._evidence == UNSTABLE else what
            if keep:
                self._keep()
            self._is_due = not keep
        log.warning("%s: %s; there size and LastModified tell versions apart", self._url, what)

    def saw(self, id: ObjectId, start: int, views: Sequence[memoryview], date: str, *, keep: bool = True) -> bool:
        """These bytes, from `start` on, were read of `id` by its ETag, in an answer with this Last-Modified.

        Returns False where other bytes were read of it before: then it was replaced, and its ETag tells nothing.

        Args:
            keep: write down what was learnt; else the next listing does, or `close`.
        """
        if self._evidence or not is_strong(id.etag):
            return True
        if self._md5s.saw(id, start, views):
            self._learnt(keep)
        first = first_bytes(id.size, start, views)
        if first is None:
            return True
        seconds = seconds_of(date) if date else None
        replaced, shared = self._reads.add(id, -1 if seconds is None else seconds, digest_of(first))
        if replaced or shared:
            self.note(SHARED, keep=keep)
        elif self._reads.due:
            self._learnt(keep)
        return not replaced

    def _learnt(self, keep: bool) -> None:
        self._is_due = not keep
        if keep:
            with self._lock:
                self._keep()

    def agrees(self, id: ObjectId, start: int, views: Sequence[memoryview]) -> bool:
        """Whether these bytes, from `start` on, are those that were read of `id` before, as far as that is remembered.

        For bytes that did not come from the server itself: nothing is learnt of it.
        """
        first = first_bytes(id.size, start, views)
        sample = self._reads.find(id) if first is not None else None
        return sample is None or first is None or sample.digest == digest_of(first)

    def redated(self, objects: Sequence[ObjectStat]) -> list[ObjectStat]:
        """Those of a listing's objects whose first bytes should be looked at again (`confirm`): they have another date
        than when they were read, and their ETag may not tell whether they have other bytes. A few at a time."""
        return [] if self._evidence else self._reads.redated(objects, self._is_dubious)

    def may_be_another(self, id: ObjectId) -> bool:
        """An answer for `id` has another date than the one before: whether its first bytes should be looked at again.

        Counts as a look."""
        sample = None if self._evidence else self._reads.find(id)
        return sample is not None and self._is_dubious(id.etag) and self._reads.may_check()

    def confirm(self, id: ObjectId, mtime_ns: int, first: memoryview) -> bool:
        """What the first bytes of an object are now, which is dated `mtime_ns`: whether they are what they were."""
        if self._reads.confirm(id, mtime_ns // 10**9, digest_of([first])):
            return True
        self.note(SHARED)
        return False

    def close(self) -> None:
        """Keep what was seen. Idempotent."""
        with self._lock:
            if self._is_due or (not self._evidence and not self._md5s.found):
                self._keep()

    def if_match(self, etag: str) -> str:
        """What If-Match is sent with for a normalised ETag, "" for none."""
        return spelled(etag, self._spelling)

    def refused(self, sent: str, etag: str) -> None:
        """If-Match of `sent` was refused although `etag` (as the server writes it) is the version that was meant."""
        with self._lock:
            if spelled(normalised(etag), self._spelling) != sent:
                return  # another thread has learnt it meanwhile
            self._spelling = next_spelling(self._spelling, etag)
            said = _about(self._spelling)
            self._remarks.append(said)
            self._keep()
        log.warning("%s: %s", self._url, said)

    def _is_known_otherwise(self, stat: ObjectStat) -> bool:
        """Whether the ETag of `stat` was seen on an object that is another; remembers it."""
        with self._lock:
            if len(self._samples) >= _SAMPLES:
                self._samples.clear()
            seen: Sequence[ObjectStat] = (self._samples.setdefault(stat.id.etag, stat), stat)
        return seen[0] is not stat and are_shared(seen)

    def _is_dubious(self, etag: str) -> bool:
        return is_dubious(etag, 1, md5s=self._md5s.found)

    def _keep(self) -> None:
        """Write down what is known, beside what other mounts of the source have found out meanwhile."""
        if self._notes is None:
            return
        known = {
            "etags": self._evidence,
            "if_match": "" if self._spelling == QUOTED else self._spelling,
            "md5s": "yes" if self._md5s.found else "",
            "samples": "" if self._evidence else self._reads.dump(self._is_dubious),
        }
        kept = self._notes.read()
        if more := {name: text for name, text in known.items() if text and text != kept.get(name)}:
            self._notes.write(kept | more)


def _about(spelling: str) -> str:
    return "" if spelling == QUOTED else f"If-Match is refused for unchanged objects; it is sent so: {spelling}"
