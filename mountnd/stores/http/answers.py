"""The head of an answer over HTTP/1, within limits: what a server may say before its body, however it frames it.

`http.client` takes a hundred header lines of 64 KiB each, skips `100 Continue` for ever, reads trailers without an end,
and takes `1_0`, `-1` or two different numbers for a length.
"""

from __future__ import annotations

import http.client
import re
import socket
from typing import Any

from ..facts import SIZE_MAX

# Answers that announce another one (1xx). A server sends none or one to a GET; a hundred at once is a fault.
INTERIM_MAX = 100
# Bytes of all lines before the body, interim answers' among them, where S3 sends less than 8 KiB; and after it.
HEAD_MAX, TRAILER_MAX = 256 << 10, 64 << 10

_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)


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
