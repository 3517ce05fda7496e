"""The process behind tests/support/proxy.py: passes HTTP requests on to a server, counts them, and misbehaves as told.

A rule is an action with conditions; the first rule that fits a request decides it. Actions:

    hold        take the request and wait until the rule is withdrawn, then pass it on
    status      answer `status` with an S3 error document of code `code`
    reset       cut the connection with a RST before answering
    reset-body  send the true head and half of the body, then RST
    short       announce the true length, send half of the body, then close in good order
    truncate    an answer in itself consistent (206, its own Content-Range) that holds half of what was asked
    shift       the body of the range that starts one byte earlier or later, labelled truthfully by Content-Range
    mislabel    the body of the range that starts one byte earlier or later, Content-Range missing
    flip        the true head, and a body whose last byte is another
    whole       ignore the Range: 200 and the whole object
    unguarded   pass the request on without its If-Match, as servers do that do not know the header
    cut-xml     half of a listing's document, with a Content-Length that fits it
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import re
import socket
import struct
import sys
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit


@dataclass
class Request:
    """One request that came. `status` and `sent` (bytes of body) are 0 until it was answered."""

    method: str
    path: str  # percent-decoded; bytes that are not UTF-8 as surrogates
    query: dict[str, str]
    range: str = ""
    if_match: str = ""
    signed: bool = False
    status: int = 0
    sent: int = 0
    rule: str = ""
    open: bool = True  # not answered yet

    @property
    def is_list(self) -> bool:
        return self.method == "GET" and "list-type" in self.query


@dataclass
class Rule:
    """Conditions that are "" fit anything; `path` must be equal, `prefix` begins the path, `query` is searched for."""

    action: str
    method: str = ""
    path: str = ""
    prefix: str = ""
    query: str = ""
    lists: bool | None = None
    times: int | None = None
    status: int = 503
    code: str = "SlowDown"
    by: int = -1
    hits: int = field(default=0)

    def fits(self, request: Request, raw_query: str) -> bool:
        return (
            (self.times is None or self.hits < self.times)
            and self.method in ("", request.method)
            and self.path in ("", request.path)
            and request.path.startswith(self.prefix)
            and (not self.query or re.search(self.query, raw_query) is not None)
            and (self.lists is None or self.lists == request.is_list)
        )


class Server:
    def __init__(self, host: str, port: int) -> None:
        self.upstream = (host, port)
        self.log: list[Request] = []
        self.rules: list[Rule] = []
        self.changed = asyncio.Event()
        self.connections: set[asyncio.StreamWriter] = set()
        self.listening: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        self.listening = await asyncio.start_server(self.serve, "127.0.0.1", self.port, reuse_address=True, backlog=256)
        self.port = self.listening.sockets[0].getsockname()[1]

    async def steer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(_header(head, "content-length") or 0)
        what = json.loads(await reader.readexactly(length) or b"{}")
        verb = head.split(" ", 2)[1].lstrip("/")
        answer: Any = None
        if verb == "rule":
            self.rules.append(Rule(**what))
        elif verb == "behave":
            self.rules.clear()
            self.changed.set()
            self.changed = asyncio.Event()
        elif verb == "clear":
            self.log.clear()
        elif verb == "requests":
            answer = [asdict(r) for r in self.log]
        elif verb == "down" and self.listening is not None:
            self.listening.close()
            self.listening = None
            for connection in list(self.connections):
                _cut(connection)
        elif verb == "up" and self.listening is None:
            await self.listen()
        body = json.dumps(answer).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                body = await reader.readexactly(int(_header(head, "content-length") or 0))
                if self.listening is None:  # accepted just before it went down
                    _cut(writer)
                    return
                if not await self.answer(head, body, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.connections.discard(writer)
            writer.close()

    async def answer(self, head: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer one request. False when the connection is over."""
        method, target, _ = head.split(" ", 2)
        parts = urlsplit(target)
        request = Request(
            method,
            unquote_to_bytes(parts.path).decode("utf-8", "surrogateescape"),
            {k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True, errors="surrogateescape").items()},
            _header(head, "range"),
            _header(head, "if-match"),
            bool(_header(head, "authorization")),
        )
        self.log.append(request)
        try:
            return await self.decide(request, parts.query, head, body, writer)
        finally:
            request.open = False

    async def decide(self, request: Request, query: str, head: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        rule = next((r for r in self.rules if r.fits(request, query)), None)
        if rule is None:
            return await self.passed(request, head, body, writer)
        rule.hits += 1
        request.rule = rule.action
        if rule.action == "hold":
            while rule in self.rules:
                await self.changed.wait()
            return await self.passed(request, head, body, writer)
        if rule.action == "reset":
            _cut(writer)
            return False
        if rule.action == "status":
            text = f"<?xml version='1.0'?><Error><Code>{rule.code}</Code><Message>told to</Message></Error>".encode()
            fields = [("Content-Type", "application/xml"), ("x-amz-request-id", "0")]
            return await self.send(request, rule.status, fields, text, writer)
        return await self.spoil(rule, request, head, body, writer)

    async def spoil(self, rule: Rule, request: Request, head: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        if rule.action == "unguarded":
            return await self.passed(request, _without(head, "if-match"), body, writer)
        if rule.action == "whole":
            return await self.passed(request, _without(head, "range"), body, writer)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", request.range)
        if rule.action in ("shift", "mislabel", "truncate") and asked:
            start, last = int(asked[1]), int(asked[2])
            if rule.action == "truncate":
                last = start + (last - start) // 2
            else:
                by = rule.by if start + rule.by >= 0 else -rule.by
                start, last = start + by, last + by
            head = _without(head, "range").rstrip("\r\n") + f"\r\nRange: bytes={start}-{last}\r\n\r\n"
        status, fields, answer = await self.fetch(head, body)
        if rule.action == "mislabel":
            fields = [f for f in fields if f[0].lower() != "content-range"]
        if rule.action == "flip" and answer and request.method == "GET":
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        if rule.action == "cut-xml":
            answer = answer[: len(answer) // 2]
        if rule.action in ("short", "reset-body"):
            self.head(request, status, [*fields, ("Content-Length", str(len(answer)))], writer)
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
            request.sent = len(answer) // 2
            if rule.action == "reset-body":
                _cut(writer)
            return False
        return await self.send(request, status, fields, answer, writer)

    async def passed(self, request: Request, head: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        status, fields, answer = await self.fetch(head, body)
        return await self.send(request, status, fields, answer, writer)

    async def fetch(self, head: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the true server, over a connection of its own. Gives status, header fields and the whole body."""
        reader, writer = await asyncio.open_connection(*self.upstream, limit=1 << 20)
        try:
            head = _without(head, "connection").rstrip("\r\n") + "\r\nConnection: close\r\n\r\n"
            writer.write(head.encode("latin-1") + body)
            await writer.drain()
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = answer.rstrip("\r\n").split("\r\n")
            fields = [(n.strip(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
            status, length = int(first.split(" ")[1]), _header(answer, "content-length")
            if head.startswith("HEAD") or status in (204, 304):
                return status, fields, b""
            content = await (reader.readexactly(int(length)) if length else reader.read())
            drop = {"content-length", "connection", "transfer-encoding"}
            return status, [f for f in fields if f[0].lower() not in drop], content
        finally:
            writer.close()

    def head(self, request: Request, status: int, fields: list[tuple[str, str]], writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Unknown')}", *(f"{n}: {v}" for n, v in fields)]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        request.status = status

    async def send(
        self, request: Request, status: int, fields: list[tuple[str, str]], body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        bare = request.method == "HEAD" or status in (204, 304)
        fields = [f for f in fields if f[0].lower() not in ("connection", *(() if bare else ("content-length",)))]
        if not bare:
            fields.append(("Content-Length", str(len(body))))
        self.head(request, status, fields, writer)
        if not bare:
            writer.write(body)
            request.sent = len(body)
        await writer.drain()
        return True


def _header(head: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(.*?)\r$", head, re.I | re.M)
    return found[1] if found else ""


def _without(head: str, name: str) -> str:
    return re.sub(rf"^{name}:.*?\r\n", "", head, flags=re.I | re.M)


def _cut(writer: asyncio.StreamWriter) -> None:
    """Close with a RST: linger of zero seconds."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _main(host: str, port: int) -> None:
    server = Server(host, port)
    await server.listen()
    control = await asyncio.start_server(server.steer, "127.0.0.1", 0)
    print(json.dumps({"port": server.port, "control": control.sockets[0].getsockname()[1]}), flush=True)
    # The test that started us holds our stdin: when it is gone, so are we.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.host, arguments.port))
