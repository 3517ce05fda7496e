"""Gives the keys of a file as STS, SSO and a container's agent do, each in its form.

argv[1]: the file, JSON as a credential process prints it. Prints its port; ends when its stdin closes.
"""

import datetime
import http.server
import json
import pathlib
import sys
import threading


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
        self.rfile.read(int(self.headers["Content-Length"]))
        keys = json.loads(pathlib.Path(sys.argv[1]).read_text())
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        rows = "".join(f"<{name}>{keys[name]}</{name}>" for name in names)
        result = f"<AssumeRoleWithWebIdentityResult><Credentials>{rows}</Credentials></AssumeRoleWithWebIdentityResult>"
        self.send(
            f'<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{result}'
            "</AssumeRoleWithWebIdentityResponse>",
            "text/xml",
        )

    def say(self, what):
        self.send(json.dumps(what), "application/json")

    def send(self, text, kind):
        self.send_response(200)
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
