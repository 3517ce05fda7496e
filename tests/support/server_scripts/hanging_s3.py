"""An S3 server that never answers some requests, as many as come, and knows when their connections are closed.

Prints two ports: S3, and the control. A line of JSON there is answered by one: {"hang": [regular expressions]} says
which requests hang from now on, searched for in "METHOD /path?query" (percent-decoded), and lets those go on that do
not any more; either way the answer is {"held": how many hang now, "left": how many were closed while they hung,
"answered": how many were answered}. It ends when its stdin closes.

The bucket `bkt` has directories `D` of files `D/f0000` to `D/f2999` for D in `DIRECTORIES`, and `deep/d0000/f` to
`deep/d2999/f`. Listings without a delimiter are refused, so that no name is known before its directory was listed.
What is in a file is computed from its key (`content`).
"""

import asyncio
import hashlib
import json
import re
import sys
import urllib.parse

SIZE = 300_000
COUNT = 3_000
DIRECTORIES = ("hung", "well")
DATE = "Sun, 13 Sep 2020 12:26:40 GMT"


def content(key):
    """An object's bytes: no block of it like another's."""
    seed = hashlib.sha256(key.encode()).digest()
    return b"".join(hashlib.sha256(seed + bytes([i & 255, i >> 8])).digest() * 64 for i in range(-(-SIZE // 2048)))[
        :SIZE
    ]


def etag(key):
    return hashlib.md5(key.encode()).hexdigest()


KEYS = sorted([f"{d}/f{i:04}" for d in DIRECTORIES for i in range(COUNT)] + [f"deep/d{i:04}/f" for i in range(COUNT)])


class Server:
    def __init__(self):
        self.hang, self.changed = [], asyncio.Event()
        self.held = self.left = self.answered = 0

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                if not await self.take(head, reader, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def take(self, head, reader, writer):
        """Answer a request, perhaps never; False when the connection is over."""
        method, target, _ = head.split(" ", 2)
        said = f"{method} {urllib.parse.unquote(target)}"
        ended = None
        while any(pattern.search(said) for pattern in self.hang):
            self.held += 1
            ended = ended or asyncio.ensure_future(reader.read(1))
            changed = asyncio.ensure_future(self.changed.wait())
            await asyncio.wait([ended, changed], return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            self.held -= 1
            if ended.done():
                self.left += 1
                return False
        if ended is not None:
            ended.cancel()
            await asyncio.wait([ended])
        status, headers, body = self.answer(method, target, head)
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Date: {DATE}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if method == "HEAD" else body))
        await writer.drain()
        self.answered += 1
        return True

    def answer(self, method, target, head):
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        key = urllib.parse.unquote(split.path).removeprefix("/bkt").lstrip("/")
        if not key:
            return self.list_page(query)
        if key not in KEYS:
            return "404 Not Found", {}, b"<Error><Code>NoSuchKey</Code></Error>"
        body = content(key)
        headers = {"ETag": f'"{etag(key)}"', "Last-Modified": DATE}
        part = re.search(r"(?im)^range: bytes=(\d+)-(\d+)", head)
        if not part:
            return "200 OK", headers, body
        start, stop = int(part[1]), min(int(part[2]) + 1, len(body))
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
        return "206 Partial Content", headers, body[start:stop]

    def list_page(self, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        most, after = (
            int(query.get("max-keys", "1000")),
            query.get("continuation-token") or query.get("start-after", ""),
        )
        if not delimiter:
            return "403 Forbidden", {}, b"<Error><Code>AccessDenied</Code></Error>"
        names, rows, truncated = {}, [], False
        for key in KEYS:
            if key.startswith(prefix):
                rest = key[len(prefix) :]
                cut = rest.find(delimiter) if delimiter else -1
                names[prefix + rest[: cut + 1] if cut >= 0 else key] = cut >= 0
        for name, is_prefix in names.items():
            if name <= after:
                continue
            if len(rows) == most:
                truncated = True
                break
            last = name
            rows.append(
                f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" if is_prefix else
                f"<Contents><Key>{name}</Key><LastModified>2020-09-13T12:26:40.000Z</LastModified>"
                f"<ETag>&quot;{etag(name)}&quot;</ETag><Size>{SIZE}</Size></Contents>"
            )  # fmt: skip
        more = f"<NextContinuationToken>{last}</NextContinuationToken>" if truncated else ""
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>bkt</Name><Prefix>{prefix}</Prefix><KeyCount>{len(rows)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(truncated).lower()}</IsTruncated>{more}{''.join(rows)}</ListBucketResult>"
        )
        return "200 OK", {"Content-Type": "application/xml"}, xml.encode()

    async def control(self, reader, writer):
        while line := await reader.readline():
            said = json.loads(line)
            if "hang" in said:
                self.hang = [re.compile(pattern) for pattern in said["hang"]]
                self.changed.set()
                self.changed = asyncio.Event()
            state = {"held": self.held, "left": self.left, "answered": self.answered}
            writer.write(json.dumps(state).encode() + b"\n")
            await writer.drain()
        writer.close()


async def main():
    server = Server()
    s3 = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=4096)
    control = await asyncio.start_server(server.control, "127.0.0.1", 0)
    print(s3.sockets[0].getsockname()[1], control.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(main())
