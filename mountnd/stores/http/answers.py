"""The head of an answer over HTTP/1, within limits: what a server may say before its body, however it frames it.

`http.client` takes a hundred header lines of 64 KiB each, skips `100 Continue` for ever, reads trailers without an end,
and takes `1_0`, `-1` or two different numbers for a length: `BoundedResponse`.

And it takes 0.2 ms of CPU for a head, as much as everything else that a short GET costs here. Nearly all answers that
have bytes in them look alike: one head, whole in what comes first, and a body of a length that is told once. These are
`PlainResponse`, taken apart by one regular expression; whatever does not look so is left to `http.client`.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
from typing import Any

from ..facts import SIZE_MAX

# What is received first: the head, and as much of the body as came with it. S3's heads take 400 to 800 bytes.
FIRST_BYTES = 16 << 10

# Answers that announce another one (1xx). A server sends none or one to a GET; a hundred at once is a fault.
INTERIM_MAX = 100
# Bytes of all lines before the body, interim answers' among them, where S3 sends less than 8 KiB; and after it.
HEAD_MAX, TRAILER_MAX = 256 << 10, 64 << 10
LINES_MAX = 100  # as http.client has it

_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)
# RFC 9112, sections 4 and 5, as servers write it.
_PLAIN_HEAD = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) [^\r\n]*\r\n((?:[!#-'*+.^-z|~0-9A-Z-]+:[^\r\n\0]*\r\n)+)\r\n")
_LINE = re.compile(r"([^:\r\n]+):[ \t]*((?:[^\r\n]*[^ \t\r\n])?)[ \t]*\r\n")
# These have no body, whatever their head says.
_BODILESS = (204, 304)


def answer_of(first: bytes, sock: socket.socket, method: str) -> http.client.HTTPResponse:
    """The answer to a request by `method`, of which `first` has been received and the rest will be, from a socket that
    blocks or has a time-out. Raises HTTPException, and what sockets raise."""
    plain = plain_answer(first, sock) if method != "HEAD" else None
    if plain is not None:
        return plain
    response = BoundedResponse(_Replayed(first, sock), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
    except BaseException:
        response.close()
        raise
    return response


def received(sock: socket.socket, most: int) -> bytes:
    """What comes next, of so many bytes at most; b"" at the end. Raises TimeoutError, and what else sockets raise."""
    try:
        return sock.recv(most)
    except BlockingIOError:  # the kernel kept the time
        raise TimeoutError("timed out") from None


def plain_answer(first: bytes, sock: socket.socket) -> PlainResponse | None:
    """The answer to a request that is no HEAD, of which `first` has come. None where it is not certain how long its
    body is, and that the connection goes on behind it."""
    found = _PLAIN_HEAD.match(first)
    if found is None:
        return None
    lines = _LINE.findall(found[2].decode("iso-8859-1"))
    if len(lines) > LINES_MAX:
        return None
    headers = Headers(lines)
    status, lengths = int(found[1]), headers.get_all("content-length", ())
    if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]) or int(lengths[0]) > SIZE_MAX or status in _BODILESS:
        return None
    if headers.get("transfer-encoding") is not None or headers.get("connection", "").lower() not in ("", "keep-alive"):
        return None
    length, rest = int(lengths[0]), memoryview(first)[found.end() :]
    return None if len(rest) > length else PlainResponse(sock, status, headers, length, rest)


class Headers(http.client.HTTPMessage):
    """Header lines as (name, value): `email.message` compares all names, in lower case, for each that is looked up."""

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        super().__init__()
        self._headers = lines
        self._first = {name.lower(): value for name, value in reversed(lines)}

    def get(self, name: str, failobj: Any = None) -> Any:
        return self._first.get(name.lower(), failobj)

    def get_all(self, name: str, failobj: Any = None) -> Any:
        name = name.lower()
        return [value for known, value in self._headers if known.lower() == name] or failobj


class PlainResponse(http.client.HTTPResponse):
    """An answer whose body has a length. `rest`: what came of it together with the head."""

    def __init__(self, sock: socket.socket, status: int, headers: Headers, length: int, rest: memoryview) -> None:
        self._sock, self._rest, self._ended = sock, rest, False
        self.status, self.headers, self.msg, self.length = status, headers, headers, length
        self.chunked = self.will_close = False

    def isclosed(self) -> bool:
        return self._ended

    def close(self) -> None:
        self._ended = True

    def take(self, view: memoryview) -> int:
        """Fill the beginning of `view` with what is left of what came with the head; returns how many bytes."""
        count = min(len(view), len(self._rest))
        if count:
            view[:count] = self._rest[:count]
            self._rest = self._rest[count:]
        return count

    def read1(self, n: int = -1) -> bytes:
        """What is there, or comes next; at most `n` bytes. b"" at the end, and where the connection breaks before."""
        left = self.length or 0
        most = min(n, left) if n >= 0 else left
        if self._ended or not most:
            return b""
        found = bytes(self._rest[:most])
        self._rest = self._rest[most:]
        found = found or received(self._sock, most)
        self.length = left - len(found)
        if not found:
            self.close()
        return found


class InvalidHead(http.client.HTTPException):
    """`str()` of it says what is wrong."""


class BoundedResponse(http.client.HTTPResponse):
    """An answer whose head is bounded, and whose framing can be relied on. Its methods raise HTTPException."""

    def __init__(self, sock: socket.socket, **how: Any) -> None:
        super().__init__(sock, **how)
        self._interim = 0

    def begin(self) -> None:
        whole = self.fp
        self.fp = _BoundedLines(whole, HEAD_MAX)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            if self.fp is not None:  # else the answer has no body
                self.fp = whole
        self._check_framing()

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        if 100 <= status < 200 and status != http.client.SWITCHING_PROTOCOLS:
            self._interim += 1
            if self._interim > INTERIM_MAX:
                raise InvalidHead(f"the server announces an answer {INTERIM_MAX} times, and sends none")
            status = http.client.CONTINUE  # the only one that http.client skips
        return version, status, reason

    def _read_and_discard_trailer(self) -> None:
        lines = _BoundedLines(self.fp, TRAILER_MAX)
        while lines.readline(TRAILER_MAX + 1) not in (b"\r\n", b"\n", b""):
            pass

    def _check_framing(self) -> None:
        coding = self.headers.get("Transfer-Encoding", "").strip().lower()
        if coding not in ("", "identity", "chunked"):
            raise InvalidHead(f"an answer in the transfer encoding {coding[:40]!r}")
        said = {text.strip() for line in self.headers.get_all("Content-Length", ()) for text in line.split(",")}
        if not said or self.chunked:
            return
        length = said.pop()
        if said or not _LENGTH.fullmatch(length) or int(length) > SIZE_MAX:
            raise InvalidHead(f"an answer whose length cannot be: {length[:40]!r}")


class _BoundedLines:
    """The lines of a file, of so many bytes at most. Where it ends in their middle, `http.client` would go on with what
    headers there were; a file that is empty is http.client's to report."""

    def __init__(self, file: Any, most: int) -> None:
        self._file, self._left, self._most = file, most, most

    def readline(self, limit: int) -> bytes:
        line: bytes = self._file.readline(min(limit, self._left + 1))
        if not line.endswith(b"\n") and len(line) < min(limit, self._left + 1) and (line or self._left < self._most):
            raise http.client.IncompleteRead(line)
        self._left -= len(line)
        if self._left < 0:
            raise InvalidHead("the head of an answer does not end")
        return line

    def close(self) -> None:
        self._file.close()

    def flush(self) -> None:
        pass


class _Replayed:
    """Stands for a socket of which something was received already: all of that is in the file's buffer at its first
    line, as it would be if the file had received it (`connection` goes on from the socket once the buffer is empty)."""

    def __init__(self, first: bytes, sock: socket.socket) -> None:
        self._first, self._sock = first, sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_ReplayedFile(self._first, self._sock), max(len(self._first), io.DEFAULT_BUFFER_SIZE))


class _ReplayedFile(io.RawIOBase):
    def __init__(self, first: bytes, sock: socket.socket) -> None:
        self._rest, self._sock = memoryview(first), sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            try:
                return self._sock.recv_into(buffer)
            except BlockingIOError:
                raise TimeoutError("timed out") from None
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
