"""The file that stands for a link that cannot be used: its name and its text say so. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import Changed, LinkExpired, StoreError
from ..base import ObjectId, ObjectStat
from ..facts import UNKNOWN_MTIME_NS

# Longer names than this no file system takes, in bytes.
_NAME_MAX = 255


class Note(NamedTuple):
    """`why`: one line about the link. `text`: the file's."""

    name: str
    why: str
    text: bytes

    def stat(self, source: str) -> ObjectStat:
        """Its version is its text."""
        etag = f'"{hashlib.sha256(self.text).hexdigest()[:32]}"'
        size = len(self.text)
        return ObjectStat(ObjectId(source, self.name, etag, size=size), size, UNKNOWN_MTIME_NS)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview]) -> None:
        """Fill `views` from byte `start` on. Raises Changed where the text is another by now."""
        if id.etag != self.stat(id.source).id.etag:
            raise Changed(f"{id.key}: it says something else now")
        for view in views:
            view[:] = self.text[start : start + len(view)]
            start += len(view)


def note_about(name: str, error: StoreError, path: Path) -> Note:
    """The note in place of the link `name` of the file `path`: `NAME.expired.txt`, or `NAME.unavailable.txt`."""
    ended = isinstance(error, LinkExpired)
    suffix = ".expired.txt" if ended else ".unavailable.txt"
    stem = name.encode("utf-8", "surrogateescape")[: _NAME_MAX - len(suffix)].decode("utf-8", "ignore")
    todo = (
        f"Ask the data's owner for a new e-mail, and put its text into\n{path}\n"
        "A running mount shows what its links lead to after: mountnd refresh DIR\n"
    )
    text = f"{name} cannot be read:\n{error}\n\n{todo}"
    return Note(stem + suffix, str(error), text.encode("utf-8", "replace"))
