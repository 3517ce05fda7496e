"""The heads of answers: what looks as usual is taken apart here, the rest by http.client, and both say the same."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.stores.deadline import Deadline
from mountnd.stores.http.answers import FIRST_BYTES, BoundedResponse, PlainResponse, answer_of, received
from mountnd.stores.http.connection import Connection

HEAD = (
    b'HTTP/1.1 206 Partial Content\r\nServer: nginx\r\nETag: "abc"\r\nContent-Length: 5\r\n'
    b"Content-Range: bytes 0-4/9\r\nx-amz-request-id:  7F \r\nConnection: keep-alive\r\n\r\n"
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """What a client receives from, and what a server sends to."""
    client, server = socket.socketpair()
    with client, server:
        client.settimeout(5)
        yield client, server


def by_library(raw: bytes, method: str = "GET") -> http.client.HTTPResponse:
    """The answer as http.client reads it alone."""
    client, server = socket.socketpair()
    with client, server:
        server.sendall(raw)
        server.shutdown(socket.SHUT_WR)
        response = BoundedResponse(client, method=method)
        response.begin()
    return response


def test_a_usual_head_is_taken_apart_here(ends: tuple[socket.socket, socket.socket]) -> None:
    answer = answer_of(HEAD + b"ab", ends[0], "GET")
    assert isinstance(answer, PlainResponse)
    assert (answer.status, answer.length, answer.will_close, answer.chunked) == (206, 5, False, False)
    assert answer.headers.get("etag") == answer.getheader("ETag") == '"abc"'
    assert answer.headers.get("X-Amz-Request-Id") == "7F"
    assert answer.headers.get("Last-Modified") is None
    assert answer.headers.get_all("content-length") == ["5"]
    assert dict(answer.headers.items())["Content-Range"] == "bytes 0-4/9"


def test_its_body_goes_on_where_the_head_ended(ends: tuple[socket.socket, socket.socket]) -> None:
    answer = answer_of(HEAD + b"ab", ends[0], "GET")
    ends[1].sendall(b"cde")
    body = b""
    while part := answer.read1(2):
        body += part
    assert body == b"abcde"
    assert answer.length == 0


def test_a_body_that_breaks_off_says_so(ends: tuple[socket.socket, socket.socket]) -> None:
    answer = answer_of(HEAD + b"ab", ends[0], "GET")
    ends[1].close()
    assert (answer.read1(99), answer.read1(99)) == (b"ab", b"")
    assert (answer.isclosed(), answer.length) == (True, 3)


UNUSUAL = {
    "cut in the middle": HEAD[:60],
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD,
    "of an older version": HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "chunked": HEAD.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "both framings": HEAD.replace(b"ETag:", b"Transfer-Encoding: chunked\r\nETag:"),
    "two lengths": HEAD.replace(b"ETag:", b"Content-Length: 6\r\nETag:"),
    "twice the same length": HEAD.replace(b"ETag:", b"Content-Length: 5\r\nETag:"),
    "a list of lengths": HEAD.replace(b"Length: 5", b"Length: 5, 5"),
    "a signed length": HEAD.replace(b"Length: 5", b"Length: +5"),
    "no length": HEAD.replace(b"Content-Length: 5\r\n", b""),
    "a length beyond all files": HEAD.replace(b"Length: 5", b"Length: 9999999999999999999"),
    "the connection's end": HEAD.replace(b"keep-alive", b"close"),
    "a folded line": HEAD.replace(b"Server: nginx", b"Server: nginx\r\n and more"),
    "bare line feeds": HEAD.replace(b"\r\n", b"\n"),
    "a space before the colon": HEAD.replace(b"ETag:", b"ETag :"),
    "a line without a colon": HEAD.replace(b"ETag:", b"nonsense\r\nETag:"),
    "no headers": b"HTTP/1.1 206 Partial Content\r\n\r\n",
    "no body": HEAD.replace(b"206 Partial Content", b"204 No Content"),
    "nothing new": HEAD.replace(b"206 Partial Content", b"304 Not Modified"),
    "more body than it says": HEAD + b"abcdef",
    "many lines": HEAD.replace(b"ETag:", b"A: b\r\n" * 100 + b"ETag:"),
    "no answer": b"\x15\x03\x01\x00\x02\x02\x46",
}


@pytest.mark.parametrize("raw", UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_is_left_to_the_library(raw: bytes, ends: tuple[socket.socket, socket.socket]) -> None:
    expected: object
    try:
        known = by_library(raw)
        expected = (known.status, known.length, known.will_close, bool(known.chunked))
    except http.client.HTTPException as error:
        expected = (type(error), str(error))
    ends[1].shutdown(socket.SHUT_WR)  # nothing more comes
    found: object
    try:
        answer = answer_of(raw, ends[0], "GET")
        assert isinstance(answer, BoundedResponse)
        found = (answer.status, answer.length, answer.will_close, bool(answer.chunked))
    except http.client.HTTPException as error:
        found = (type(error), str(error))
    assert found == expected


def test_an_answer_to_head_has_no_body(ends: tuple[socket.socket, socket.socket]) -> None:
    answer = answer_of(HEAD, ends[0], "HEAD")
    assert (answer.length, answer.headers["Content-Length"]) == (0, "5")


def test_a_head_in_pieces_is_waited_for(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].sendall(HEAD[9:] + b"abcde")
    answer = answer_of(HEAD[:9], ends[0], "GET")
    assert (answer.status, answer.read()) == (206, b"abcde")


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("came", [0, 1, 9_000, FIRST_BYTES - 200, 40_000])
@pytest.mark.parametrize("parts", [[40_000], [3, 20_000, 19_997]])
def test_no_byte_is_lost_between_head_and_body(plain: bool, came: int, parts: list[int]) -> None:
    """However much of the body came with the head, whoever read that."""
    body = bytes(i % 251 for i in range(40_000))
    ends = b"" if plain else b"Connection: close\r\n"
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 40000\r\n" + ends + b"\r\n"
    client, server = socket.socketpair()
    with client, server:
        connection = Connection(client, "host", threading.Lock())

        def serve() -> None:
            server.recv(4096)
            server.sendall(head + body[:came])
            time.sleep(0.05 if came < len(body) else 0)  # so that the rest comes by itself
            server.sendall(body[came:])

        thread = threading.Thread(target=serve)
        thread.start()
        answer = connection.ask("GET", "/k", {}, Deadline(10))
        views = [memoryview(bytearray(n)) for n in parts]
        connection.receive(answer, views, "k", Deadline(10))
        thread.join(10)
    assert isinstance(answer, PlainResponse) == plain
    assert b"".join(views) == body
    assert connection.reusable == plain


TOKENS = st.text("abXY-_", min_size=1, max_size=6)
VALUES = st.text('aé :,;=\t"0-', max_size=8)


@given(lines=st.lists(st.tuples(TOKENS, VALUES), max_size=6), status=st.sampled_from([200, 206, 403, 404, 503]))
def test_both_see_the_same_headers(lines: list[tuple[str, str]], status: int) -> None:
    told = "".join(f"{name}: {value}\r\n" for name, value in lines)
    raw = f"HTTP/1.1 {status} So\r\n{told}Content-Length: 0\r\n\r\n".encode("iso-8859-1")
    client, server = socket.socketpair()
    with client, server:
        plain, known = answer_of(raw, client, "GET"), by_library(raw)
    assert isinstance(plain, PlainResponse)
    assert (plain.status, plain.length) == (known.status, known.length)
    assert [name for name, _ in plain.headers.items()] == [name for name, _ in known.headers.items()]
    for name, _ in lines:
        assert plain.headers.get(name.upper()) == known.headers[name].strip(" \t")
        assert plain.headers.get_all(name) == [value.strip(" \t") for value in known.headers.get_all(name, [])]


def test_what_the_kernel_gave_up_waiting_for_is_a_time_out(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[0].setblocking(False)  # as a socket whose SO_RCVTIMEO has passed
    with pytest.raises(TimeoutError):
        received(ends[0], 1)
    with pytest.raises(TimeoutError):
        answer_of(HEAD[:9], ends[0], "GET")


def asked(target: str = "/k", headers: dict[str, str] | None = None, body: bytes | None = None) -> bytes:
    """What is sent for a request. Raises what asking raises, once it is known that nothing was sent."""
    client, server = socket.socketpair()
    with client, server:
        connection = Connection(client, "host:81", threading.Lock())
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        server.setblocking(False)
        try:
            connection.ask("GET", target, headers or {}, Deadline(10), body=body)
        except Exception:
            with pytest.raises(BlockingIOError):
                server.recv(1)
            raise
        return server.recv(4096)


def test_a_request_as_it_is_sent() -> None:
    sent = b"GET /b/k?x=1 HTTP/1.1\r\nHost: host:81\r\nRange: bytes=0-4\r\n\r\n"
    assert asked("/b/k?x=1", {"Range": "bytes=0-4"}) == sent
    assert asked(headers={"host": "other"}) == b"GET /k HTTP/1.1\r\nHost: host:81\r\n\r\n"
    assert asked(headers={"Host": "other"}) == b"GET /k HTTP/1.1\r\nHost: other\r\n\r\n"
    assert asked(body=b"{}") == b"GET /k HTTP/1.1\r\nHost: host:81\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/a\n", "/a\0", "/\x7f", "/é"])
def test_a_target_that_would_end_its_line_is_not_sent(target: str) -> None:
    with pytest.raises(http.client.InvalidURL):
        asked(target)


@pytest.mark.parametrize("headers", [{"A": "b\r\nC: d"}, {"A": "b\n"}, {"A": "b\r"}, {"A\r\nB": "c"}, {"A": "€"}])
def test_nor_is_a_header_that_would_be_two(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        asked(headers=headers)
