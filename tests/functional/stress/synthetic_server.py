"""An S3 server of many large files that nobody has to store: any byte follows from its key and place.

    python -m tests.functional.stress.synthetic_server COUNT SIZE

Bucket `synthetic` has COUNT files of SIZE bytes. Answers listings, HEAD and ranged GETs, unsigned; and at SENT with how
many bytes of files it has sent. Prints its port on one line and ends when stdin closes.
"""

from __future__ import annotations

import random
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUCKET = "synthetic"
# Odd and no multiple of anything that readers or caches step by, so that no two blocks of a file look alike.
PERIOD = 1_048_573
MOST = 9 << 20  # bytes of one answer
SENT = "/__sent"
ETAG, MODIFIED = '"s"', "Sun, 13 Sep 2020 12:26:40 GMT"

_period = random.Random("synthetic").randbytes(PERIOD)
_SLAB = memoryview(_period * (MOST // PERIOD + 2))


def name(number: int) -> str:
    return f"volume-{number:04d}.nii"


def body(number: int, start: int, stop: int) -> memoryview:
    """Bytes `[start, stop)` of file `number`, at most MOST."""
    at = (start + number * 7919) % PERIOD
    return _SLAB[at : at + stop - start]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = size = sent = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        if self.path == SENT:
            self._answer(200, str(Handler.sent).encode(), {})
            return
        path = self.path.partition("?")[0].strip("/")
        if path == BUCKET:
            self._answer(200, self._listing(), {"Content-Type": "application/xml"})
            return
        number = int(path.rpartition("-")[2].removesuffix(".nii"))
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1, self.size)
        where = f"bytes {start}-{stop - 1}/{self.size}"
        self._answer(206, body(number, start, stop), {"Content-Range": where, "ETag": ETAG, "Last-Modified": MODIFIED})
        with self.lock:
            Handler.sent += stop - start

    def do_HEAD(self) -> None:
        known = "/volume-" in self.path
        headers = {"ETag": ETAG, "Last-Modified": MODIFIED} if known else {}
        self._answer(200 if known else 404, b"", headers, length=self.size if known else 0)

    def _listing(self) -> bytes:
        rows = (
            f"<Contents><Key>{name(i)}</Key><LastModified>2020-09-13T12:26:40.000Z</LastModified><ETag>&quot;s&quot;"
            f"</ETag><Size>{self.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for i in range(self.count)
        )
        return (
            f"<ListBucketResult><Name>{BUCKET}</Name><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
            f"{''.join(rows)}</ListBucketResult>"
        ).encode()

    def _answer(
        self, status: int, content: bytes | memoryview, headers: dict[str, str], length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    disable_nagle_algorithm = True
    request_queue_size = 128


def main(count: str, size: str) -> None:
    Handler.count, Handler.size = int(count), int(size)
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
