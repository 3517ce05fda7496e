"""Digests of a whole object in the headers of an answer. Pure.

`x-amz-checksum-*` as S3 gives them where they were asked for (docs.aws.amazon.com/AmazonS3/latest/userguide/
checking-object-integrity.html): those of an upload in parts may be of the parts' checksums (COMPOSITE, or `VALUE-N`),
which say nothing of the whole. Servers leave both marks out: where the ETag is that of an upload in parts, only
FULL_OBJECT, and CRC64NVME, which is never of parts, are of the whole for certain. `x-goog-hash` is Google's
(cloud.google.com/storage/docs/xml-api/reference-headers).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from .digest import Digest, algorithm_of, value_of

CHECKSUMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256", "sha512", "md5", "xxhash64", "xxhash3", "xxhash128")
# Asks for them.
MODE = ("x-amz-checksum-mode", "ENABLED")

_OF_PARTS = re.compile(r".*-[0-9]+")
# An ETag of an upload in parts, however it is written.
_ETAG_OF_PARTS = re.compile(r'.*-[0-9]+"?\s*')
# Encryptions under which an ETag is not the MD5 of what is read.
_OTHER_ETAGS = ("aws:kms", "aws:kms:dsse", "aws:fsx")


class Headers(Protocol):
    """What headers are looked up in, by names in any case."""

    def get(self, name: str, /) -> str | None: ...


def checksums(headers: Headers, kind: str = "checksum") -> tuple[Digest, ...]:
    """What the headers say of the whole object."""
    return tuple(_checksums(headers, kind))


def _checksums(headers: Headers, kind: str) -> Iterator[Digest]:
    kind_of = (headers.get("x-amz-checksum-type") or "").strip().upper()
    in_parts = kind_of != "FULL_OBJECT" and _ETAG_OF_PARTS.fullmatch(headers.get("etag") or "") is not None
    for name in () if kind_of == "COMPOSITE" else ("crc64nvme",) if in_parts else CHECKSUMS:
        header = f"x-amz-checksum-{name}"
        text, algorithm = (headers.get(header) or "").strip(), algorithm_of(name)
        if not text or _OF_PARTS.fullmatch(text) or algorithm is None:
            continue
        if (value := value_of(algorithm, text)) is not None:
            yield Digest(kind, algorithm, value, header)
    for part in (headers.get("x-goog-hash") or "").split(","):
        name, _, text = part.strip().partition("=")
        if name in ("md5", "crc32c") and (value := value_of(name, text)) is not None:
            yield Digest(kind, name, value, "x-goog-hash")


def etag_may_be_md5(headers: Headers) -> bool:
    """Whether nothing in the headers says that the ETag is another one: S3's are MD5s but for keys of KMS, or of the
    customer (docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html)."""
    encryption = (headers.get("x-amz-server-side-encryption") or "").strip().lower()
    return encryption not in _OTHER_ETAGS and not headers.get("x-amz-server-side-encryption-customer-algorithm")
