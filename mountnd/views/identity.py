"""What names a view's objects: the store's own versions, marked, so that caches never take one for the other. Pure.

A view has a source of its own (`SOURCE#view=nii`), and its objects have their shown keys. The ETag says the rest:

    "abc"              an object that the view leaves as it is
    "abc"~.gz          listed: shown without `.gz`; `size` is still that of what is stored
    "abc"~.gz:4711     measured: `size` is what a program reads, 4711 bytes are stored
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from ..stores.base import ObjectId, ObjectStat

_MARKED = re.compile(r"(.*)~(\.[gG][zZ])(?::([0-9]+))?", re.DOTALL)


class Stored(NamedTuple):
    """What is behind a shown object.

    Attributes:
        id: of the object that is stored; its size is known.
        measured: whether the shown size is that of the inflated bytes.
    """

    id: ObjectId
    measured: bool


def view_source(source: str, names: tuple[str, ...]) -> str:
    """The identity of the view of these names on a store."""
    return f"{source}#view={','.join(sorted(names))}"


def listed(stat: ObjectStat, source: str, shown: str, suffix: str) -> ObjectStat:
    """A stored object as a listing of the view shows it; `suffix` ("" for none) is what its name loses."""
    id = stat.id
    etag = f"{id.etag}~{suffix}" if suffix else id.etag
    return stat._replace(id=id._replace(source=source, key=shown, etag=etag))


def measured(stat: ObjectStat, size: int) -> ObjectStat:
    """A listed object with the number of bytes that it inflates to."""
    return stat._replace(id=stat.id._replace(etag=f"{stat.id.etag}:{stat.size}", size=size), size=size)


def stored(id: ObjectId, source: str, size: int = -1) -> Stored | None:
    """What is behind an object of the view; None for one that it leaves as it is.

    Args:
        source: the store's identity.
        size: of a listed object.
    """
    found = _MARKED.fullmatch(id.etag) if "~." in id.etag else None
    if found is None:
        return None
    etag, suffix, stored_size = found.groups()
    known = int(stored_size) if stored_size else id.size if size < 0 else size
    return Stored(ObjectId(source, id.key + suffix, etag, id.version, known), stored_size is not None)


def digest(id: ObjectId) -> bytes:
    """16 bytes that name a stored version."""
    return hashlib.blake2b(repr(tuple(id)).encode("utf-8", "surrogatepass"), digest_size=16).digest()
