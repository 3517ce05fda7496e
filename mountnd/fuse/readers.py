"""Whether anybody waits for the answer to a request of the kernel.

A program that gets a signal while it waits is told of by FUSE_INTERRUPT. For readahead, which is also how page faults
and most reads of files come, there is none: the program waits for the page, and when it is killed the kernel lets it go
and says nothing. But each request carries the thread that it is made for. When that is gone, the answer can be an
error: whoever else waits for the same page asks for it again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from . import binding


class KernelReader:
    """The reader of the request that this thread serves; of nobody's on another thread."""

    def __init__(self) -> None:
        self._request, self._thread = binding.request()

    def has_signal(self) -> bool:
        return bool(self._request) and binding.is_interrupted(self._request)

    def is_gone(self) -> bool:
        return is_gone(self._thread)


def is_gone(
    thread: int, *, signal: Callable[[int, int], object] = os.kill, read: Callable[[str], str] | None = None
) -> bool:
    """Whether a thread of this machine has ended. False where that cannot be known (0: one of another pid namespace).

    Args:
        signal, read: kill(2), and what gives a file's text; for tests.
    """
    if thread <= 0:
        return False
    try:
        signal(thread, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # another user's
    # One that was killed, and whose parent has not asked for its end yet, is still there by number.
    with suppress(OSError, IndexError):
        stat = (read or _text)(f"/proc/{thread}/stat")
        return stat.rpartition(")")[2].split()[0] in ("Z", "X")
    return False


def _text(path: str) -> str:
    with open(path, encoding="latin-1") as f:
        return f.read()
