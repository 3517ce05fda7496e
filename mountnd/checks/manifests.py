"""Checksum files in a tree: `sha256sums`, `md5sum.txt`, `CHECKSUMS`, `file.nii.gz.md5`, BagIt's manifests. Pure.

Lines are those of GNU's md5sum and sha256sum (digest, " " or "*", name), escaped where they begin with "\\" (coreutils
manual, "md5sum invocation"), those that BSD writes and `--tag` (`SHA256 (name) = digest`), and a digest alone in a file
that is called as another one with the algorithm behind it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from .digest import LENGTHS, algorithm_of, value_of

# Longer ones are not read: 2,000,000 lines have some 300 MB.
LONGEST = 512 << 20

_ALGORITHM = r"(?:md5|sha-?(?:1|224|256|384|512)|sha3-?(?:224|256|384|512)|b2|blake2b?)"
# Names of checksum files, and the algorithm that they name.
_NAME = re.compile(
    rf"\.?(?:(?:(?:.+[-_.])?(?P<sums>{_ALGORITHM})[-_.]?sums?|checksums?(?:[-_.](?P<of>{_ALGORITHM}))?)(?:\.txt)?"
    rf"|(?:tag)?manifest-(?P<bag>{_ALGORITHM})\.txt|(?P<stem>.+)\.(?P<end>{_ALGORITHM})(?:\.txt)?)",
    re.IGNORECASE | re.DOTALL,
)
# By the digest's length where nothing names it. (BLAKE2b has SHA-512's: only a name tells it.)
_BY_LENGTH = {2 * LENGTHS[name]: name for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")}
_GNU = re.compile(r"(?P<escaped>\\?)(?P<digest>[0-9A-Fa-f]{32,128})(?: [ *]|[ \t]+)(?P<name>.+)", re.DOTALL)
_BSD = re.compile(
    r"(?P<escaped>\\?)(?P<algorithm>[A-Za-z][A-Za-z0-9-]*) ?\((?P<name>.+)\) ?= ?(?P<digest>[0-9A-Za-z+/=]+)", re.DOTALL
)
_ALONE = re.compile(r"[0-9A-Fa-f]{32,128}")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


class Line(NamedTuple):
    """What a manifest says of one file.

    Attributes:
        path: from the root of the tree.
        algorithm, value: as in `digest.Digest`.
        number: of the line, from 1 on.
    """

    path: str
    algorithm: str
    value: str
    number: int


class Odd(NamedTuple):
    """A line that cannot be used, and why."""

    number: int
    why: str


class Named(NamedTuple):
    """What the name of a checksum file says.

    Attributes:
        algorithm: None: the digests' lengths tell it.
        stem: the name of the one file that it is of, if it is called after that; else "".
    """

    algorithm: str | None
    stem: str


def named(name: str) -> Named | None:
    """Whether a file of this name is a checksum file."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    algorithm = found["sums"] or found["of"] or found["bag"] or found["end"]
    plain = (algorithm or "").lower()
    known = algorithm_of({"b2": "blake2b", "blake2": "blake2b"}.get(plain, plain)) if algorithm else None
    return Named(known, found["stem"] or "")


def lines_of(data: bytes, directory: str, about: Named) -> Iterator[Line | Odd]:
    """The lines of a checksum file in `directory` ("" for the root, no slash at its end). Comments are left out."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # Windows' PowerShell writes it so
        text = data.decode("utf-16", "replace")
    else:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    rows = text.split("\n")
    only = sum(1 for row in rows if row.strip()) == 1
    signed = False
    for number, row in enumerate(rows, 1):
        row = row.removesuffix("\r")
        if row.startswith("-----BEGIN PGP SIGNED"):
            signed = True
        if row.startswith("-----BEGIN PGP SIGNATURE"):
            return
        if not row.strip() or row.startswith(("#", ";", "-----")) or (signed and row.startswith("Hash: ")):
            continue
        yield _line(row, number, directory, about, only=only)


def _line(row: str, number: int, directory: str, about: Named, *, only: bool) -> Line | Odd:
    algorithm: str | None
    if (found := _BSD.fullmatch(row)) is not None:
        algorithm, name, digest = algorithm_of(found["algorithm"]), found["name"], found["digest"]
        if algorithm is None:
            return Odd(number, f"{found['algorithm']} is not known here")
    elif (found := _GNU.fullmatch(row)) is not None:
        name, digest = found["name"], found["digest"]
        algorithm = _fitting(digest, about)
    elif about.stem and _ALONE.fullmatch(row.strip()):
        found, name, digest = None, about.stem, row.strip()
        algorithm = _fitting(digest, about)
    else:
        return Odd(number, "it is not a line of md5sum, sha256sum or the like")
    value = value_of(algorithm, digest) if algorithm is not None else None
    if algorithm is None or value is None:
        return Odd(number, "its digest has not the length of one")
    if found is not None and found["escaped"]:
        name = re.sub(r"\\[\\nr]", lambda escape: _ESCAPES[escape[0]], name)
    if only and about.stem and posixpath.basename(name.replace("\\", "/")) == about.stem:
        name = about.stem  # where it was, when it was made
    path = posixpath.normpath(posixpath.join(directory, name))
    if name.startswith("/") or path == ".." or path.startswith("../"):
        return Odd(number, f"{name!r} does not lie in this tree")
    return Line(path, algorithm, value, number)


def _fitting(digest: str, about: Named) -> str | None:
    """The algorithm of a digest of this length: the one that the file's name tells, if it can be."""
    if about.algorithm is not None and len(digest) == 2 * LENGTHS[about.algorithm]:
        return about.algorithm
    if about.algorithm == "blake2b" and f"blake2b-{4 * len(digest)}" in LENGTHS:  # b2sum --length
        return f"blake2b-{4 * len(digest)}"
    return _BY_LENGTH.get(len(digest))
