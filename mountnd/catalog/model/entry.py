"""One name in the tree, as the rest of mountnd sees it."""

from __future__ import annotations

from typing import NamedTuple

from ...stores.base import ObjectStat


class Entry(NamedTuple):
    """One name.

    Args:
        name: one path component as the kernel shall see it: its bytes, 1 to 255, no "/", no NUL.
        key: a file's object key; a directory's key prefix, ending in "/" (the top: the store's root).
        is_dir: whether it is a directory.
        stat: a file's stat; for a directory that of its marker (the key equal to its prefix) where
            one is known, else None.
    """

    name: bytes
    key: str
    is_dir: bool
    stat: ObjectStat | None
