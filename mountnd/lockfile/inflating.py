"""A file as it is, or inflated where it is gzipped."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import IO, cast

from ..errors import ConfigError
from ..regular_file import open_regular

_GZIP = b"\x1f\x8b"


def opened(path: Path, what: str) -> IO[bytes]:
    """The file at `path`, to be closed. Reading it raises OSError; EOFError, zlib.error and gzip.BadGzipFile (an
    OSError) for a damaged one.

    Args:
        what: it is to be, for messages: "a lockfile".

    Raises ConfigError where it is not there, is no regular file, or may not be read.
    """
    try:
        raw = os.fdopen(open_regular(path), "rb")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read as {what}: {error.strerror}") from None
    if raw.peek(2)[:2] == _GZIP:
        return cast(IO[bytes], _Inflated(raw))
    return raw


class _Inflated(gzip.GzipFile):
    """Closes what it reads from."""

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._raw = raw

    def close(self) -> None:
        super().close()
        self._raw.close()
