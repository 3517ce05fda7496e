"""Where messages go: the terminal in front, a file in the background, and the parent until the mount is ready."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import MountError

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
        super().__init__(path, maxBytes=_OWN_LOG_BYTES if own else 0, backupCount=1 if own else 0)

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


def check(path: Path) -> None:
    """Whether `path` can be written. Raises MountError."""
    try:
        with path.open("a"):
            pass
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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("mountnd: %(message)s" if not debug else _FORMAT))
    _install(handler, level(verbose, debug, default=logging.WARNING), debug)


def _install(handler: logging.Handler, own_level: int, debug: bool) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    # Libraries (botocore) repeat themselves at INFO; with --debug they may say everything.
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("mountnd").setLevel(own_level)
    logging.captureWarnings(True)


def forward(say: Callable[[str], None], verbose: int, debug: bool) -> Callable[[], None]:
    """Also hand mountnd's messages from WARNING on (-v: INFO) to `say`. Returns the function that ends it."""
    handler = _Forward(say, level(verbose, debug, default=logging.WARNING))
    logger = logging.getLogger("mountnd")
    logger.addHandler(handler)
    return lambda: logger.removeHandler(handler)
