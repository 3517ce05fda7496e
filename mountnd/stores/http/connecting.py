"""From a host and a port to a connected socket: name, TCP, the proxy's tunnel, TLS; each step ends with the deadline.

Names are looked up by a thread of their own, as the system's resolver can neither be told how long it may take nor be
ended. Those who ask for the same name at a time share one.

Lock order: `_lock` is a leaf: it guards the look-ups under way.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from ...errors import BadAnswer, StoreError
from ..deadline import Deadline
from .answers import BoundedResponse
from .proxy import Proxy, proxy_for
from .timeouts import USUAL, Patience

T = TypeVar("T")

_Address = tuple[socket.AddressFamily, tuple[Any, ...]]
_lookups: dict[tuple[str, int], Future[list[_Address]]] = {}
_lock = threading.Lock()


def _begin_anew() -> None:
    """In a forked process: nobody looks anything up there, and somebody may have held the lock."""
    global _lock
    _lock = threading.Lock()
    _lookups.clear()


os.register_at_fork(after_in_child=_begin_anew)


class Route(NamedTuple):
    """Where a connection goes.

    Attributes:
        host, port: of the server.
        https: whether it speaks TLS.
        proxy: what leads there, None where it is reached directly.
    """

    host: str
    port: int
    https: bool
    proxy: Proxy | None = None

    @classmethod
    def to(cls, url: str) -> Route:
        """Where `url` leads, by the environment's proxy. Raises StoreError where it, or the proxy, cannot be used."""
        try:
            parts = urlsplit(url)
            host, port, https = parts.hostname or "", parts.port, parts.scheme == "https"
            host = host if host.isascii() else host.encode("idna").decode()
        except ValueError as error:
            raise StoreError(f"not a valid URL: {error}", code="URL") from error
        if parts.scheme not in ("http", "https") or not host:
            raise StoreError("not a valid URL", code="URL")
        return cls(host, port or (443 if https else 80), https, proxy_for(url))

    @property
    def place(self) -> str:
        """`host`, or `host:port` where that is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.https else 80) else f"{host}:{self.port}"

    @property
    def tunnels(self) -> bool:
        """Whether the proxy only passes bytes on; else it is told whole URLs."""
        return self.proxy is not None and self.https


def connect(
    route: Route,
    context: ssl.SSLContext | None,
    deadline: Deadline,
    allowed: Callable[[str], bool] | None = None,
    patience: Patience = USUAL,
) -> socket.socket:
    """A connected socket, `ssl.SSLSocket` where the route is https.

    Args:
        context: for TLS; may be None where there is none.
        allowed: whether an IP address may be connected to; None: all.

    Raises TimedOut, Cancelled, BadAnswer where no address is allowed, HTTPException, and what sockets raise.
    """
    proxy = route.proxy
    host, port = (proxy.host, proxy.port) if proxy is not None else (route.host, route.port)
    addresses = _resolve(host, port, deadline)
    if allowed is not None and proxy is None:
        addresses = [address for address in addresses if allowed(address[1][0])]
        if not addresses:
            raise BadAnswer(
                f"{host}: not led there: its address is of a network that is not the internet", code="Location"
            )
    sock = _connect_to_one(addresses, deadline, patience)
    try:
        if route.tunnels:
            assert proxy is not None
            with deadline.ending(partial(shut, sock)):
                _tunnel(sock, route, proxy, deadline, patience)
        if route.https:
            sock = _start_tls(sock, context, route.host, deadline, patience)
    except BaseException:
        sock.close()
        raise
    return sock


def shut(sock: socket.socket) -> None:
    """End whatever another thread waits for on a socket, which must be closed afterwards."""
    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # an SSL socket's own would forget that it is one


def in_thread(call: Callable[..., T], *args: object) -> Future[T]:
    """Make a call that cannot be ended in a thread of its own. Made at once where no thread can be had."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call(*args))
        except BaseException as error:
            future.set_exception(error)

    try:
        threading.Thread(target=run, name="resolve", daemon=True).start()
    except RuntimeError:
        run()
    return future


def _resolve(host: str, port: int, deadline: Deadline) -> list[_Address]:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    else:
        return _look_up(host, port)
    with _lock:
        future = _lookups.get((host, port))
        if future is None:
            future = _lookups[host, port] = in_thread(_look_up, host, port)
    try:
        return deadline.result(future, host)
    finally:
        if future.done():
            with _lock:
                if _lookups.get((host, port)) is future:
                    del _lookups[host, port]


def _look_up(host: str, port: int) -> list[_Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that is empty or too long
        raise OSError(f"{host[:80]}: not a host name") from error
    return [(family, address) for family, _, _, _, address in found]


_NO_NETWORK = (errno.ENETUNREACH, errno.EADDRNOTAVAIL)


def _connect_to_one(addresses: list[_Address], deadline: Deadline, patience: Patience) -> socket.socket:
    failed: OSError | None = None
    for family, address in addresses:
        deadline.check(address[0])
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(0.001, min(patience.connect, deadline.left())))
            with deadline.ending(partial(shut, sock)):
                sock.connect(address)
            deadline.check(address[0])
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            if failed is None or error.errno not in _NO_NETWORK:
                failed = error  # a machine without IPv6 says so after what IPv4 said
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failed or OSError("no address")


def _tunnel(sock: socket.socket, route: Route, proxy: Proxy, deadline: Deadline, patience: Patience) -> None:
    host = f"[{route.host}]" if ":" in route.host else route.host
    place = f"{host}:{route.port}"
    lines = [
        f"CONNECT {place} HTTP/1.1",
        f"Host: {place}",
        *(f"{name}: {text}" for name, text in proxy.headers.items()),
    ]
    sock.settimeout(max(0.001, min(patience.silence, deadline.left())))
    sock.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
    answer = BoundedResponse(sock, method="CONNECT")
    try:
        answer.begin()
        if answer.status == 407:
            raise OSError("it needs a user and password, or rejected those given (407)")
        if not 200 <= answer.status < 300:
            raise OSError(f"it answered {answer.status}")
    finally:
        answer.close()


def _start_tls(
    sock: socket.socket, context: ssl.SSLContext | None, host: str, deadline: Deadline, patience: Patience
) -> ssl.SSLSocket:
    assert context is not None
    tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        tls.settimeout(max(0.001, min(patience.connect, deadline.left())))
        with deadline.ending(partial(shut, tls)):
            tls.do_handshake()
    except BaseException:
        tls.close()
        raise
    return tls
