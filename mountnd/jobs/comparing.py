"""One file of a verification: what is known of it, its bytes, and what they say together."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..blocks.checking import Brought, Checking
from ..checks.digest import NOTHING_TOLD, Digest, Told
from ..checks.hashing import Hashers, can_compute
from ..checks.kinds import ETAG, Facts, asks, known
from ..checks.verdict import Outcome, Verdict, judged
from ..errors import Cancelled, StoreError
from ..stores.base import ObjectId, ObjectStat
from .checksum_files import ChecksumFiles
from .request import VerifyRequest
from .verify_report import DOUBT, MISMATCH, UNKNOWN, VerifyReport

_MISMATCH = "its bytes are not those that are expected"
_IN_DOUBT = (
    "its ETag is not the MD5 of its bytes; nothing that was read shows that this server's ETags are MD5s, so either "
    "they are not, or the bytes are wrong"
)


class Target(NamedTuple):
    """A file at one version. `path` from the tree's root, `name` its last component."""

    path: str
    name: str
    stat: ObjectStat

    def facts(self, id: ObjectId) -> dict[str, Any]:
        """For a finding. `id`: of the object at its provider."""
        said = {"path": self.path, "key": id.key, "version": id.version or None, "etag": id.etag}
        return {**said, "size": self.stat.size}


