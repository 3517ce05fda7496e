"""What a service manager is told of a mount in the foreground: that it can be read, and that it ends.

The protocol is that of sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names, whose first byte `@` stands for
the zero byte of an abstract one. It is meant to be written out by programs themselves (see "Notes" there): a library
would be longer.
"""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)

VARIABLE = "NOTIFY_SOCKET"
# A manager that does not take it at once is not waited for.
_SECONDS = 1.0

_told_ready = _told_stopping = False


def ready() -> None:
    """The mount can be read."""
    global _told_ready
    _told_ready = _tell("READY=1")


def stopping() -> None:
    """It ends. Said once, and only to whom was told that it was ready."""
    global _told_stopping
    if _told_ready and not _told_stopping:
        _told_stopping = True
        _tell("STOPPING=1")


def _tell(state: str) -> bool:
    """Whether there is a manager, and it was told."""
    address = os.environ.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return False  # none, or of a kind that is not known
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.settimeout(_SECONDS)
            to.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            to.sendall(state.encode())
    except OSError as e:
        log.warning("%s %s cannot be told %s: %s", VARIABLE, address, state, e.strerror or e)
        return False
    return True
