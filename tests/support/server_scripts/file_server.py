"""Serves a directory (argv[1]) over HTTP: indexes, HEAD, one range, ETag, If-Match. 403 for names with "secret"."""

import email.utils
import html
import http.server
import os
import re
import sys
import threading
import urllib.parse

ROOT = os.fsencode(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        path = urllib.parse.unquote_to_bytes(urllib.parse.urlsplit(self.path).path)
        where = ROOT + path
        if b"secret" in path:
            return self.say(403, {}, b"")
        if os.path.isdir(where) and path.endswith(b"/"):
            names = sorted(
                name + (b"/" if os.path.isdir(os.path.join(where, name)) else b"") for name in os.listdir(where)
            )
            links = "".join(
                f'<a href="{html.escape(urllib.parse.quote(name))}">{html.escape(os.fsdecode(name), quote=False)}</a>\n'
                for name in names
            ).encode("utf-8", "replace")
            body = b'<html><body><a href="?C=N;O=D">Name</a> <a href="../">up</a> <a href="/">top</a>\n' + links
            return self.say(200, {"Content-Type": "text/html"}, body)
        if not os.path.isfile(where):
            return self.say(404, {}, b"")
        with open(where, "rb") as file:
            status = os.fstat(file.fileno())
            etag = f'"{status.st_mtime_ns:x}-{status.st_ino:x}-{status.st_size:x}"'
            headers = {"ETag": etag, "Last-Modified": email.utils.formatdate(status.st_mtime, usegmt=True)}
            if self.headers.get("If-Match", etag) != etag:
                return self.say(412, headers, b"")
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if not asked:
                return self.say(200, headers, file.read())
            start, stop = int(asked[1]), min(int(asked[2]) + 1, status.st_size)
            if start >= status.st_size:
                return self.say(416, {"Content-Range": f"bytes */{status.st_size}"}, b"")
            file.seek(start)
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{status.st_size}"
            return self.say(206, headers, file.read(stop - start))

    def say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = answer

    def log_message(self, *args: object) -> None:
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
