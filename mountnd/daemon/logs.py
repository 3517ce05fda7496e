"""Where messages go: the terminal in front, a file in the background, and the parent until the mount is ready.

A log is its owner's alone (0600): file names and the addresses of data may be confidential. What stands in it went
through `foreign_text`: no secret, no line that somebody else made.
"""

from __future__ import annotations

import errno
import logging
import logging.handlers
import os
import stat
import sys
import threading
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from ..errors import MountError
from ..foreign_text import log_records

log = logging.getLogger(__name__)

# The run directory lies in memory (tmpfs), so a log that nobody asked for stays small: one file and
# its predecessor of 1 MiB each.
_OWN_LOG_BYTES = 1 << 20

_FORMAT = "%(asctime)s %(levelname)-7s %(threadName)s %(name)s: %(message)s"


class _LogFile(logging.handlers.RotatingFileHandler):
    """Appends to a file, and follows its path: it is made again where it was removed.

    Where that is not possible, messages go on into the file that was open. No message ever raises: whoever logs is
    in the middle of a reader's request.

    Args:
        own: the file is ours alone, so one that somebody else has made at the path is not followed.
    """

    def __init__(self, path: Path, *, own: bool) -> None:
        self._own = own
        super().__init__(path, maxBytes=_OWN_LOG_BYTES if own else 0, backupCount=1 if own else 0, errors="replace")

    def _open(self) -> TextIOWrapper:
        return os.fdopen(open_log(self.baseFilename), "a", encoding="utf-8", errors="replace")

    def handleError(self, record: logging.LogRecord) -> None:
        pass  # a full disk, a pipe that nobody reads; the default writes to stderr, which is this file

    def emit(self, record: logging.LogRecord) -> None:
        if (held := self.stream) is not None and self._moved(held.fileno()):
            try:
                self.stream = self._open()
                held.close()
            except OSError:
                pass
        super().emit(record)

    def _moved(self, fd: int) -> bool:
        try:
            there, held = os.stat(self.baseFilename), os.fstat(fd)
        except OSError:
            return True
        return not self._own and not os.path.samestat(there, held)


class _Terminal(logging.StreamHandler):  # type: ignore[type-arg]
    def handleError(self, record: logging.LogRecord) -> None:
        pass  # nobody reads it


class _Forward(logging.Handler):
    """Hands messages to a function, until it is removed."""

    def __init__(self, say: Callable[[str], None], level: int) -> None:
        super().__init__(level)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._say(record.getMessage())
        except Exception:
            self.handleError(record)


def level(verbose: int, debug: bool, *, default: int) -> int:
    """The level of mountnd's own messages: `default` is that without -v; -v gives INFO, -vv and --debug DEBUG. Pure."""
    if debug or verbose > 1:
        return logging.DEBUG
    return min(default, logging.INFO) if verbose else default


def open_log(path: str | os.PathLike[str]) -> int:
    """A descriptor that appends to the log at `path`, which is made where it is missing, and readable by nobody else.

    Raises OSError, also for a file of somebody else, whom it would tell what is read here. A pipe is written to without
    waiting for its reader.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    fd = os.open(path, flags, 0o600)
    try:
        st = os.fstat(fd)
        if stat.S_ISREG(st.st_mode):
            if st.st_uid != os.getuid():
                raise PermissionError(errno.EPERM, f"it belongs to user {st.st_uid}, who could read it", str(path))
            if st.st_mode & 0o077:
                os.fchmod(fd, 0o600)
    except BaseException:
        os.close(fd)
        raise
    return fd


def check(path: Path) -> None:
    """Whether `path` can be a log. Raises MountError."""
    try:
        os.close(open_log(path))
    except OSError as e:
        raise MountError(f"The log file {path} cannot be written: {e.strerror}.") from e


def to_file(path: Path, verbose: int, debug: bool, *, own: bool) -> None:
    """Log into `path` from INFO on.

    Args:
        own: the file is in the run directory, chosen by nobody: it starts empty and stays small. One that the
            user named is appended to, and reopened when a log rotation has moved it.

    Raises MountError when the file cannot be written.
    """
    check(path)
    if own:
        path.unlink()
    handler = _LogFile(path, own=own)
    handler.setFormatter(logging.Formatter(_FORMAT))
    _install(handler, level(verbose, debug, default=logging.INFO), debug)


def to_terminal(verbose: int, debug: bool) -> None:
    """Log to stderr from WARNING on."""
    handler = _Terminal(sys.stderr)
    handler.setFormatter(logging.Formatter("mountnd: %(message)s" if not debug else _FORMAT))
    _install(handler, level(verbose, debug, default=logging.WARNING), debug)


def _install(handler: logging.Handler, own_level: int, debug: bool) -> None:
    log_records()
    _log_uncaught()
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    # Libraries (botocore) repeat themselves at INFO; with --debug they may say everything.
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("mountnd").setLevel(own_level)
    logging.captureWarnings(True)


def _log_uncaught() -> None:
    """What nobody catches goes to the log, as all else, and not to stderr as it is."""

    def tell(error: BaseException | None, where: str) -> None:
        if error is not None and not isinstance(error, (SystemExit, KeyboardInterrupt)):
            log.error("uncaught in %s", where, exc_info=error)

    def in_thread(args: Any) -> None:
        tell(args.exc_value, args.thread.name if args.thread else "a thread")

    threading.excepthook = in_thread
    sys.unraisablehook = lambda args: tell(args.exc_value, str(args.err_msg or "a finalizer"))


def forward(say: Callable[[str], None], verbose: int, debug: bool) -> Callable[[], None]:
    """Also hand mountnd's messages from WARNING on (-v: INFO) to `say`. Returns the function that ends it."""
    handler = _Forward(say, level(verbose, debug, default=logging.WARNING))
    logger = logging.getLogger("mountnd")
    logger.addHandler(handler)
    return lambda: logger.removeHandler(handler)
