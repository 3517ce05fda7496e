"""The HTTP server of `--metrics`: bound before there is a mount, serving while there is one.

`wsgiref` under prometheus-client's own WSGI application. What `prometheus_client.start_http_server` does not do is done
here: a client that sends nothing, or trickles, is cut off; so many at once are served and no more; nothing is looked up
in the DNS, and nothing printed.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app

from ..errors import MountError
from ..few_at_once import FewAtOnceMixIn
from ..threads import start
from ..waits import later
from .collector import MountCollector
from .measures import Measures

log = logging.getLogger(__name__)

# A scrape takes milliseconds; whoever takes longer than this to ask for one and to read it is cut off.
REQUEST_S = 5.0
# Requests served at once; a thread and a descriptor each. One more waits for a moment and is refused then.
AT_ONCE = 16
# How soon the end of a mount is noticed.
_POLL_S = 0.2
# What to do about an address that cannot be had, by errno.
_HINTS = {
    errno.EADDRINUSE: ". Another program does, or another mount: take another port, or 0 for one that is free",
    errno.EACCES: ". Ports below 1024 are root's: take a higher one",
    errno.EADDRNOTAVAIL: ". It is no address of this machine; 127.0.0.1 always is",
}

_Start = Callable[..., Any]


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_S

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("metrics: %s", format % args)


class _Server(FewAtOnceMixIn, WSGIServer):
    at_once, patience = AT_ONCE, _POLL_S

    def __init__(self, family: int, address: Any) -> None:
        self.address_family = family
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """As those of `WSGIServer` and above, without looking for the host's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def begins(self, request: Any) -> None:
        later(REQUEST_S, lambda: _cut_off(request))

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("metrics: a connection broke: %s", sys.exc_info()[1])


def _cut_off(request: socket.socket) -> None:
    with suppress(OSError):  # it is closed, mostly
        request.shutdown(socket.SHUT_RDWR)


class Exporter:
    """Listens at an address, and answers once it was given a mount to measure.

    Raises MountError where nothing can listen there.

    Attributes:
        url: where the metrics are, with the port that was chosen where none was named.
        is_open: others than this machine's users can reach it.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = _listen(host, port)
        ip, bound = self._server.server_name, self._server.server_port
        shown = f"[{ip}]" if ":" in ip else ip
        self.url = f"http://{shown}:{bound}/metrics"
        self.is_open = not ipaddress.ip_address(ip.partition("%")[0]).is_loopback
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def serve(self, measure: Callable[[], Measures]) -> None:
        """Answer from now on, on threads of its own. Raises MountError where the system grants none."""
        registry = CollectorRegistry()
        registry.register(MountCollector(measure))
        ProcessCollector(registry=registry)
        self._server.set_app(_safe(make_wsgi_app(registry)))
        thread = threading.Thread(target=self._work, name="metrics", daemon=True)
        start(thread)
        self._thread = thread

    def close(self) -> None:
        """Answer no more, and free the port. Idempotent."""
        self._ended.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self._server.server_close()

    def _work(self) -> None:
        self._server.timeout = _POLL_S
        while not self._ended.is_set():
            try:
                self._server.handle_request()
            except Exception:  # no descriptor is free, ...
                log.debug("metrics", exc_info=True)
                self._ended.wait(_POLL_S)


def _listen(host: str, port: int) -> _Server:
    """A server bound to the first of the host's addresses that can be had. Raises MountError."""
    where = f"--metrics {f'[{host}]' if ':' in host else host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as e:  # the latter for a name that is no host's
        why = e.strerror if isinstance(e, OSError) else e
        raise MountError(
            f"{where}: {host!r} is no address of this machine ({why}). For this machine: 127.0.0.1"
        ) from None
    refused: OSError | None = None
    for family, _, _, _, address in found:
        try:
            return _Server(family, address)
        except OSError as e:
            refused = refused or e
    assert refused is not None
    hint = "" if refused.errno is None else _HINTS.get(refused.errno, "")
    raise MountError(f"{where}: cannot listen there: {refused.strerror or refused}{hint}") from None


def _safe(app: Callable[[dict[str, Any], _Start], Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The application, whose faults go to the log and not to stderr."""

    def answer(environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Exception:
            log.exception("metrics")
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"the mount could not be measured; its log says why (mountnd logs)\n"]

    return answer
