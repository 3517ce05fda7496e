"""What is known of an object's content: each kind of evidence is a line of `KINDS`. Pure.

A new kind is a line: its name for `--by`, how reports call it, and a function of what is known (`Facts`) to digests.
What a store's provider tells is in `Facts.told`, by the kinds of its digests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from .annex import key_of
from .digest import NOTHING_TOLD, Digest, Told

# An ETag that may be the MD5 of the content: not that of an upload in parts, nor that of nothing for something.
_MD5 = re.compile(r'"([0-9a-f]{32})"')
_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"


class Facts(NamedTuple):
    """What is known of one object before its bytes are read.

    Attributes:
        name: of the file.
        size: in bytes.
        etag: the version's token, as `ObjectId` has it.
        told: what the store tells.
        listed: digests from checksum files in the tree.
    """

    name: str
    size: int
    etag: str
    told: Told = NOTHING_TOLD
    listed: tuple[Digest, ...] = ()


class Kind(NamedTuple):
    """One kind of evidence.

    Attributes:
        title: in reports.
        find: the digests of this kind.
        asks: whether the store has to be asked about each object.
    """

    title: str
    find: Callable[[Facts], Iterable[Digest]]
    asks: bool = False


def _told(kind: str) -> Callable[[Facts], Iterable[Digest]]:
    return lambda facts: (digest for digest in facts.told.digests if digest.kind == kind)


def _etag(facts: Facts) -> Iterator[Digest]:
    found = _MD5.fullmatch(facts.etag)
    if found is None or facts.told.etag_is_md5 is False:
        return
    if not found[1].strip("0") or (found[1] == _OF_NOTHING and facts.size):
        return  # what servers write who have none
    yield Digest(ETAG, "md5", found[1], "ETag")


def _annex(facts: Facts) -> Iterator[Digest]:
    key = key_of(facts.name)
    if key is not None and key.size in (None, facts.size):
        yield Digest("annex", key.algorithm, key.value, "name of a git-annex key")


LOCKFILE, ETAG, CHECKSUM, DANDI, MANIFEST = "lockfile", "etag", "checksum", "dandi", "manifest"

KINDS: Mapping[str, Kind] = {
    LOCKFILE: Kind("lockfile", _told(LOCKFILE), asks=True),
    ETAG: Kind("ETag (an MD5)", _etag),
    CHECKSUM: Kind("the store's checksum", _told(CHECKSUM), asks=True),
    DANDI: Kind("DANDI digest", _told(DANDI), asks=True),
    MANIFEST: Kind("checksum file", lambda facts: facts.listed),
    "annex": Kind("git-annex key", _annex),
}


def known(facts: Facts, kinds: Collection[str]) -> list[Digest]:
    """The digests of an object, of the kinds that are asked for, none twice."""
    found = (digest for name, kind in KINDS.items() if name in kinds for digest in kind.find(facts))
    return list(dict.fromkeys(found))


def asks(kinds: Collection[str]) -> bool:
    """Whether evidence of these kinds takes a request for each object."""
    return any(KINDS[kind].asks for kind in kinds)