class Comparer:
    """Compares files with what is known of them. Used by many threads.

    Lock: `_lock` is a leaf, and guards the doubts.
    """

    def __init__(self, checking: Checking, request: VerifyRequest, report: VerifyReport, listed: ChecksumFiles) -> None:
        self._checking, self._request, self._report, self._listed = checking, request, report, listed
        self._asks = asks(request.by)
        self._lock = threading.Lock()
        self._md5s: set[str] = set()  # sources of which an ETag was seen to be an MD5
        self._doubts: list[tuple[str, dict[str, Any]]] = []  # source, finding

    def compare(self, target: Target, buffer: bytearray) -> None:
        """Read and compare one file; the outcome goes into the report. Raises StoreError.

        Args:
            buffer: what is read and hashed at a time.
        """
        told = self._told(target.stat) if self._asks else None
        usable = self._usable(target, told)
        if not usable:
            return
        if self._request.dry_run:
            self._report.checked(usable, target.stat.size)
            return
        before = self._checking.brought(target.stat.id)
        values = self._values(target.stat, usable, buffer)
        verdict = judged(usable, values, etag_is_md5=told.etag_is_md5 if told else None)
        if told is None and any(digest.kind == ETAG for digest in verdict.differ):  # which need not be an MD5
            told = self._told(target.stat)
            if told.etag_is_md5 is False:
                usable = [digest for digest in usable if digest.kind != ETAG]
            verdict = judged(usable, values, etag_is_md5=told.etag_is_md5)
        if verdict.outcome is Outcome.VERIFIED:
            self._verified(target.stat, verdict)
        elif verdict.outcome is Outcome.UNKNOWN:
            self._unknown(target, usable)
        else:
            brought = _between(before, self._checking.brought(target.stat.id), target.stat.size)
            self._differs(target, verdict, values, brought)

    def doubtful(self) -> set[str]:
        """Sources of which an ETag alone says otherwise, and of which no ETag was seen to be an MD5."""
        with self._lock:
            return {source for source, _ in self._doubts} - self._md5s

    def attest(self, stat: ObjectStat, buffer: bytearray) -> bool:
        """Whether the ETag of another file is the MD5 of its bytes: then those of its source are."""
        evidence = known(Facts("", stat.size, stat.id.etag), (ETAG,))
        hashers = Hashers({digest.algorithm for digest in evidence}, stat.size)
        try:
            for chunk in self._checking.chunks(stat.id, stat.size, buffer):
                hashers.update(chunk)
        except StoreError:
            return False
        values = hashers.values()
        if any(values[digest.algorithm] == digest.value for digest in evidence):
            self._md5s.add(stat.id.source)
        return stat.id.source in self._md5s

    def settle(self) -> None:
        """All is read. An ETag that alone says otherwise tells of wrong bytes where others of its source are MD5s, or
        where the source itself gives its MD5; else it may be none."""
        with self._lock:
            doubts, self._doubts = self._doubts, []
        for source, finding in doubts:
            if source in self._md5s or finding["source"] == "agrees":
                finding |= {"what": MISMATCH, "reason": _MISMATCH}
            self._report.find(finding)

    def content(self, stat: ObjectStat) -> bytes:
        """All bytes of a file that is not long. Raises StoreError."""
        buffer = bytearray(max(1, min(stat.size, 1 << 20)))
        return b"".join(bytes(chunk) for chunk in self._checking.chunks(stat.id, stat.size, buffer))

    def _facts(self, target: Target) -> dict[str, Any]:
        return target.facts(self._checking.provider_id(target.stat.id))

    def _told(self, stat: ObjectStat) -> Told:
        """What the store says; nothing where it cannot be asked, which is counted."""
        try:
            return self._checking.digests(stat.id)
        except Cancelled:
            raise
        except StoreError as e:
            self._report.not_asked(str(e))
            return NOTHING_TOLD

    def _usable(self, target: Target, told: Told | None) -> list[Digest]:
        """The digests by which a file can be checked here; where there are none, it is counted."""
        stat, report = target.stat, self._report
        facts = Facts(target.name, stat.size, stat.id.etag, told or NOTHING_TOLD, self._listed.of(target.path))
        evidence = known(facts, self._request.by)
        usable = [digest for digest in evidence if can_compute(digest.algorithm)]
        report.cannot({digest.algorithm for digest in evidence} - {digest.algorithm for digest in usable})
        if not usable:
            self._unknown(target, evidence)
        return usable

    def _unknown(self, target: Target, evidence: Sequence[Digest]) -> None:
        """Nothing can be said of a file. `evidence`: what cannot be computed here."""
        self._report.count(unknown_bytes=target.stat.size)
        if self._request.unknown:
            self._report.find({**self._facts(target), "what": UNKNOWN, "reason": _why_unknown(evidence)})
        else:
            self._report.count(unknown=1)

    def _values(self, stat: ObjectStat, usable: Iterable[Digest], buffer: bytearray) -> dict[str, str]:
        """The digests of the bytes as programs get them. Raises StoreError."""
        hashers = Hashers({digest.algorithm for digest in usable}, stat.size)
        for chunk in self._checking.chunks(stat.id, stat.size, buffer):
            hashers.update(chunk)
            self._report.count(read_bytes=len(chunk))
        return hashers.values()

    def _verified(self, stat: ObjectStat, verdict: Verdict) -> None:
        self._report.checked(verdict.agree, stat.size)
        self._report.count(verified=1, verified_bytes=stat.size)
        if stat.size and any(digest.kind == ETAG for digest in verdict.agree):
            self._md5s.add(stat.id.source)

    def _differs(self, target: Target, verdict: Verdict, values: dict[str, str], brought: Brought) -> None:
        stat, in_doubt = target.stat, verdict.outcome is Outcome.DOUBT
        finding = {
            **self._facts(target),
            "what": DOUBT if in_doubt else MISMATCH,
            "reason": _IN_DOUBT if in_doubt else _MISMATCH,
            "expected": _shown(verdict.differ),
            "agrees": _shown(verdict.agree),
            "found": {digest.algorithm: values[digest.algorithm] for digest in verdict.differ},
            "from_source": brought.source,
            "from_disk": brought.disk,
            "from_memory": stat.size - brought.source - brought.disk,
            "source": self._reread(stat, verdict) if self._request.from_source else None,
        }
        if in_doubt:
            with self._lock:
                self._doubts.append((stat.id.source, finding))
        else:
            self._report.find(finding)

    def _reread(self, stat: ObjectStat, verdict: Verdict) -> str:
        """What the source itself gives now of what does not agree: "agrees", "differs", or why it gives nothing."""
        hashers = Hashers({digest.algorithm for digest in verdict.differ}, stat.size)
        try:
            for chunk in self._checking.chunks_from_source(stat.id, stat.size):
                hashers.update(chunk)
        except StoreError as e:
            return str(e) or type(e).__name__
        values = hashers.values()
        return "agrees" if all(values[one.algorithm] == one.value for one in verdict.differ) else "differs"


def _between(before: Brought, after: Brought, size: int) -> Brought:
    """What was brought of a file of `size` bytes between two looks; others may have fetched some of it again."""
    source = min(size, max(0, after.source - before.source))
    return Brought(source, min(size - source, max(0, after.disk - before.disk)))


def _why_unknown(evidence: Sequence[Digest]) -> str:
    if not evidence:
        return "nothing is known of its content"
    return f"a package is missing for {', '.join(sorted({digest.algorithm for digest in evidence}))}"


def _shown(digests: Iterable[Digest]) -> list[dict[str, str]]:
    return [digest._asdict() for digest in digests]
