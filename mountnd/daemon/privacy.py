"""What of a daemon others may look at: not its memory, which holds keys, and no secret in its arguments."""

from __future__ import annotations

import ctypes
import logging
import os
import resource
from pathlib import Path

from ..redaction import redacted

log = logging.getLogger(__name__)

# linux/prctl.h
_PR_SET_DUMPABLE = 4
# Fields of /proc/PID/stat (proc(5)), counted from the one after the name.
_ARG_START, _ARG_END = 48 - 3, 49 - 3


def hide_memory() -> None:
    """No core dump of this process, and no debugger of the same user on it.

    The limit alone would not do: a core_pattern that is a program gets its dump all the same. From now on /proc/PID of
    an ordinary user's process belongs to root: what needs rights there (`fd`, `ns`, `environ`) is closed to others, and
    where /proc is mounted with hidepid=2, all of it; this process itself sees it as before. Programs that it starts are
    as usual. Call it once namespaces and the like are set up.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError) as e:
        log.info("core dumps stay as they are: %s", e)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        log.info("the memory of this process stays open to its user: %s", os.strerror(ctypes.get_errno()))


def hide_arguments() -> None:
    """Overwrite the secrets in what `ps` shows of this process to everybody: a URL may have been typed with one."""
    try:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    except (OSError, ValueError, IndexError):
        return
    if not 0 < start < end or end - start > 1 << 22:
        return
    at = start
    for argument in ctypes.string_at(start, end - start).split(b"\0"):
        shown = os.fsencode(redacted(os.fsdecode(argument)))
        if shown != argument:
            ctypes.memmove(at, shown[: len(argument)].ljust(len(argument), b"*"), len(argument))
        at += len(argument) + 1
