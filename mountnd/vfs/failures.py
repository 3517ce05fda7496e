"""What a program saw as "Input/output error" stands in the log: once a cause, and again after a while.

Lock: `FailureLog._lock` is a leaf.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from ..catalog.catalogue import Catalogue
from ..errors import Forbidden, NotFound, StoreError

log = logging.getLogger(__name__)

# A cause that lasts is told again after this many seconds, so that a log which was rotated holds it.
REPEAT_S = 300.0

# Causes remembered, some 300 bytes each; past that one may be told again sooner.
CAUSES_MAX = 1_000


class FailureLog:
    """Listings and look-ups that failed.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told: OrderedDict[Hashable, float] = OrderedDict()

    def report(self, catalogue: Catalogue, directory: str, what: str, error: StoreError) -> None:
        """Something failed, unless that is an ordinary answer (no such name, access denied).

        Args:
            directory: key prefix of the directory that was listed, or that the name is in.
            what: the line's beginning, such as `s3://bucket/d/ cannot be listed`.
        """
        if isinstance(error, NotFound | Forbidden):
            return
        # A server that does not answer is one cause, however many directories it is asked for.
        place = "" if error.transient else directory
        cause = (id(catalogue), place, type(error), error.code)
        now = self._clock()
        with self._lock:
            if now - self._told.get(cause, float("-inf")) < REPEAT_S:
                return
            self._told[cause] = now
            self._told.move_to_end(cause)
            if len(self._told) > CAUSES_MAX:
                self._told.popitem(last=False)
        log.warning("%s: %s", what, error)
