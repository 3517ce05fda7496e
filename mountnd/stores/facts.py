"""What servers say of a file's date and size, as far as it can be true. Pure.

Whatever a row of a listing says, it is the row's own affair: a date that cannot be is unknown, a size that cannot be is
none, and the other rows of the directory are shown all the same.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# The mtime of what has no date, or none that can be: 2000-01-01T00:00:00Z. A constant, so that tools which hash or
# compare mtimes see no change; not 0 or -1, which Python's importer and tar trip over.
UNKNOWN_MTIME_NS = 946_684_800 * 10**9

# What a kernel's st_size can hold.
SIZE_MAX = 2**63 - 1

# The first second that nanoseconds in 64 bits cannot hold, in the year 2262; and the same before 1970.
SECONDS_END = 2**63 // 10**9

# Longer than any way to write a date.
_DATE_MAX = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Years that `email.utils` takes for one of the last century or this: 0001, the zero of Go's clock, for 2001.
_YEAR_ZERO = re.compile(r"[A-Z]{3}[ -]0[0-9]{3}\b|:[0-9]{2} 0[0-9]{3}$")


def datetime_of(text: str) -> datetime | None:
    """A date as ISO 8601 or HTTP write it; one without a zone is in UTC. None for anything else."""
    if len(text) > _DATE_MAX:
        return None
    text = text.strip().upper()
    for parse in (datetime.fromisoformat, _http_date):
        try:
            when = parse(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return None


def mtime_of(text: str | None) -> int:
    """Nanoseconds since the epoch of a date in a listing or a header, cut to whole seconds.

    `UNKNOWN_MTIME_NS` for what is no date, and for dates before 1970 or after 2261, which no object can have.
    """
    return whole_seconds(moment_ns(text))


def moment_ns(text: str | None) -> int:
    """As `mtime_of`, but not cut."""
    when = datetime_of(text) if text else None
    if when is None:
        return UNKNOWN_MTIME_NS
    past = when - _EPOCH
    seconds = past.days * 86400 + past.seconds
    return seconds * 10**9 + past.microseconds * 1000 if 0 <= seconds < SECONDS_END else UNKNOWN_MTIME_NS


def whole_seconds(ns: int) -> int:
    """Nanoseconds cut to whole seconds, which is all that HEAD tells of a time."""
    return ns - ns % 10**9


def size_of(said: object) -> int | None:
    """A size in bytes; None for what cannot be one: text, a negative number, one that no file system holds."""
    if isinstance(said, str) and re.fullmatch(r"\s*[0-9]{1,19}\s*", said, re.ASCII):
        said = int(said)
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    return said if isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= SIZE_MAX else None


def _http_date(text: str) -> datetime:
    if _YEAR_ZERO.search(text):
        raise ValueError(text)
    return parsedate_to_datetime(text)
