"""An S3 server whose quirks are switches: what servers and policies in the field do, one at a time.

Prints two ports: the server's, and that of its control, where PUT sets the world (JSON, see `World`) and GET gives the
log of requests as JSON. Certificate and key (argv[1], argv[2]) make it speak TLS. It ends when its stdin closes.

Path-style and virtual-host addressing by `Host: BUCKET.localhost`. Signatures are verified for `private` buckets only.
"""

import base64
import copy
import email.utils
import functools
import hashlib
import hmac
import http.server
import itertools
import json
import re
import ssl
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

WHEN = 1_600_000_000


class World:
    """What the server holds and how it misbehaves. Every field can be set by the control, by its name.

    buckets: bucket -> key -> {"body": base64, "mtime": seconds, "etag": text instead of the MD5's,
        "row": {element of its row in listings: raw text, or null to leave the element out},
        "headers": {header of its GETs and HEADs: value, or null to leave it out}, "status": refuse its GETs so}
    etag_listing, etag_answer: how ETags are written there: "quoted", "bare", "weak", "upper", "empty", "absent",
        "constant", "zeros" (a multi-part's), "open" (without the last quote), "other" (of another object), or "fresh"
        (another one each time)
    if_match: "honest", "ignored", "bare only" (412 to one in quotes), "refused" (always 412)
    html: keys whose GET answers status 200 with an HTML page, of the length that the object has
    numbered: answers have an `x-amz-request-id` of their own each, as S3's have
    portal: everything is answered so, listings and HEADs, too
    page: keys on a page at most
    token: "honest", "absent" (IsTruncated without a token), "same" (one token for ever), "back" (pages begin again),
        "cycle" (behind the last page comes the second), "fresh" (the same, and no token comes twice)
    prefix: "honest", or "ignored" (keys from everywhere are listed)
    empty_pages: that many empty pages with fresh tokens before each page that is not
    hollow: prefixes, each ending in "/", that listings show although no key lies below (MinIO: of deleted versions)
    v1_only: list-type=2 is unknown: "ignored" (answered as version 1), "refused" (501) or "invalid" (400)
    start_after: "honest", or "ignored"
    inclusive: pages begin with the key that the one before ended with
    head: status of HEADs of objects, whatever is there; null: as it should be
    encoding: "honest", or "ignored" (keys as they are, whatever XML allows)
    list_rules: a listing is refused (403) unless one of these fits: {"delimiter": "/", "prefix": regular expression,
        "max_keys": n}; null: all are allowed
    head_rules, get_rules: regular expressions of keys; null: all are allowed
    missing: status of a key that is not there (403 where ListBucket is not allowed, as S3 does)
    keys: access key ids that are accepted; null: all, and unsigned requests, too. "" among them: unsigned requests
    refusal: [status, code] of other keys
    private: bucket -> {access key id: its secret key}: requests to it must be signed by one of these
    skew: seconds this server's clock is ahead; over 900 of them signed requests are refused
    skew_refusal: [status, code] of these
    date_off: seconds that the Date of its answers is ahead of its clock; null: they have none
    """

    def __init__(self):
        self.buckets = {}
        self.etag_listing = self.etag_answer = "quoted"
        self.if_match = "honest"
        self.html = []
        self.numbered = False
        self.portal = False
        self.page = 1000
        self.token = "honest"
        self.empty_pages = 0
        self.hollow = []
        self.v1_only = ""
        self.start_after = self.encoding = self.prefix = "honest"
        self.inclusive = False
        self.head = None
        self.list_rules = None
        self.head_rules = None
        self.get_rules = None
        self.missing = 404
        self.keys = None
        self.refusal = [403, "InvalidAccessKeyId"]
        self.private = {}
        self.skew = 0
        self.skew_refusal = [403, "RequestTimeTooSkewed"]
        self.date_off = 0


world, log, lock = World(), [], threading.Lock()
numbers = itertools.count()


AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, *SignedHeaders=([^,]+), *"
    r"Signature=([0-9a-f]{64})"
)


class Refusal(Exception):
    def __init__(self, status, code, **headers):
        super().__init__(code)
        self.status, self.code, self.headers = status, code, headers


decoded = functools.lru_cache(10_000)(base64.b64decode)
md5_of = functools.lru_cache(10_000)(lambda text: hashlib.md5(decoded(text)).hexdigest())


def body_of(thing):
    return decoded(thing["body"])


def etag_of(thing, how):
    """The ETag as it is written in `how`; None to leave it out."""
    plain = thing.get("etag") or md5_of(thing["body"])
    written = {
        "quoted": f'"{plain}"', "bare": plain, "weak": f'W/"{plain}"', "upper": f'"{plain.upper()}"', "empty": "",
        "absent": None, "constant": '"d41d8cd98f00b204e9800998ecf8427e"', "zeros": f'"{"0" * 32}-2"',
        "other": '"' + hashlib.md5(b"another object" + body_of(thing)).hexdigest() + '"', "open": f'"{plain}',
        "fresh": '"' + hashlib.md5(str(next(numbers)).encode()).hexdigest() + '"',
    }  # fmt: skip
    return written[how]


