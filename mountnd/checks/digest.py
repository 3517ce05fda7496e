"""A digest of an object's content, as all kinds of evidence are written down. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import NamedTuple

# Bytes of each digest. (BLAKE2 may be of other lengths: `blake2b-256`.)
LENGTHS: Mapping[str, int] = {
    "md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64,
    "sha3-224": 28, "sha3-256": 32, "sha3-384": 48, "sha3-512": 64,
    "blake2b": 64, "blake2b-160": 20, "blake2b-224": 28, "blake2b-256": 32, "blake2b-384": 48, "blake2s": 32,
    "blake2s-160": 20, "blake2s-224": 28,
    "git-sha1": 20, "git-sha256": 32,
    "crc32": 4, "crc32c": 4, "crc64nvme": 8, "xxh64": 8, "xxh3": 8, "xxh128": 16,
}  # fmt: skip
# What is computed from the digests of parts, and ends in how many there are.
PARTED = "dandi-etag"

_HEX = re.compile(r"[0-9A-Fa-f]+")
_PARTED = re.compile(r"[0-9A-Fa-f]{32}-[0-9]{1,5}")
# Other ways to write names, without "-" and "_", in lower case.
_NAMES = {name.replace("-", ""): name for name in LENGTHS} | {
    "blake2b512": "blake2b", "blake2s256": "blake2s", "blake2b160": "blake2b-160", "xxhash64": "xxh64",
    "xxhash3": "xxh3", "xxh364": "xxh3", "xxhash128": "xxh128", "xxh3128": "xxh128", "dandietag": PARTED,
}  # fmt: skip


class Digest(NamedTuple):
    """What the content of an object must be.

    Attributes:
        kind: of evidence, as `kinds.KINDS` names it.
        algorithm: a key of `LENGTHS`, or `PARTED`.
        value: hexadecimal, in lower case.
        by: who says so, for a person: "sha256sums, line 3".
    """

    kind: str
    algorithm: str
    value: str
    by: str = ""


class Told(NamedTuple):
    """What a store can say of an object's content beside its ETag.

    Attributes:
        digests: of the whole object.
        etag_is_md5: whether an ETag that looks like the MD5 of the content is that; None where nobody knows.
        requests: how many it took to know.
    """

    digests: tuple[Digest, ...] = ()
    etag_is_md5: bool | None = None
    requests: int = 0


NOTHING_TOLD = Told()


def algorithm_of(name: str) -> str | None:
    """An algorithm by one of its names ("SHA-256", "sha2-256", "BLAKE2b"); None for one that is not known."""
    plain = re.sub(r"[-_ ]", "", name.lower())
    if plain.startswith("sha2") and plain[3:] in ("2224", "2256", "2384", "2512"):  # "sha2-256"
        plain = "sha" + plain[4:]
    return _NAMES.get(plain)


def value_of(algorithm: str, text: str) -> str | None:
    """The value of a digest from how it is written: hexadecimal in any case, or base64. None for what is neither."""
    text = text.strip()
    if algorithm == PARTED:
        return text.lower() if _PARTED.fullmatch(text) else None
    length = LENGTHS[algorithm]
    if len(text) == 2 * length and _HEX.fullmatch(text):
        return text.lower()
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return raw.hex() if len(raw) == length else None


def parsed(kind: str, text: str, by: str = "") -> Digest | None:
    """A digest written `ALGORITHM:VALUE`; None for one of an algorithm that is not known, or that cannot be one."""
    name, _, value = text.rpartition(":")
    algorithm = algorithm_of(name.removeprefix("dandi:"))
    found = value_of(algorithm, value) if algorithm is not None else None
    return Digest(kind, algorithm, found, by) if algorithm is not None and found is not None else None
