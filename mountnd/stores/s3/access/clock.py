"""The server's clock, by which requests are signed: what is signed 5 to 15 minutes off its time, a server refuses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ....errors import Forbidden

log = logging.getLogger(__name__)

# A refusal for another reason than the time may be about the time all the same, if the clocks differ by this many
# seconds: some servers have one code for all that is wrong with a signature. Answers on slow ways are never so late.
SUSPICIOUS_S = 120.0
# Differences below this many seconds are the same: a Date has no fractions, and an answer takes its time.
SAME_S = 60.0

_TIMESTAMP = "%Y%m%dT%H%M%SZ"


class ServerClock:
    """How far one server's clock is ahead of ours. Thread-safe: its one number is replaced as a whole.

    Args:
        wall: seconds since the epoch by this machine's clock.

    Attributes:
        ahead: seconds, negative where the server is behind; 0 until a refusal tells.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.ahead = 0.0
        self._trusted = True

    def correct(self, refused: Forbidden, used: float) -> bool:
        """Learn from the refusal of a request that was signed with `used` for `ahead`; whether to sign it anew."""
        if abs(self.ahead - used) > SAME_S:
            return True  # learnt meanwhile from another one
        if refused.server_time is None or not self._trusted:
            return False
        ahead, about_time = refused.server_time - self._wall(), refused.code == "RequestTimeTooSkewed"
        if abs(ahead - used) > (SAME_S if about_time else SUSPICIOUS_S):
            self.ahead = ahead if abs(ahead) > SAME_S else 0.0
            log.warning(
                "the server's clock is %.0f min %s this machine's: requests are signed by the server's",
                abs(ahead) / 60,
                "ahead of" if ahead > 0 else "behind",
            )
            return True
        if about_time and used:
            # Signed by the very time that its answers give, and still too far off: something on the way writes them.
            self._trusted, self.ahead = False, 0.0
            return True
        return False

    def apply(self, request: Any) -> None:
        """Have a botocore AWSRequest signed by the server's time."""
        if self.ahead:
            request.context = _ServerTime(request.context, self.ahead)


class _ServerTime(dict[str, Any]):
    """A request's context, where botocore's signers (`botocore.auth`) put this machine's time, and read it again."""

    def __init__(self, context: dict[str, Any], ahead: float) -> None:
        super().__init__(context)
        self._ahead = timedelta(seconds=ahead)

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "timestamp":
            value = (datetime.strptime(f"{value}+0000", f"{_TIMESTAMP}%z") + self._ahead).strftime(_TIMESTAMP)
        super().__setitem__(name, value)
