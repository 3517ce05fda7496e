"""A socket server that answers so many requests at once and no more, a thread and a descriptor each."""

from __future__ import annotations

import socketserver
import threading
from typing import Any


class FewAtOnceMixIn(socketserver.ThreadingMixIn):
    """Before a server's class, as `socketserver.ThreadingMixIn`.

    Attributes:
        at_once: requests answered at once, at most.
        patience: seconds that one more waits before it is refused.
    """

    daemon_threads = True
    block_on_close = False  # a client that is slow, or a handler that waits for the network, must not hold up the end
    at_once = 16
    patience = 0.0

    def __init__(self, *args: Any) -> None:
        self._free = threading.BoundedSemaphore(self.at_once)
        super().__init__(*args)

    def refuse(self, request: Any) -> None:
        """Tell a client that it is one too many. Must not wait."""

    def begins(self, request: Any) -> None:
        """A client is about to be answered."""

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(timeout=self.patience):
            self.refuse(request)
            self.shutdown_request(request)  # type: ignore[attr-defined]  # of the server
            return
        self.begins(request)
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be made
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()
