"""One connection: a request is sent, and the body of its answer received straight into views, or as a document.

Each call that waits gives the GIL away, and has to wait for it. So the kernel keeps the time (SO_RCVTIMEO, set when it
changes), and a plain body is received by blocking `recv` with MSG_WAITALL: one call for each run of blocks, not one for
each packet.

TLS comes in records of 16 KiB, each with a call and a wait for the GIL of its own; two dozen threads at that spend half
a second of processor time for 1 GiB on handing it from one to the next. So threads with long bodies take turns: the
longer one waits, the more it finds when its turn comes, and none is woken for a single record (four files of 256 MiB at
once took 2.3 s instead of 2.6, on two cores).
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext

from ...errors import BadAnswer, TimedOut, Unreachable
from ..deadline import Deadline
from .answers import FIRST_BYTES, PlainResponse, answer_of, plain_answer, received
from .connecting import shut
from .side_by_side import window
from .timeouts import IDLE_S

# What is received in one turn, some 0.5 ms; and what is so short that it waits for none, as a reader may wait for it.
_TURN, _SHORT = 1 << 20, 128 << 10
# A document is received in pieces of this many bytes at most.
_PIECE = 256 << 10
# After its turn a long body is left alone this long: at 90 MB/s, six records.
_GATHER_S = 0.001

_NOT_YET = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """One kept-alive connection; used by one thread at a time.

    Args:
        sock: connected.
        host: what is asked for in `Host`, with its port where that is not the scheme's own.
        turn: held by the connection whose turn it is, of all of one client.
        silence: seconds that the server may say nothing.

    Attributes:
        was_shut: another thread ended it: it looks as if the server had.
    """

    def __init__(self, sock: socket.socket, host: str, turn: threading.Lock, silence: float = IDLE_S) -> None:
        self._socket, self._host, self._turn, self._silence = sock, host, turn, silence
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._answer: http.client.HTTPResponse | None = None
        self.was_shut = False
        self._received = 0
        self._segment = 0  # bytes; 0: not looked at yet
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._waits = -1.0  # seconds, as the kernel was told
        if self._tls is None:
            sock.settimeout(None)
            self._tell_kernel(socket.SO_SNDTIMEO, silence)

    def alive(self) -> bool:
        """Whether the server has neither closed it nor sent anything unrequested."""
        plain = socket.socket.recv  # of an SSL socket too: bytes of the network, whatever they mean
        if self._tls is not None:
            self._tls.setblocking(False)
        try:
            closed = not plain(self._socket, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return not closed and self.is_new and self._has_only_tickets()

    def _has_only_tickets(self) -> bool:
        """Whether nothing has come but what TLS 1.3 sends when a connection was opened (session tickets)."""
        if self._tls is not None:
            try:
                self._tls.recv(1)
            except ssl.SSLWantReadError:
                return True
            except OSError:
                pass
        return False

    @property
    def is_new(self) -> bool:
        """Whether nothing was asked for on it yet."""
        return self._answer is None

    @property
    def window(self) -> int:
        """Bytes of an answer's body that come in one round trip, about. Raises OSError where it is closed."""
        if not self._segment:
            self._segment = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        return window(self._segment, self._received)

    @property
    def peer(self) -> str:
        """The IP address that it leads to; "" where it is closed."""
        try:
            return str(self._socket.getpeername()[0])
        except OSError:
            return ""

    @property
    def reusable(self) -> bool:
        """Whether a request can be sent: all of the last answer was received, and it does not end with that."""
        answer = self._answer
        return (answer is None or (answer.isclosed() and not answer.will_close)) and not self.was_shut

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        *,
        body: bytes | None = None,
        silence: float | None = None,
    ) -> http.client.HTTPResponse:
        """Send a request and wait for the head of its answer.

        Args:
            target: a path, or a whole URL for a proxy.
            body: what is sent behind the headers; None: nothing, as most requests have none.
            silence: seconds that the server may take before it answers; None: as many as of silence later.
        """
        self._wait_at_most(self._time_left(deadline, silence))
        try:
            self._socket.sendall(_request(method, target, self._host, headers, body))
        except BlockingIOError:
            raise TimeoutError("timed out") from None
        first = received(self._socket, FIRST_BYTES)
        if not first:
            raise http.client.RemoteDisconnected("the server closed the connection without an answer")
        self._answer = answer = answer_of(first, self._socket, method)
        self._received += answer.length or 0
        if answer.length == 0:
            answer.close()  # nothing will come
        return answer

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def begin(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        """Send a request, as `ask` does, without waiting for anything: `head_now` and `receive_now` take its answer.

        Raises ValueError and InvalidURL, and what sockets raise where it does not go out at once.
        """
        request = _request(method, target, self._host, headers, None)
        if self._tls is not None:
            self._tls.settimeout(0)
            sent = self._tls.send(request)
        else:
            sent = self._socket.send(request, socket.MSG_DONTWAIT)
        if sent < len(request):
            raise BlockingIOError("a request does not go out at once")

    def head_now(self) -> PlainResponse | None:
        """The head of the answer to what was begun, if it has come. Raises HTTPException where it is not a plain one,
        and whole, and what sockets raise."""
        try:
            first = self._socket.recv(FIRST_BYTES, 0 if self._tls is not None else socket.MSG_DONTWAIT)
        except (BlockingIOError, *_NOT_YET):
            return None
        if not first:
            raise http.client.RemoteDisconnected("the server closed the connection without an answer")
        answer = plain_answer(first, self._socket)
        if answer is None:
            raise http.client.HTTPException("the head of an answer is not a plain one")
        self._answer = answer
        self._received += answer.length or 0
        return answer

    def receive_now(self, view: memoryview) -> int:
        """Take of the body what has come, as much as `view` holds at most; how many bytes. Raises Unreachable at the
        end, and what sockets raise."""
        if self._tls is not None:
            return self._receive_arrived(view, "a short GET")
        try:
            got = self._socket.recv_into(view, len(view), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        if not got:
            raise _broken("a short GET")
        return got

    def answer_ended(self) -> None:
        """All of the body was taken by `receive_now`: another request can be sent."""
        assert self._answer is not None
        self._answer.length = 0
        self._answer.close()

    def document(self, answer: http.client.HTTPResponse, most: int, subject: object, deadline: Deadline) -> bytes:
        """The whole body. Raises BadAnswer past `most` bytes, and what sockets raise."""
        body = bytearray()
        while not answer.isclosed():
            if (answer.length or 0) + len(body) > most or len(body) > most:
                raise BadAnswer(f"{subject}: an answer of more than {most >> 10} KiB", code="Body")
            self._wait_at_most(self._time_left(deadline))
            body += answer.read1(_PIECE)  # what is there, so that one that is too long is noticed
            if answer.length == 0:
                answer.close()
        if answer.length:
            raise _broken(subject)
        return bytes(body)

    def receive(
        self, answer: http.client.HTTPResponse, views: list[memoryview], subject: object, deadline: Deadline
    ) -> None:
        """Receive the body into `views`, which are exactly as long. Raises StoreError, and what sockets raise."""
        if answer.chunked:  # a gateway's doing: its frames are taken off by http.client
            self._receive_chunks(answer, views, subject, deadline)
            return
        short = sum(len(view) for view in views) <= _SHORT
        for view in _behind_head(answer, views, subject):
            if self._tls is not None:
                turn = nullcontext() if short else self._turn
                self._receive_records(self._tls, view, turn, subject, deadline)
            else:
                self._receive_plain(view, subject, deadline)
        answer.length = 0
        answer.close()

    def shut(self) -> None:
        """End whatever waits for it on another thread. `close` it afterwards."""
        self.was_shut = True
        shut(self._socket)

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
        self._socket.close()

    def _time_left(self, deadline: Deadline, silence: float | None = None) -> float:
        """Seconds to wait for the next byte. Raises TimedOut or Cancelled when the deadline is over."""
        deadline.check("the request")
        return max(0.001, min(self._silence if silence is None else silence, deadline.left()))

    def _receive_plain(self, view: memoryview, subject: object, deadline: Deadline) -> None:
        while len(view):
            self._wait_at_most(self._time_left(deadline))
            try:
                got = self._socket.recv_into(view, len(view), socket.MSG_WAITALL)
            except BlockingIOError:
                raise _silent(subject) from None
            if not got:
                raise _broken(subject)
            view = view[got:]

    def _wait_at_most(self, seconds: float) -> None:
        """Whatever waits for the server does not wait longer from now on."""
        if self._tls is not None:
            self._tls.settimeout(seconds)
        elif seconds != self._waits:
            self._tell_kernel(socket.SO_RCVTIMEO, seconds)
            self._waits = seconds

    def _tell_kernel(self, option: int, seconds: float) -> None:
        self._socket.setsockopt(
            socket.SOL_SOCKET, option, struct.pack("ll", int(seconds), max(1, int(seconds % 1 * 1e6)))
        )

    def _receive_records(
        self,
        tls: ssl.SSLSocket,
        view: memoryview,
        turn: AbstractContextManager[object],
        subject: object,
        deadline: Deadline,
    ) -> None:
        tls.settimeout(0)
        while True:
            with turn:
                view = view[self._receive_arrived(view[:_TURN], subject) :]
            if not len(view):
                return
            if len(view) > _SHORT:
                time.sleep(_GATHER_S)
            if not tls.pending() and not self._poll.poll(self._time_left(deadline) * 1e3):
                raise _silent(subject)

    def _receive_arrived(self, view: memoryview, subject: object) -> int:
        """Receive the records that have arrived; returns how many bytes they held."""
        at, receive_into = 0, self._socket.recv_into
        try:
            while at < len(view):
                got = receive_into(view[at:], len(view) - at)  # given, the length need not be found out
                if not got:
                    raise _broken(subject)
                at += got
        except _NOT_YET:
            pass
        return at

    def _receive_chunks(
        self, answer: http.client.HTTPResponse, views: list[memoryview], subject: object, deadline: Deadline
    ) -> None:
        for view in views:
            at = 0
            while at < len(view):
                self._wait_at_most(self._time_left(deadline))
                got = answer.readinto(view[at:])
                if not got:
                    raise BadAnswer(f"{subject}: the body ended {len(view) - at} bytes early", code="Body")
                at += got
        self._wait_at_most(self._time_left(deadline))
        if answer.read(1):  # which also takes the last, empty frame off the connection
            raise BadAnswer(f"{subject}: the body goes on past its range", code="Body")


def _request(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """A request as it is sent. Raises ValueError and InvalidURL rather than let one line become two."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {headers.get('Host', host)}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() != "host"]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    if not (target.isascii() and target.isprintable()) or " " in target:
        raise http.client.InvalidURL(f"a URL cannot hold control characters: {target!r}")
    head = "\r\n".join([*lines, "", ""])
    if not head.count("\r") == head.count("\n") == len(lines) + 1:
        raise ValueError("a header cannot hold line breaks")
    return head.encode("iso-8859-1") + (body or b"")


def _behind_head(answer: http.client.HTTPResponse, views: list[memoryview], subject: object) -> Iterator[memoryview]:
    """Fill `views` with what came together with the head of `answer`; yields what is left of them."""
    if isinstance(answer, PlainResponse):
        yield from (left for view in views if len(left := view[answer.take(view) :]))
        return
    held = True  # in its buffer, until that gives less than was asked for
    for view in views:
        while held and len(view):
            got = answer.fp.readinto1(view)
            if not got:
                raise _broken(subject)
            held = got == len(view)
            view = view[got:]
        if len(view):
            yield view


def _silent(subject: object) -> TimedOut:
    return TimedOut(f"{subject}: the server stopped in the middle of its answer")


def _broken(subject: object) -> Unreachable:
    return Unreachable(f"{subject}: the connection broke in the middle of the answer")
