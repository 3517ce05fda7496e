"""Digests in the names of git-annex keys: `MD5E-s1234--d41d8c....nii.gz`. Pure.

Source: git-annex.branchable.com/internals/key_format and .../backends. A key names content; where an object is called
by its key (`.git/annex/objects`, special remotes of any kind), its name says what it must hold. Keys of chunks (`-S`,
`-C`), of encrypted content (`GPGHMAC...`) and of backends that hash nothing (`WORM`, `URL`) say nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .digest import algorithm_of, value_of

_KEY = re.compile(r"([A-Z0-9_]+)((?:-[a-zA-Z][0-9]{1,19})*)--([0-9a-fA-F]+)(\.[^/]*)?")


class Key(NamedTuple):
    """What a key says: an algorithm of `digest.LENGTHS`, the value, and the size in bytes (None: not said)."""

    algorithm: str
    value: str
    size: int | None


def key_of(name: str) -> Key | None:
    """What a file's name says, if it is a key that tells a digest of the whole content."""
    found = _KEY.fullmatch(name)
    if found is None:
        return None
    backend, fields, text, extension = found.groups()
    if backend == "GIT":
        algorithm: str | None = "git-sha1" if len(text) == 40 else "git-sha256"
    else:
        plain = backend.removesuffix("E")  # of each backend there is one whose keys keep the extension
        if extension and plain == backend:
            return None
        algorithm = algorithm_of(plain)
    if algorithm is None or any(field[:1] in "SC" for field in fields.split("-")[1:]):
        return None
    value = value_of(algorithm, text)
    sizes = [int(field[1:]) for field in fields.split("-")[1:] if field[:1] == "s"]
    return Key(algorithm, value, sizes[0] if sizes else None) if value is not None else None
