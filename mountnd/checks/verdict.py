"""What the evidence of an object and its bytes say together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from .digest import Digest
from .kinds import ETAG


class Outcome(Enum):
    """What became of one object."""

    VERIFIED = "verified"
    MISMATCH = "mismatch"
    DOUBT = "doubt"  # only its ETag says otherwise, which need not be an MD5
    UNKNOWN = "unknown"  # nothing is known of it that can be computed here


class Verdict(NamedTuple):
    """An outcome, what agrees with the bytes, and what does not."""

    outcome: Outcome
    agree: tuple[Digest, ...] = ()
    differ: tuple[Digest, ...] = ()


def judged(evidence: Sequence[Digest], values: Mapping[str, str], *, etag_is_md5: bool | None) -> Verdict:
    """Compare digests with what was computed of the bytes.

    Args:
        values: by algorithm; evidence of others does not count.
        etag_is_md5: whether an ETag is known to be an MD5; None where that is not known. Of an object of which other
            evidence agrees with the bytes it is none, whatever is known.
    """
    counted = [digest for digest in evidence if digest.algorithm in values]
    agree = tuple(digest for digest in counted if values[digest.algorithm] == digest.value)
    differ = tuple(digest for digest in counted if values[digest.algorithm] != digest.value)
    if not counted:
        return Verdict(Outcome.UNKNOWN)
    if not differ:
        return Verdict(Outcome.VERIFIED, agree)
    if all(digest.kind == ETAG for digest in differ):
        if agree:
            return Verdict(Outcome.VERIFIED, agree)
        if not etag_is_md5:
            return Verdict(Outcome.DOUBT, (), differ)
    return Verdict(Outcome.MISMATCH, agree, differ)
