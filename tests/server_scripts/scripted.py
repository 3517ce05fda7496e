"""Answers HTTP requests by a table in a JSON file (argv[1]); TLS with certificate and key (argv[2], argv[3])."""

import base64
import http.server
import json
import ssl
import sys
import threading
import time

with open(sys.argv[1]) as file:
    table = json.load(file)
log: list[list[object]] = []
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        if self.path == "/-/log":
            body = json.dumps(log).encode()
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
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
        self.close_connection = said["then"] != "keep"

    do_GET = do_HEAD = answer

    def log_message(self, *args: object) -> None:
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
