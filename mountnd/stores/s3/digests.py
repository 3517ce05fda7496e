"""What the headers of an object say of its content. Pure."""

from __future__ import annotations

from http.client import HTTPMessage
from urllib.parse import urlsplit

from ...checks import headers
from ...checks.digest import Told
from ..base import ObjectId
from ..facts import size_of
from ..http.etags import is_strong, normalised, told

# Asks a HEAD for them.
ASKING = dict([headers.MODE])


def digests_in(said: HTTPMessage, id: ObjectId, *, by_etag: bool, md5s: bool | None) -> Told:
    """What one HEAD says of the version `id`; nothing where its headers are of another one.

    Args:
        by_etag: whether the ETag of `id` tells versions apart.
        md5s: whether this server's ETags are known to be MD5s, of objects whose headers say nothing else.
    """
    if id.size not in (-1, size_of(said.get("content-length"))):
        return Told(requests=1)
    etag = normalised(told(said.get("etag")))
    if by_etag and is_strong(etag) and etag != id.etag:
        return Told(requests=1)
    return Told(headers.checksums(said), md5s if headers.etag_may_be_md5(said) else False, requests=1)


def etags_are_md5s(endpoint: str, *, directory_bucket: bool, seen: bool) -> bool | None:
    """Whether ETags that look like MD5s are those of the content: Amazon's are, but in directory buckets
    (docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html); others' where one was `seen` to be; None: not known."""
    if directory_bucket:
        return False
    host = urlsplit(endpoint).hostname or ""
    return True if seen or host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else None
