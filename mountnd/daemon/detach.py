"""Into the background: fork before the first thread, and report to the waiting parent.

A thread does not survive a fork but the locks it holds do, so everything that makes threads (the
stores, the FUSE loop) is built in the child. The child talks to its parent through a pipe, one JSON
object a line: {"say": line}, {"error": line, "code": exit code}, {"ready": true}. Then it closes it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import working_directory
from ..errors import MountError, MountndError
from ..foreign_text import line
from ..threads import granted
from . import logs, mounts

log = logging.getLogger(__name__)

# What a terminal sends to a whole group of processes.
_TYPED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
# How long a child may take to end after SIGTERM before it is killed.
_END_S = 3.0
# What is kept of what C libraries print before the mount is ready.
_PRINTED_BYTES = 1 << 16


class Reporter:
    """The child's end of the pipe. Safe to use after the parent is gone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.done = False

    def _send(self, message: dict[str, Any]) -> bool:
        try:
            os.write(self._fd, json.dumps(message).encode() + b"\n")
        except OSError:
            return False  # the parent is gone
        return True

    def say(self, line: str) -> None:
        """A line for the person at the terminal."""
        if not self.done:
            self._send({"say": line})

    def ready(self) -> None:
        """The tree is there; the parent may exit. If it was gone before, nobody wants this mount: it ends."""
        _leave_session()
        if not self._finish({"ready": True}):
            log.warning("the command that wanted this mount has ended; unmounting")
            os.kill(os.getpid(), signal.SIGTERM)

    def error(self, line: str, code: int) -> None:
        """It failed; the parent prints `line` and exits with `code`."""
        self._finish({"error": line, "code": code})

    def _finish(self, message: dict[str, Any]) -> bool:
        if self.done:
            return True
        sent, self.done = self._send(message), True
        os.close(self._fd)
        return sent


def _leave_session() -> None:
    """Become a session of its own, which no terminal sends signals to."""
    with suppress(PermissionError):  # it leads its group already
        os.setsid()
    if threading.current_thread() is threading.main_thread():  # only there; they stay ignored else
        for number in _TYPED:
            if signal.getsignal(number) == signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)


@dataclass(frozen=True, slots=True)
class Child:
    """The parent's view: the daemon's pid, and the pipe to read from."""

    pid: int
    fd: int

    def end(self) -> None:
        """Terminate it, after some seconds kill it, and wait for it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                break
            if mounts.wait_exit(self.pid, _END_S):
                break
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass


def detach(work: Callable[[Reporter], int]) -> Child:
    """Fork. The child goes to "/", with /dev/null as its three streams and no other descriptor of its parent's but the
    pipe, runs `work` and ends with what it returns.

    Once `work` says that it is ready the child becomes a session of its own. Not before: under an automounter (autofs,
    systemd) whoever mounts must be in the automounter's process group, or waits for himself at his own mountpoint.

    `work` points the streams elsewhere with `early_output` when it has a log file.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it
    read_end, write_end = _pipe()
    try:
        pid = granted(os.fork)
    except MountError:
        os.close(read_end)
        os.close(write_end)
        raise
    if pid:
        os.close(write_end)
        return Child(pid, read_end)
    status = 1
    try:
        for number in _TYPED:
            signal.signal(number, signal.SIG_IGN)  # the parent gets them, too, and ends this process
        working_directory.leave()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
            os.set_inheritable(fd, True)
        # The interpreter kept no descriptor that matters: what it opened so far are files it has read.
        _close_all_but(write_end)
        status = _run(work, Reporter(write_end))
    finally:
        os._exit(status)  # not sys.exit: the parent's exit handlers and buffers are not the child's


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are not among the three streams, which the child replaces: those may have been closed."""
    ends = []
    for fd in os.pipe():
        ends.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3))
        os.close(fd)
    return ends[0], ends[1]


def _run(work: Callable[[Reporter], int], report: Reporter) -> int:
    try:
        return work(report)
    except MountndError as e:
        log.error("%s", e)
        report.error(str(e), e.exit_code)
        return e.exit_code
    except SystemExit as e:
        log.info("ended by a signal before the mount was ready")
        return e.code if isinstance(e.code, int) else 1
    except BaseException as e:
        log.exception("unexpected")
        last = traceback.extract_tb(e.__traceback__)[-1]
        report.error(f"internal error: {type(e).__name__}: {e} ({os.path.basename(last.filename)}:{last.lineno})", 1)
        return 1
    finally:
        logging.shutdown()


def _close_all_but(keep: int) -> None:
    try:
        open_fds = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        open_fds = list(range(min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65536)))
    for fd in open_fds:
        if fd > 2 and fd != keep:
            try:
                os.close(fd)
            except OSError:
                pass  # the descriptor that listed the directory


@contextmanager
def early_output(path: str, report: Reporter) -> Iterator[Callable[[], None]]:
    """Keep what C libraries print (libfuse reports on stderr why a mount was refused) for the person who waits.

    Yields a function that ends this: from then on, as after the block, it goes to the log file at `path`.
    When the block fails before, what was printed goes to the parent first.
    """
    kept = os.memfd_create("early")
    ended = False
    for fd in (1, 2):
        os.dup2(kept, fd)

    def end() -> None:
        nonlocal ended
        if ended:
            return
        ended = True
        try:
            log_fd = logs.open_log(path)
        except OSError:  # its directory was removed, or is full: a mount that works goes on without
            log_fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(log_fd, "".join(f"{line(text)}\n" for text in printed()).encode(errors="backslashreplace"))
        except OSError:
            pass
        for fd in (1, 2):
            os.dup2(log_fd, fd)
        os.close(log_fd)
        os.close(kept)

    def printed() -> list[str]:
        return os.pread(kept, min(os.fstat(kept).st_size, _PRINTED_BYTES), 0).decode(errors="replace").splitlines()

    try:
        yield end
    except BaseException:
        if not ended:
            for text in printed():
                report.say(text)
        raise
    finally:
        end()


def await_ready(child: Child, seconds: float, log_file: Path, say: Callable[[str], None]) -> None:
    """Wait until the child says that it is ready, passing on what it says before.

    Raises MountError (with the child's exit code) when it fails, ends, or is not ready after `seconds`; the child has
    ended then.
    """
    try:
        for message in _messages(child.fd, seconds):
            if "say" in message:
                say(message["say"])
            elif "error" in message:
                error = MountError(message["error"])
                error.exit_code = message["code"]
                raise error
            elif "ready" in message:
                return
        raise MountError(f"The daemon ended before the mount was ready; its log is {log_file}")
    except TimeoutError:
        child.end()
        raise MountError(f"The mount was not ready within {seconds:.0f} s; giving up. The log is {log_file}") from None
    except BaseException:
        child.end()
        raise
    finally:
        os.close(child.fd)


def _messages(fd: int, seconds: float) -> Iterator[dict[str, Any]]:
    """The objects that come through the pipe, until it closes. Raises TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    rest = b""
    while (left := end - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            continue
        chunk = os.read(fd, 65536)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        for message in lines:
            yield json.loads(message)
    raise TimeoutError
