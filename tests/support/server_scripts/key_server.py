"""Gives the keys of a file as STS, SSO and a container's agent do, each in its form.

argv[1]: the file, JSON as a credential process prints it. argv[2]: seconds this server's clock is ahead; what is signed
900 off it is refused. Prints its port; ends when its stdin closes.
"""

import calendar
import datetime
import email.utils
import http.server
import json
import pathlib
import sys
import threading
import time
import urllib.parse

SKEW = float(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        keys = json.loads(pathlib.Path(sys.argv[1]).read_text())
        if self.path.startswith("/container"):
            self.say({**keys, "Token": keys["SessionToken"]})
        elif self.path.startswith("/federation/credentials"):
            ends = datetime.datetime.fromisoformat(keys["Expiration"]).timestamp()
            role = {"accessKeyId": keys["AccessKeyId"], "secretAccessKey": keys["SecretAccessKey"]}
            self.say(
                {"roleCredentials": {**role, "sessionToken": keys["SessionToken"], "expiration": int(ends * 1000)}}
            )
        else:
            self.send_error(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        action = urllib.parse.parse_qs(body)["Action"][0]
        if said := self.headers.get("X-Amz-Date"):
            signed = calendar.timegm(time.strptime(said, "%Y%m%dT%H%M%SZ"))
            if abs(signed - time.time() - SKEW) > 900:
                why = "<Code>SignatureDoesNotMatch</Code><Message>Signature expired</Message>"
                self.send(f"<ErrorResponse><Error><Type>Sender</Type>{why}</Error></ErrorResponse>", "text/xml", 403)
                return
        keys = json.loads(pathlib.Path(sys.argv[1]).read_text())
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        rows = "".join(f"<{name}>{keys[name]}</{name}>" for name in names)
        result = f"<{action}Result><Credentials>{rows}</Credentials></{action}Result>"
        space = "https://sts.amazonaws.com/doc/2011-06-15/"
        self.send(f'<{action}Response xmlns="{space}">{result}</{action}Response>', "text/xml")

    def say(self, what):
        self.send(json.dumps(what), "application/json")

    def send(self, text, kind, status=200):
        self.send_response_only(status)
        self.send_header("Date", email.utils.formatdate(time.time() + SKEW, usegmt=True))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
