"""The S3 server of the soak's world, with its faults.

    python -m tests.soak.server WORLD RATE SEED KEY_PERIOD

WORLD is JSON (`world.World`), RATE the part of the requests that go wrong. With KEY_PERIOD > 0 signed requests are
accepted with the access keys `K<n>` of the current period (seconds) and the one before only, unsigned ones not at all.
Prints its port and that of its control, and ends when stdin closes. Control: PUT {"rate": r} sets the rate; GET gives
{"requests", "faults", "gets": [[key, start, stop], ...]} since the last GET.
"""

from __future__ import annotations

import bisect
import email.utils
import json
import re
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

from .faults import FaultPlan
from .world import BUCKET, MOST, World, content

PAGE = 1000
STALL_S = (0.2, 1.5)
HANG_S = 30.0
PORTAL = b"<html><body>Sign in to the campus network</body></html>"


class State:
    world: World
    faults: FaultPlan
    key_period = 0
    requests = 0
    gets: list[tuple[str, int, int]] = []  # noqa: RUF012 - the process's only one
    lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        State.requests += 1
        if bucket != BUCKET:
            return self._refuse(404, "NoSuchBucket")
        names = not key or self.command == "HEAD"
        fault = State.faults.choose(names)
        if not self._is_key_current():
            return self._refuse(403, "ExpiredToken")
        if self._is_refused(fault):
            return None
        if not key:
            return self._list({k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}, fault)
        return self._object(key, fault)

    def _is_refused(self, fault: str) -> bool:
        """Whether the fault is one that needs no object; it is answered so then."""
        if fault in ("stall", "hang"):
            time.sleep(State.faults.between(*STALL_S) if fault == "stall" else HANG_S)
        if fault == "hang" or fault == "reset":
            self._cut()
        elif fault == "status":
            self._refuse(
                *((500, "InternalError"), (502, "BadGateway"), (503, "ServiceUnavailable"))[State.requests % 3]
            )
        elif fault == "slowdown":
            self._refuse(503, "SlowDown")
        elif fault == "expired":
            self._refuse(403, "ExpiredToken")
        elif fault == "html":
            self._send(200, {"Content-Type": "text/html"}, PORTAL)
        else:
            return False
        return True

    def _is_key_current(self) -> bool:
        if not State.key_period:
            return True
        signed = re.search(r"Credential=K(\d+)/", self.headers.get("Authorization", ""))
        return signed is not None and 0 <= int(time.time()) // State.key_period - int(signed[1]) <= 1

    def _object(self, key: str, fault: str) -> None:
        world = State.world
        at = bisect.bisect_left(world.keys, key)
        if at == len(world.keys) or world.keys[at] != key:
            return self._refuse(404, "NoSuchKey")
        version = world.version(key)
        size, etag = world.size(key, version), world.etag(key, version)
        when = email.utils.formatdate(world.modified(key, version), usegmt=True)
        fields = {"ETag": etag, "Last-Modified": when, "Content-Type": "binary/octet-stream"}
        if self.headers.get("If-Match", etag) != etag:
            return self._refuse(412, "PreconditionFailed")
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if self.command == "HEAD":
            return self._send(200, fields, b"", length=size)
        start, stop = (int(asked[1]), min(int(asked[2]) + 1, size)) if asked else (0, size)
        if start >= size:
            return self._refuse(416, "InvalidRange")
        with State.lock:
            State.gets.append((key, start, stop))
        if fault in ("shift", "mislabel") and stop < size:
            start, stop = start + 1, stop + 1
        elif fault == "truncate":
            stop = start + max(1, (stop - start) // 2)
        elif fault == "long":
            stop = min(size, stop + 777)
        elif fault == "whole":
            start, stop = 0, min(size, MOST)
        if fault != "mislabel":
            fields["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        body = content(key, version, start, stop)
        if fault == "whole":
            del fields["Content-Range"]
            return self._send(200, fields, body)
        if fault in ("short", "reset-body"):
            self._send(206, fields, body[: len(body) // 2], length=len(body))
            return self._cut(reset=fault == "reset-body")
        return self._send(206, fields, body)

    def _list(self, query: dict[str, str], fault: str) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        most, keys = min(PAGE, int(query.get("max-keys", PAGE))), State.world.keys
        token = query.get("continuation-token", "")
        after = query.get("start-after", "")
        at = (
            int(token)
            if token
            else max(bisect.bisect_left(keys, prefix), bisect.bisect_right(keys, after) if after else 0)
        )
        if fault == "repeat" and token:
            at = max(bisect.bisect_left(keys, prefix), at - most)
        rows: list[str] = []
        while at < len(keys) and keys[at].startswith(prefix) and len(rows) < most:
            key = keys[at]
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                common = key[: cut + 1]
                if common > after:
                    rows.append(f"<CommonPrefixes><Prefix>{quote(common)}</Prefix></CommonPrefixes>")
                at = bisect.bisect_left(keys, common[:-1] + chr(ord(delimiter) + 1))
                continue
            rows.append(_row(State.world, key))
            at += 1
        more = at < len(keys) and keys[at].startswith(prefix)
        token_row = f"<NextContinuationToken>{at}</NextContinuationToken>" if more else ""
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>{BUCKET}</Name>'
            f"<Prefix>{quote(prefix)}</Prefix><MaxKeys>{most}</MaxKeys><KeyCount>{len(rows)}</KeyCount><EncodingType>url</EncodingType>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token_row}{''.join(rows)}</ListBucketResult>"
        ).encode()
        self._send(200, {"Content-Type": "application/xml"}, body[: len(body) // 2] if fault == "cut-xml" else body)

    def _refuse(self, status: int, code: str) -> None:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self._send(status, {"Content-Type": "application/xml"}, body)

    def _send(self, status: int, fields: dict[str, str], body: bytes | memoryview, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _cut(self, reset: bool = True) -> None:
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def _row(world: World, key: str) -> str:
    version = world.version(key)
    when = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(world.modified(key, version)))
    etag = world.etag(key, version).replace('"', "&quot;")
    return (
        f"<Contents><Key>{quote(key)}</Key><LastModified>{when}</LastModified><ETag>{etag}</ETag>"
        f"<Size>{world.size(key, version)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


class Control(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        State.faults.rate = float(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rate"])
        self._say(b"")

    def do_GET(self) -> None:
        with State.lock:
            gets, State.gets = State.gets, []
        self._say(json.dumps({"requests": State.requests, "faults": State.faults.made, "gets": gets}).encode())

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    disable_nagle_algorithm = True
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        pass  # a client that went away


def main(world: str, rate: str, seed: str, key_period: str) -> None:
    State.world, State.key_period = World.from_json(world), int(key_period)
    State.faults = FaultPlan(float(rate), int(seed))
    servers = [Server(("127.0.0.1", 0), handler) for handler in (Handler, Control)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(*(server.server_address[1] for server in servers), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
