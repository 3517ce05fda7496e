"""An S3 server that answers anything, to see how it is asked."""

from __future__ import annotations

from collections.abc import Callable

from mountnd.stores.base import ObjectId
from mountnd.stores.s3 import S3Store

from ..support.servers import Answer
from .reading import read, soon

ETAG = '"t"'
EMPTY = b"<ListBucketResult></ListBucketResult>"
LIST = Answer(200, {"Content-Length": str(len(EMPTY))}, EMPTY)
BYTE = Answer(
    206,
    {
        "Content-Range": "bytes 0-0/5",
        "Content-Length": "1",
        "ETag": ETAG,
        "Last-Modified": "Mon, 12 Oct 2009 17:50:00 GMT",
    },
    b"x",
)
HEAD = Answer(200, {"Content-Length": "5", "ETag": ETAG, "Last-Modified": "Mon, 12 Oct 2009 17:50:00 GMT"})
ALL = {"HEAD /bkt/k": HEAD, "GET /bkt/k": BYTE, "GET /bkt/odd//k": BYTE, "GET *": LIST}

Asked = list[tuple[str, str, dict[str, str]]]


def ask_all(store: S3Store) -> None:
    """One of each request: LIST, HEAD, and bytes of an ordinary and of an odd key."""
    store.list_page("", deadline=soon())
    store.head("k", deadline=soon())
    read(store, ObjectId(store.source, "k", ETAG), 0, 1)
    read(store, ObjectId(store.source, "odd//k", ETAG), 0, 1)
    store.close()


Make = Callable[..., S3Store]


def scopes(asked: Asked) -> set[str]:
    """Who signed for where: `key/region` of each Authorization header, "" for an unsigned request."""
    found = set()
    for _, _, headers in asked:
        credential = headers.get("authorization", "").partition("Credential=")[2].split("/")
        found.add("/".join((credential[0], credential[2])) if len(credential) > 2 else "")
    return found
