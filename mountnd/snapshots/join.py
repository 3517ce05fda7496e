"""Which version of an object each file of a snapshot is. Pure.

1. The version that the service names, where the bucket has it and its size and MD5 are the file's.
2. Else the version whose size and MD5 are the file's: the ETag of an object that was uploaded in one part is its MD5
   (OpenNeuro: up to 1 GiB; docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
3. A git blob's hash cannot be compared with an ETag: versions of its size are read, and hashed (`Undecided`).
4. Else, for what was uploaded in parts, or is known by another digest: all versions of the file's size, where these are
   the same bytes as far as their ETags tell.

Whatever is left is missing, and says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..stores.object_versions import Version
from .answers import SnapshotFile

_SINGLE_PART = re.compile(r'"[0-9a-f]{32}"')
# Bytes of a git blob that is read to tell versions apart; what is larger lies in the annex.
BLOB_MAX = 16 << 20


class Chosen(NamedTuple):
    """A file, and the version that it is. `by_size`: nothing but its size, and that no other has it, speaks for it."""

    file: SnapshotFile
    version: Version
    by_size: bool = False


class Missing(NamedTuple):
    """A file that no version is known for; `why` goes on behind its name."""

    file: SnapshotFile
    why: str


class Undecided(NamedTuple):
    """A git blob, and what it may be: the first that hashes to its id is it. Each with other bytes than the others."""

    file: SnapshotFile
    versions: tuple[Version, ...]


@dataclass(slots=True)
class Joined:
    """What became of all files."""

    chosen: list[Chosen] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)


def join(
    files: Sequence[SnapshotFile], root: str, held: Mapping[str, Sequence[Version]], *, whole: bool = True
) -> Joined:
    """Choose among the versions that the bucket has.

    Args:
        root: the key prefix of the data set, ending in "/".
        held: by key, the newest first; delete markers are no versions.
        whole: these are all there are.
    """
    joined = Joined()
    for file in files:
        match choose(file, held.get(root + file.path, ()), whole=whole):
            case Chosen() as chosen:
                joined.chosen.append(chosen)
            case Missing() as missing:
                joined.missing.append(missing)
            case undecided:
                joined.undecided.append(undecided)
    return joined


def choose(file: SnapshotFile, held: Sequence[Version], *, whole: bool = True) -> Chosen | Missing | Undecided:
    """Which of the versions of its key a file is. `whole`: these are all there are."""
    named = {url.version for url in file.urls}
    fitting = [one for one in held if one.size == file.size and not _differs(file, one)]
    if (by_name := next((one for one in fitting if one.version in named), None)) is not None:
        return Chosen(file, by_name)
    if (by_md5 := next((one for one in fitting if _is_md5_of(file, one)), None)) is not None:
        return Chosen(file, by_md5)
    if not fitting:
        return Missing(file, _why_none(file, held, named) if whole else _why_not_among(named))
    newest: dict[str, Version] = {}
    for one in fitting:
        newest.setdefault(one.etag or one.version, one)
    distinct = tuple(newest.values())
    if file.digest.startswith("git-"):
        if file.size <= BLOB_MAX:
            return Undecided(file, distinct)
        return Missing(file, f"no version is named, and its {file.size:,} bytes are too many to tell by reading them")
    if not whole:
        return Missing(file, _why_not_among(named))
    if len(distinct) == 1:
        return Chosen(file, distinct[0], by_size=True)
    return Missing(file, f"no version is named, and {len(distinct)} different ones have its size")


def _is_md5_of(file: SnapshotFile, version: Version) -> bool:
    return file.digest == f"md5:{version.etag[1:-1]}"


def _differs(file: SnapshotFile, version: Version) -> bool:
    """Whether its ETag is an MD5, and another than the file's."""
    return (
        file.digest.startswith("md5:")
        and _SINGLE_PART.fullmatch(version.etag) is not None
        and not _is_md5_of(file, version)
    )


def _why_none(file: SnapshotFile, held: Sequence[Version], named: set[str]) -> str:
    """Why no version is the file."""
    if not held:
        return "the bucket has no version of it"
    if any(one.version in named for one in held):
        return "the version that is named has other bytes, and no other has its size and MD5"
    gone = "the version that is named is gone, and " if named else ""
    md5 = " and MD5" if file.digest.startswith("md5:") else ""
    return f"{gone}none of {len(held)} version{'s' * (len(held) != 1)} has its size{md5}"


def _why_not_among(named: set[str]) -> str:
    """Why none of the few versions that are known is the file, where the others may not be listed."""
    gone = "the version that is named is not it" if named else "no version is named"
    return f"{gone}, and the bucket does not let its versions be listed"
