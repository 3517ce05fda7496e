"""An S3 server of buckets too large to hold: ListObjectsV2 and HEAD, unsigned, computed from a key's position.

    python -m tests.model.computed_bucket_server

Bucket `studies-N` has N keys in studies, subjects and sessions; `flat-N` has N in one directory
`image/`. Prints its port on one line and ends when stdin closes.
"""

from __future__ import annotations

import sys
import threading
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

from mountnd.errors import NotFound
from mountnd.stores.base import Deadline
from tests.unit.catalog.computed_bucket import ComputedBucket, one_directory, studies

_KINDS = {"studies": studies, "flat": one_directory}


@lru_cache
def bucket(name: str) -> ComputedBucket:
    """The bucket called so. Raises KeyError or ValueError when there is none."""
    kind, _, count = name.rpartition("-")
    return _KINDS[kind](int(count))


def listing(name: str, query: dict[str, list[str]]) -> str:
    """The answer to a ListObjectsV2."""
    get = {key: values[0] for key, values in query.items()}
    page = bucket(name).list_page(
        get.get("prefix", ""),
        delimiter=get.get("delimiter", ""),
        token=get.get("continuation-token"),
        start_after=get.get("start-after", ""),
        limit=min(int(get.get("max-keys", 1000)), 1000),
        deadline=Deadline(60),
    )
    parts = [
        f"<Contents><Key>{quote(stat.id.key)}</Key><LastModified>2020-09-13T12:26:40.000Z</LastModified>"
        f"<ETag>{stat.id.etag.replace(chr(34), '&quot;')}</ETag><Size>{stat.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for stat in page.objects
    ]
    parts += [f"<CommonPrefixes><Prefix>{quote(prefix)}</Prefix></CommonPrefixes>" for prefix in page.prefixes]
    if page.token is not None:
        parts.append(f"<NextContinuationToken>{page.token}</NextContinuationToken>")
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{name}</Name><Prefix>{quote(get.get('prefix', ''))}</Prefix><MaxKeys>1000</MaxKeys>"
        f"<KeyCount>{len(page.objects) + len(page.prefixes)}</KeyCount><EncodingType>url</EncodingType>"
        f"<IsTruncated>{'true' if page.token else 'false'}</IsTruncated>{''.join(parts)}</ListBucketResult>"
    )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        name, _, key = unquote(where.path).lstrip("/").partition("/")
        if key:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        self._answer(200, listing(name, parse_qs(where.query)).encode())

    def do_HEAD(self) -> None:
        name, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        try:
            stat = bucket(name).head(key, deadline=Deadline(60)) if key else None
        except NotFound:
            self._answer(404, b"")
            return
        headers = {"ETag": stat.id.etag, "Last-Modified": "Sun, 13 Sep 2020 12:26:40 GMT"} if stat else {}
        self._answer(200, b"", length=stat.size if stat else 0, **headers)

    def _answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    disable_nagle_algorithm = True


def serve(handler: type[BaseHTTPRequestHandler]) -> None:
    """Print a port, and answer there until standard input ends."""
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve(Handler)
