"""Says bytes, whatever is asked: what no HTTP library would send. TLS with certificate and key (argv[1], argv[2]).

Prints two ports: the server's, and that of its control, where PUT sets what each connection is told (JSON, see below)
and GET tells of the connections so far. It ends when its stdin closes.

    at_once: do not wait for a request
    steps: one after the other: ["say", base64], ["trickle", base64, seconds, times], which says it again and again,
        with a pause, or ["hang"]. `times` 0: until the client hangs up. After each request all is said again; then the
        connection is closed, where `close` is true.
"""

import base64
import http.server
import json
import socket
import ssl
import sys
import threading
import time

script = {"at_once": False, "steps": [], "close": True}
connections = []
lock = threading.Lock()


def wait_for_request(connection):
    """The head of a request; b"" when the client has hung up."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            return b""
        head += piece
    return head


def play(connection, steps):
    for what, *how in steps:
        if what == "say":
            connection.sendall(base64.b64decode(how[0]))
        elif what == "hang":
            while connection.recv(65536):
                pass
            raise OSError("the client is gone")
        else:
            piece, pause, times = base64.b64decode(how[0]), how[1], how[2]
            while True:
                connection.sendall(piece)
                if pause:
                    time.sleep(pause)
                times -= 1
                if not times:
                    break


def serve(connection, trusted, about):
    try:
        mine = dict(script)
        if trusted is not None:
            connection = trusted.wrap_socket(connection, server_side=True)
        while True:
            if not mine["at_once"]:
                head = wait_for_request(connection)
                if not head:
                    break
                with lock:
                    about["heads"].append(head.decode("latin-1"))
            play(connection, mine["steps"])
            if mine["close"] or mine["at_once"]:
                break
    except OSError:
        pass
    finally:
        with lock:
            about["ended"] = time.time()
        connection.close()


class Control(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            script.update(said)
            connections.clear()
        self.say(b"")

    def do_GET(self):
        with lock:
            body = json.dumps(connections).encode()
        self.say(body)

    def say(self, body):
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def accept(listener, trusted):
    while True:
        connection, _ = listener.accept()
        about = {"begun": time.time(), "heads": [], "ended": None}
        with lock:
            connections.append(about)
        threading.Thread(target=serve, args=(connection, trusted, about), daemon=True).start()


trusted = None
if len(sys.argv) > 1:
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
control = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Control)
control.daemon_threads = True
threading.Thread(target=accept, args=(listener, trusted), daemon=True).start()
threading.Thread(target=control.serve_forever, daemon=True).start()
print(listener.getsockname()[1], control.server_port, flush=True)
sys.stdin.read()
