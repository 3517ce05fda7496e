"""What the id of a file in a snapshot says of its content: git-annex keys, and hashes of git blobs. Pure.

Keys: git-annex.branchable.com/internals/key_format and /backends: `MD5E-s1234--0cc1...a6.nii.gz`. What git itself holds
is `GIT--<hash>`, or the hash alone.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

# Backend without its final E (which keeps the extension in the name) -> how digests of it are called, and their digits.
_DIGESTS = {
    "MD5": ("md5", 32),
    "SHA1": ("sha1", 40),
    "SHA224": ("sha224", 56),
    "SHA256": ("sha256", 64),
    "SHA384": ("sha384", 96),
    "SHA512": ("sha512", 128),
}
_KEY = re.compile(r"(?P<backend>[A-Z][A-Z0-9_]*)(?P<fields>(?:-[a-zA-Z][0-9]*)*)--(?P<name>.+)", re.DOTALL)
_SIZE = re.compile(r"-s([0-9]{1,19})(?![0-9])")
# By git's own hash, or by that of repositories with longer ones.
_BLOBS = {40: "git-sha1", 64: "git-sha256"}

GIT = "git-sha1:"


class Content(NamedTuple):
    """What is known of a file's bytes: their number (None: not told) and digest, "ALGORITHM:HEX" ("": none known)."""

    size: int | None = None
    digest: str = ""


def content_of(id: str) -> Content:
    """What an id says; nothing for one of an unknown kind (a key by URL, by time, or of a rare algorithm)."""
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", id):
        return Content(None, f"{_BLOBS[len(id)]}:{id}")
    found = _KEY.fullmatch(id)
    if found is None:
        return Content()
    said = _SIZE.search(found["fields"])
    size = int(said[1]) if said else None
    backend, name = found["backend"], found["name"]
    if backend == "GIT":
        return Content(size, f"{_BLOBS[len(name)]}:{name}" if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) else "")
    known = _DIGESTS.get(backend) or _DIGESTS.get(backend.removesuffix("E"))
    if known is None:
        return Content(size)
    algorithm, digits = known
    digest = name[:digits].lower()
    # Behind it stands nothing, or the extension.
    fits = re.fullmatch(rf"[0-9a-f]{{{digits}}}", digest) and name[digits : digits + 1] in ("", ".")
    return Content(size, f"{algorithm}:{digest}" if fits else "")


def is_blob(digest: str, data: bytes) -> bool:
    """Whether `data` is the git blob of this digest (`git hash-object`)."""
    algorithm, _, expected = digest.partition(":")
    made = hashlib.new(algorithm.removeprefix("git-"), b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return made.hexdigest() == expected
