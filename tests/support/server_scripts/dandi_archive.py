"""A DANDI archive over a directory: its API (one dandiset, 000026) and its bucket, whose objects are named by content.

argv: the directory, the latest published version ("" for none). Prints its port; `/log` gives the requests so far as
JSON. A file whose name ends in ".zarr" is a Zarr, one that holds "embargoed" is refused in the bucket, and of one that
holds "damaged" the bucket gives another last byte. It ends when its stdin closes.
"""

import hashlib
import http.server
import json
import sys
import threading
import urllib.parse
from pathlib import Path

root, published = Path(sys.argv[1]), sys.argv[2]
log = []


def blob_of(path):
    name = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"/zarr/{name}/" if path.suffix == ".zarr" else f"/blobs/{name[:3]}/{name[3:6]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        split = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(split.query))
        if split.path == "/log":
            return self.say(200, json.dumps(log).encode())
        log.append(self.path)
        if split.path == "/api/dandisets/000026/":
            version = {"version": published} if published else None
            return self.say(200, json.dumps({"most_recent_published_version": version}).encode())
        for version in ("draft", published or "draft"):
            if split.path == f"/api/dandisets/000026/versions/{version}/assets/paths/":
                return self.paths(query)
            if split.path == f"/api/dandisets/000026/versions/{version}/assets/":
                return self.assets(query)
        return self.blob(split.path)

    def paths(self, query):
        top = root / query.get("path_prefix", "")
        if not top.exists():
            return self.say(404, b"{}")
        rows = sorted(top.iterdir(), key=lambda p: p.name.encode()) if top.is_dir() else []
        page, size = int(query.get("page", 1)), int(query.get("page_size", 100))
        found = [self.row(path) for path in rows[(page - 1) * size : page * size]]
        following = "http://127.0.0.1/next" if page * size < len(rows) else None
        return self.say(200, json.dumps({"count": len(rows), "next": following, "results": found}).encode())

    def assets(self, query):
        """As the archive has it: `path` is the beginning of a path in any case."""
        files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        wanted = [path for path in files if path.lower().startswith(query.get("path", "").lower())]
        rows = [self.asset(root / path) for path in wanted[: int(query.get("page_size", 100))]]
        if query.get("metadata") != "true":
            rows = [{name: row[name] for name in row if name != "metadata"} for row in rows]
        return self.say(200, json.dumps({"count": len(wanted), "next": None, "results": rows}).encode())

    def asset(self, path):
        data = path.read_bytes()
        etag = hashlib.md5(hashlib.md5(data).digest()).hexdigest() + "-1"
        url = f"http://127.0.0.1:{self.server.server_port}{blob_of(path)}"
        digests = {"dandi:dandi-etag": etag, "dandi:sha2-256": hashlib.sha256(data).hexdigest()}
        metadata = {"digest": digests, "contentUrl": [f"{url}/api/assets/0/download/", url]}
        return {"asset_id": "0", "path": str(path.relative_to(root)), "size": len(data), "metadata": metadata}

    def row(self, path):
        below = str(path.relative_to(root))
        if path.is_dir():
            return {"path": below, "aggregate_files": 1, "aggregate_size": 1, "asset": None}
        url = f"http://127.0.0.1:{self.server.server_port}{blob_of(path)}"
        return {"path": below, "aggregate_files": 1, "aggregate_size": path.stat().st_size,
                "asset": {"asset_id": "0", "url": url}}  # fmt: skip

    def blob(self, where):
        for path in root.rglob("*"):
            if path.is_file() and blob_of(path) == where:
                body = path.read_bytes()
                if b"embargoed" in body:
                    return self.say(403, b"<Error><Code>AccessDenied</Code></Error>")
                if b"damaged" in body:
                    body = body[:-1] + bytes([body[-1] ^ 1])
                asked = self.headers.get("Range", "").removeprefix("bytes=").split("-")
                if len(asked) != 2:
                    return self.say(200, body)
                start, stop = int(asked[0]), min(int(asked[1]) + 1, len(body))
                return self.say(206, body[start:stop], f"bytes {start}-{stop - 1}/{len(body)}")
        return self.say(404, b"")

    def say(self, status, body, content_range=None):
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
