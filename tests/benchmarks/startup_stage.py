"""Where starts are measured: a small server of our own that answers at once, on loopback or behind the delay line.

As a program (`python -m tests.benchmarks.startup_stage HOST PORT [CERTIFICATE KEY]`) it is the server: an S3 bucket of
any name, and a web server's directory below `/files/`. It needs no data and no nginx. `GET /-/seen` tells how many
connections and requests there were.
"""

from __future__ import annotations

import email.utils
import http.server
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request

from .place import REPOSITORY, WORK
from .world import World, sh

KEYS = [f"file_{i:02d}.json" for i in range(20)]
SIZE, MTIME = 4096, 1_700_000_000
DATE = email.utils.formatdate(MTIME, usegmt=True)
ETAG = '"9a0364b9e99bb480dd25e1f0284c8555"'

LISTING = (
    "<ListBucketResult><IsTruncated>false</IsTruncated>"
    + "".join(
        f"<Contents><Key>{key}</Key><LastModified>2023-11-14T22:13:20.000Z</LastModified>"
        f"<ETag>&quot;{ETAG[1:-1]}&quot;</ETag><Size>{SIZE}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key in KEYS
    )
    + "<CommonPrefixes><Prefix>sub-01/</Prefix></CommonPrefixes></ListBucketResult>"
).encode()
INDEX = ("<html><body>" + "".join(f'<a href="{key}">{key}</a>\n' for key in KEYS) + "</body></html>").encode()


class Stage(World):
    """The server with its network; `env` makes clients trust it beside the system's authorities, as with S3."""

    def __init__(self, *, rtt: float | None, port: int, tls: bool) -> None:
        super().__init__(rtt=rtt, conn_mb=0, port=port, tls=tls)
        self.run = WORK / f"stage-{port}"
        self.ca = self.run / "ca.pem" if tls else None

    @property
    def env(self) -> dict[str, str]:
        return {"REQUESTS_CA_BUNDLE": str(self.ca)} if self.ca else {}

    def mark(self) -> None:
        self.seen()

    def seen(self) -> dict[str, int]:
        """Connections and requests since the last time."""
        fetch = (
            "import ssl, sys, urllib.request as r;"
            "print(r.urlopen(sys.argv[1], timeout=9, context=ssl._create_unverified_context()).read().decode())"
        )
        if not self.client:
            context = ssl._create_unverified_context()  # an authority of a minute ago
            with urllib.request.urlopen(f"{self.url}/-/seen", timeout=9, context=context) as answer:
                return dict(json.load(answer))
        return dict(json.loads(sh(*self.client, sys.executable, "-c", fetch, f"{self.url}/-/seen").stdout))

    def _serve(self) -> None:
        files: list[str] = []
        if self.ca:
            self._certificates()
            files = [str(self.run / "leaf.pem"), str(self.run / "key.pem")]
        inside = [] if self.rtt is None else ["nsenter", f"--net=/run/netns/{self.server_ns}"]
        argv = [*inside, sys.executable, "-m", __name__, self.host, str(self.port), *files]
        self.processes.append(subprocess.Popen(argv, cwd=REPOSITORY, text=True))
        for _ in range(100):
            try:
                self.seen()
                return
            except (OSError, subprocess.CalledProcessError):
                time.sleep(0.1)
        raise RuntimeError("the server of the start-up benchmark does not answer")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    connections = requests = 0

    def handle(self) -> None:
        _Handler.connections += 1
        try:
            super().handle()
        except (OSError, ssl.SSLError):
            pass  # the mount has ended

    def answer(self) -> None:
        if self.path == "/-/seen":
            seen = {"connections": _Handler.connections - 1, "requests": _Handler.requests}
            _Handler.connections = _Handler.requests = 0
            return self.say(200, json.dumps(seen).encode())
        _Handler.requests += 1
        path = self.path.partition("?")[0]
        if path.rpartition("/")[2] in KEYS:
            return self.say(206, b"x", {"Content-Range": f"bytes {SIZE - 1}-{SIZE - 1}/{SIZE}"}, SIZE)
        if path.startswith("/files/"):
            return self.say(200, INDEX, {"Content-Type": "text/html"})
        return self.say(200, LISTING, {"x-amz-bucket-region": "us-east-1", "Content-Type": "application/xml"})

    def say(self, status: int, body: bytes, headers: dict[str, str] | None = None, whole: int | None = None) -> None:
        head = self.command == "HEAD"
        self.send_response_only(200 if head else status)
        for name, value in {"ETag": ETAG, "Last-Modified": DATE, "Accept-Ranges": "bytes", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(whole if head and whole is not None else len(body)))
        self.end_headers()
        if not head:
            self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_HEAD = answer

    def log_message(self, *args: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    context: ssl.SSLContext | None = None

    def finish_request(self, request: object, client_address: object) -> None:
        if self.context is not None:  # on the connection's own thread: a handshake takes round trips
            request = self.context.wrap_socket(request, server_side=True)  # type: ignore[arg-type]
        super().finish_request(request, client_address)  # type: ignore[arg-type]

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a handshake that was given up


def main(host: str, port: str, *files: str) -> None:
    server = _Server((host, int(port)), _Handler)
    if files:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(*files)
    os.nice(-5) if os.geteuid() == 0 else None
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
