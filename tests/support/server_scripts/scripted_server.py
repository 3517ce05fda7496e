"""Answers HTTP requests by a table; TLS with certificate and key (argv[1], argv[2]).

Prints two ports: the server's, and that of its control, where PUT sets the table and GET gives the log.
"""

import base64
import http.server
import json
import ssl
import sys
import threading
import time

table: dict[str, list[dict[str, object]]] = {}
log: list[list[object]] = []
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        with lock:
            log.append([self.command, self.path, {name.lower(): value for name, value in self.headers.items()}])
            answers = table.get(f"{self.command} {self.path}") or table.get(f"{self.command} *")
            said = None if not answers else answers.pop(0) if len(answers) > 1 else answers[0]
        said = said or {"status": 404, "headers": {"Content-Length": "0"}, "body": "", "then": "keep"}
        self.send_response_only(said["status"])
        for name, value in said["headers"].items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(base64.b64decode(said["body"]))
        self.wfile.flush()
        if said["then"] == "hang":
            time.sleep(3600)
        while said["then"] == "trickle":  # until the client hangs up
            time.sleep(0.1)
            self.wfile.write(b"x")
        self.close_connection |= said["then"] != "keep"  # the client may have asked for it, too

    do_GET = do_HEAD = answer

    def log_message(self, *args: object) -> None:
        pass


class Control(http.server.BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            table.clear()
            table.update(json.loads(body))
            log.clear()
        self.say(b"")

    def do_GET(self) -> None:
        with lock:
            body = json.dumps(log).encode()
        self.say(body)

    def say(self, body: bytes) -> None:
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def serve(handler: type[http.server.BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> int:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients that hang up are what is tested
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


trusted = None
if len(sys.argv) > 1:
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.load_cert_chain(sys.argv[1], sys.argv[2])
print(serve(Handler, trusted), serve(Control), flush=True)
sys.stdin.read()
