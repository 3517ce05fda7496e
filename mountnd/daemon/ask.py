"""Requests to a running mount, through its control socket (`control`). Nothing here looks at the mount itself, so all
of it ends in time where the daemon hangs.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import MountError
from . import lookup, mounts, rundir

# A daemon in good health takes milliseconds to answer, on a busy machine a second or two.
ANSWER_S = 10.0
# An answer has a hundred counters for each source.
_ANSWER_BYTES = 64 << 20
_PIECE = 1 << 16


@contextmanager
def address_of(mountpoint: Path, place: Path) -> Iterator[str]:
    """An address of the mount's socket in the run directory `place`; by a descriptor, for a path may have 107 bytes."""
    fd = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{rundir.stem(mountpoint)[-8:]}.sock"
    finally:
        os.close(fd)


def receive(connection: socket.socket, most: int, seconds: float) -> bytes:
    """A line of up to `most` bytes, without its end, all of it within `seconds`; less where the other side ends.

    Raises OSError, and MountError for a line that is longer.
    """
    end, line = time.monotonic() + seconds, bytearray()
    while b"\n" not in line[-_PIECE:]:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(_PIECE)
        if not piece:
            break
        line += piece
        if len(line) > most:
            raise MountError(f"unknown message: more than {most} bytes")
    return bytes(line.partition(b"\n")[0])


def request(mountpoint: Path, verb: str, *, seconds: float = ANSWER_S, **arguments: Any) -> Any:
    """Send a request to the daemon of the mount at `mountpoint` (resolved) and return its answer.

    Raises MountError: no mount of this user there, no answer within `seconds`, or the daemon's own refusal.
    """
    record = lookup.daemon_of(mountpoint)
    if record is None and lookup.is_ours(mountpoint):
        raise MountError(
            f"{mountpoint}: its daemon is dead, or can write to no run directory (mountnd doctor says why)."
        )
    if record is None or not record.alive():
        raise MountError(f"{mountpoint} is not a mount of yours (mountnd ls lists them).")
    end = time.monotonic() + lookup.RESTORE_S
    while (answer := _ask(record, mountpoint, verb, seconds, arguments)) is None:
        if not lookup.is_ours(mountpoint) or time.monotonic() > end:
            raise MountError(f"{mountpoint}: its daemon (pid {record.pid}) has no control socket.")
        time.sleep(0.05)
    return _parse_answer(mountpoint, answer)


def _ask(
    record: rundir.Record, mountpoint: Path, verb: str, seconds: float, arguments: Mapping[str, Any]
) -> bytes | None:
    """The line that the daemon answers; None where there is no socket of it. Raises MountError."""
    for place in rundir.candidates(os.environ, os.getuid()):
        if rundir.open_place(place) is None:  # none, or somebody else's: he would answer
            continue
        try:
            with address_of(mountpoint, place) as address, socket.socket(socket.AF_UNIX) as s:
                s.settimeout(seconds)
                s.connect(address)
                s.sendall(json.dumps({**arguments, "verb": verb}).encode() + b"\n")
                return receive(s, _ANSWER_BYTES, seconds)
        except (FileNotFoundError, ConnectionRefusedError):
            continue
        except (TimeoutError, BlockingIOError):  # the latter where its queue of connections is full
            raise MountError(_no_answer(mountpoint, record)) from None
        except OSError as e:
            raise MountError(f"{mountpoint}: its daemon (pid {record.pid}) cannot be reached: {e.strerror}.") from e
    return None


def _no_answer(mountpoint: Path, record: rundir.Record) -> str:
    about, end = f"{mountpoint}: its daemon (pid {record.pid})", f"mountnd umount --lazy {shlex.quote(str(mountpoint))}"
    if mounts.is_stopped(record.pid):
        return f"{about} is stopped. To let it go on: kill -CONT {record.pid}; to end it: {end}"
    return f"{about} does not answer. To end it: {end}"


def answers(mountpoint: Path, seconds: float) -> bool:
    """Whether the daemon of the mount at `mountpoint` answers a request within `seconds`."""
    try:
        request(mountpoint, "stats", seconds=seconds)
    except MountError:
        return False
    return True


def is_writing(mountpoint: Path, seconds: float) -> bool:
    """Whether the daemon of the mount that was at `mountpoint` says within `seconds` that it writes its report."""
    try:
        return bool(request(mountpoint, "writing", seconds=seconds))
    except MountError:
        return False


def remove_socket(mountpoint: Path) -> None:
    """Remove what a daemon that was killed has left of its socket."""
    for place in rundir.candidates(os.environ, os.getuid()):
        with suppress(OSError), address_of(mountpoint, place) as address:
            os.unlink(address)


def _parse_answer(mountpoint: Path, line: bytes) -> Any:
    if not line:
        raise MountError(f"{mountpoint}: its daemon ended without an answer.")
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and "error" in answer:
        raise MountError(f"{mountpoint}: {answer['error']}")
    if not isinstance(answer, dict) or "ok" not in answer:
        raise MountError(f"{mountpoint}: its daemon's answer cannot be read; is it of another version?")
    return answer["ok"]
