"""What can be known of one name, and the mark that says how old an answer is."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import Forbidden, NotFound
from .entry import Entry

# The name's entry, or the error that says why there is none. Errors are values here: an absence is cached, too.
Answer = Entry | NotFound | Forbidden


class RequestMark(NamedTuple):
    """When a request was sent.

    Args:
        at: monotonic seconds; tells the answer's age.
        serial: orders the request among invalidations: what was invalidated later is not believed from it.
    """

    at: float
    serial: int