def matches(asked, etag):
    """Whether an If-Match holds, as this server sees it."""
    if world.if_match == "bare only":
        return asked == (etag or "").strip('"')
    return world.if_match == "ignored" or (world.if_match == "honest" and asked == etag)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self):
        split = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with lock:
            log.append([self.command, self.path, headers, time.time()])
            try:
                status, more, body = self.act(split.path, query, headers)
            except Refusal as why:
                text = f"<Error><Code>{why.code}</Code><Message>{why.code}</Message></Error>"
                status, more, body = (
                    why.status,
                    {"Content-Type": "application/xml", "x-amz-request-id": "QUIRKY1", **why.headers},
                    text.encode(),
                )
        self.send_response_only(status)
        if world.numbered and "x-amz-request-id" not in more:
            more = {**more, "x-amz-request-id": f"QUIRKY{next(numbers):08}"}
        if world.date_off is not None:
            said = time.time() + world.skew + world.date_off
            self.send_header("Date", email.utils.formatdate(said, usegmt=True))
        for name, value in {"Content-Length": str(len(body)), **more}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = answer

    def act(self, path, query, headers):
        if world.portal:
            return 200, {"Content-Type": "text/html", "Content-Length": "1000"}, b"<html>".ljust(993) + b"</html>"
        self.check_caller(headers)
        bucket, _, key = path.lstrip("/").partition("/")
        host = headers.get("host", "").partition(":")[0]
        if host.endswith(".localhost"):
            bucket, key = host.removesuffix(".localhost"), path.lstrip("/")
        bucket, key = urllib.parse.unquote(bucket), urllib.parse.unquote(key, errors="surrogateescape")
        if bucket not in world.buckets:
            raise Refusal(404, "NoSuchBucket")
        if bucket in world.private:
            self.check_signature(world.private[bucket], headers)
        things = world.buckets[bucket]
        if not key:
            if self.command == "HEAD":
                return 200, {"x-amz-bucket-region": "us-east-1"}, b""
            return self.list_page(bucket, things, query)
        return self.give(things, key, headers)

    def check_caller(self, headers):
        signed = re.search(r"Credential=([^/]+)/", headers.get("authorization", ""))
        if world.keys is not None and (signed[1] if signed else "") not in world.keys:
            raise Refusal(*world.refusal)
        if signed and (said := headers.get("x-amz-date")):
            asked = time.mktime(time.strptime(said, "%Y%m%dT%H%M%SZ")) - time.timezone
            if abs(asked - (time.time() + world.skew)) > 900:
                raise Refusal(*world.skew_refusal)

    def check_signature(self, secrets, headers):
        """Signature Version 4, as S3 verifies it (Amazon S3 API reference, "Authorization header", single chunk)."""
        found = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if not found:
            raise Refusal(403, "AccessDenied")
        key_id, day, region, names, signature = found.groups()
        if key_id not in secrets:
            raise Refusal(403, "InvalidAccessKeyId")
        path, _, query = self.path.partition("?")
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
        quoted = sorted(
            tuple(urllib.parse.quote(part, "-_.~", errors="surrogateescape") for part in pair) for pair in pairs
        )
        heads = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names.split(";"))
        asked = [
            self.command,
            path,
            "&".join(map("=".join, quoted)),
            heads,
            names,
            headers.get("x-amz-content-sha256", ""),
        ]
        digest = hashlib.sha256("\n".join(asked).encode()).hexdigest()
        scope = f"{day}/{region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{headers.get('x-amz-date', '')}\n{scope}\n{digest}"
        key = f"AWS4{secrets[key_id]}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.digest(key, part.encode(), "sha256")
        if key.hex() != signature:
            raise Refusal(403, "SignatureDoesNotMatch")

    def give(self, things, key, headers):
        if self.command == "HEAD" and world.head is not None:
            raise Refusal(world.head, "NotImplemented")
        rules = world.head_rules if self.command == "HEAD" else world.get_rules
        if rules is not None and not any(re.fullmatch(rule, key) for rule in rules):
            raise Refusal(403, "AccessDenied")
        if key not in things:
            raise Refusal(world.missing, "AccessDenied" if world.missing == 403 else "NoSuchKey")
        thing = things[key]
        if self.command == "GET" and thing.get("status"):
            raise Refusal(*thing["status"])
        body, etag = body_of(thing), etag_of(thing, world.etag_answer)
        modified = email.utils.formatdate(thing.get("mtime", WHEN), usegmt=True)
        more = {"ETag": etag, "Last-Modified": modified, "Content-Type": "binary/octet-stream"} | thing.get(
            "headers", {}
        )
        asked = headers.get("if-match")
        if asked is not None and not matches(asked, etag):
            raise Refusal(412, "PreconditionFailed")
        if self.command == "GET" and key in world.html:
            page = b"<html><body>Sign in to the campus network</body></html>".ljust(len(body))[: max(len(body), 20)]
            return 200, {"Content-Type": "text/html"}, page
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
        if self.command == "HEAD" or not part:
            return 200, {"Content-Length": str(len(body)), **more}, body
        start, stop = int(part[1]), min(int(part[2]) + 1, len(body))
        if start >= len(body):
            raise Refusal(416, "InvalidRange", **{"Content-Range": f"bytes */{len(body)}"})
        return 206, {**more, "Content-Range": f"bytes {start}-{stop - 1}/{len(body)}"}, body[start:stop]

    def list_page(self, bucket, things, query):
        v2 = query.get("list-type") == "2"
        if v2 and world.v1_only == "refused":
            raise Refusal(501, "NotImplemented")
        if v2 and world.v1_only == "invalid":
            raise Refusal(400, "InvalidArgument")
        v2 = v2 and not world.v1_only
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        most = min(int(query.get("max-keys", "1000")), world.page)
        if world.list_rules is not None and not any(
            ("delimiter" not in rule or rule["delimiter"] == delimiter)
            and ("prefix" not in rule or re.fullmatch(rule["prefix"], prefix))
            and ("max_keys" not in rule or int(query.get("max-keys", "1000")) <= rule["max_keys"])
            for rule in world.list_rules
        ):
            raise Refusal(403, "AccessDenied")
        start_after = query.get("start-after", "") if world.start_after == "honest" else ""
        after = start_after if v2 else query.get("marker", "")
        empties = 0
        if v2 and (token := query.get("continuation-token")):
            empties, _, after = token.partition("#")[0].removeprefix("t").partition("~")
            empties = int(empties)
        if world.token == "back" and after:
            after = ""
        elif world.token == "same" and v2 and query.get("continuation-token"):
            after = sorted(things)[min(most, len(things)) - 1]
        rows, last = [], ""
        seen = set()
        truncated = False
        if empties < world.empty_pages:
            truncated, last = True, after
        else:
            empties = -1
            for key in sorted({*things, *world.hollow}, key=lambda k: k.encode("utf-8", "surrogateescape")):
                if not key.startswith(prefix) and world.prefix == "honest":
                    continue
                cut = key.find(delimiter, len(prefix)) if delimiter else -1
                common = key[: cut + len(delimiter)] if cut >= 0 else ""
                name = common or key
                if name not in things and not common:
                    continue
                at, behind = name.encode("utf-8", "surrogateescape"), after.encode("utf-8", "surrogateescape")
                if at < behind or (at == behind and not world.inclusive) or name in seen:
                    continue
                if len(rows) == most:
                    truncated = True
                    break
                seen.add(name)
                rows.append(f"<CommonPrefixes><Prefix>{self.text(common, query)}</Prefix></CommonPrefixes>"
                            if common else self.row(key, things[key], query))  # fmt: skip
                last = name
        head = f"<Name>{bucket}</Name><Prefix>{self.text(prefix, query)}</Prefix><MaxKeys>{most}</MaxKeys>"
        if query.get("encoding-type") == "url" and world.encoding == "honest":
            head += "<EncodingType>url</EncodingType>"
        if world.token == "same" and v2:
            truncated = True
        if world.token in ("cycle", "fresh") and v2 and not truncated:
            truncated, last = True, sorted(things)[min(most, len(things)) - 1]
        head += f"<IsTruncated>{str(truncated).lower()}</IsTruncated>"
        if truncated and world.token != "absent":
            if v2:
                token = "t-1~same" if world.token == "same" else f"t{empties + 1}~{last}"
                token += f"#{next(numbers)}" if world.token == "fresh" else ""
                head += f"<NextContinuationToken>{escape(token)}</NextContinuationToken>"
            elif delimiter:
                head += f"<NextMarker>{self.text(last, query)}</NextMarker>"
        xml = f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{head}{"".join(rows)}</ListBucketResult>'
        return 200, {"Content-Type": "application/xml"}, xml.encode("utf-8", "surrogateescape")

    def row(self, key, thing, query):
        when = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(thing.get("mtime", WHEN)))
        etag = etag_of(thing, world.etag_listing)
        etag = None if etag is None else escape(etag, {'"': "&quot;"})
        size = str(len(body_of(thing)))
        fields = {"Key": self.text(key, query), "LastModified": when, "ETag": etag, "Size": size}
        fields |= thing.get("row", {})
        return "<Contents>" + "".join(f"<{n}>{v}</{n}>" for n, v in fields.items() if v is not None) + "</Contents>"

    @staticmethod
    def text(key, query):
        if query.get("encoding-type") == "url" and world.encoding == "honest":
            return urllib.parse.quote(key, safe="/", errors="surrogateescape")
        return escape(key)

    def log_message(self, *args):
        pass


class Control(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            if said.pop("reset", False):
                world.__init__()
            unknown = set(said) - set(vars(world))
            for name, value in said.items():
                if name not in unknown:
                    setattr(world, name, copy.deepcopy(value))
            log.clear()
        self.say(400 if unknown else 200, f"no such switch: {unknown}".encode() if unknown else b"")

    def do_GET(self):
        with lock:
            body = json.dumps(log).encode()
        self.say(200, body)

    def say(self, status, body):
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def serve(handler, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
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
