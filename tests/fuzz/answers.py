"""Whole HTTP answers: a server of raw bytes, and every client that may read from it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from mountnd.errors import StoreError
from mountnd.stores.base import Deadline, ObjectId, Store
from mountnd.stores.directory.http_backend import HttpBackend
from mountnd.stores.directory.store import DirectoryStore
from mountnd.stores.s3 import S3Store

from .from_servers import listing_seeds
from .target import DATES, NUMBERS, Run, Target

# An answer ends with its connection, so nothing waits for this long unless a client does not notice that.
_DEADLINE_S = 20.0
_BODY = b"0123456"


def answer_seeds() -> list[bytes]:
    head = b'HTTP/1.1 206 Partial Content\r\nETag: "e"\r\nContent-Range: bytes 0-6/7\r\nContent-Length: 7\r\n'
    good = head + b"Last-Modified: " + DATES[0] + b"\r\n\r\n" + _BODY
    chunked = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n0123456\r\n0\r\n\r\n'
    error = b"<Error><Code>AccessDenied</Code><Message>m</Message></Error>"
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(error) + error
    redirect = b"HTTP/1.1 307 T\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    seeds = [
        good,
        chunked,
        refusal,
        redirect,
        b"",
        b"\r\n",
        b"HTTP/1.1 \xb2\xb3 OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    ]
    seeds += [good.replace(b"Content-Length: 7", b"Content-Length: " + number) for number in NUMBERS]
    seeds += [good.replace(b"bytes 0-6/7", b"bytes 0-6/" + number) for number in NUMBERS]
    seeds += [chunked.replace(b"\r\n7\r\n", b"\r\n" + number + b"\r\n") for number in NUMBERS]
    seeds += [refusal.replace(b"AccessDenied", number) for number in NUMBERS]
    seeds += [good.replace(b'"e"', b'"' + b"e" * 60_000 + b'"'), b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 9000]
    return seeds


def listed_seeds() -> list[bytes]:
    bodies = [body for body in listing_seeds() if len(body) < 5000]
    return answer_seeds() + [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body for body in bodies[:10]
    ]


@contextmanager
def raw_server() -> Iterator[tuple[int, list[bytes]]]:
    """(port, [what every connection is answered with, from its first byte on]): set the list's one item."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        answers = [b""]

        def answer(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(_DEADLINE_S)
                try:
                    if connection.recv(1 << 16):
                        connection.sendall(answers[0])
                        connection.shutdown(socket.SHUT_WR)
                        connection.recv(1 << 16)
                except OSError:
                    pass

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        stack.callback(thread.join, _DEADLINE_S)
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        yield listener.getsockname()[1], answers


def against(make: Callable[[int], Store], use: Callable[[Store, bytes], object]) -> Callable[[], object]:
    """`Target.open` of what uses a store, which `make` opens on a port, while its server answers with the input."""

    @contextmanager
    def opened() -> Iterator[Run]:
        plain = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
        with patch.dict(os.environ, plain), raw_server() as (port, answers):
            store = make(port)

            def run(data: bytes) -> None:
                answers[0] = data
                use(store, data)

            try:
                yield run
            finally:
                store.close()

    return opened


def _s3(port: int) -> Store:
    return S3Store("fuzz", endpoint_url=f"http://127.0.0.1:{port}", region="us-east-1", anonymous=True, path_style=True)


def _web(port: int) -> Store:
    return DirectoryStore(HttpBackend(f"http://127.0.0.1:{port}/d/"))


def read(store: Store, data: bytes) -> None:
    """Bytes that the server sent, or StoreError."""
    buffer = bytearray(len(_BODY))
    try:
        store.read(ObjectId(store.source, "k", '"e"', "", 7), 0, [memoryview(buffer)], deadline=Deadline(_DEADLINE_S))
    except StoreError:
        return
    assert all(byte in data for byte in buffer)


def ask(store: Store, _data: bytes) -> None:
    """A page and an object's attributes, or StoreError."""
    for call in (
        lambda: store.list_page("", deadline=Deadline(_DEADLINE_S)),
        lambda: store.head("k", deadline=Deadline(_DEADLINE_S)),
    ):
        try:
            call()
        except StoreError:
            continue


_WORDS = [
    b"\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked",
    b"ETag: ",
    b"Location: ",
    b"100 Continue",
    b"Connection: close",
]

TARGETS = [
    Target("s3_read", answer_seeds, against(_s3, read), _WORDS),
    Target("s3_names", listed_seeds, against(_s3, ask), _WORDS),
    Target("web_read", answer_seeds, against(_web, read), _WORDS),
    Target("web_names", answer_seeds, against(_web, ask), _WORDS),
]
