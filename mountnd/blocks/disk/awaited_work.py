"""What somebody waits for of the writer's thread: it goes first once it is due."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future

log = logging.getLogger(__name__)

Work = Callable[[], None]


class AwaitedWork:
    """Used with the writer's lock held."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Work, Future[None]]] = []  # monotonic seconds, 0 for now
        self._taken: Future[None] | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing waits, and nothing is under way."""
        return not self._waiting and self._taken is None

    def add(self, work: Work, within: float) -> Future[None]:
        """To be done in so many seconds at most."""
        done: Future[None] = Future()
        self._waiting.append((time.monotonic() + within if within else 0.0, work, done))
        return done

    def delay(self, now: float, *, at_once: bool) -> float:
        """Seconds until some is due, infinite where nothing waits. `at_once`: all is due."""
        if not self._waiting:
            return float("inf")
        return 0.0 if at_once else min(due for due, _, _ in self._waiting) - now

    def take(self, now: float, *, at_once: bool) -> tuple[Work, Future[None]] | None:
        """What has been due for longest; it is under way until `finish`. None where nothing is due."""
        if self.delay(now, at_once=at_once) > 0:
            return None
        first = min(range(len(self._waiting)), key=lambda n: self._waiting[n][0])
        _, work, done = self._waiting.pop(first)
        self._taken = done
        return work, done

    def finish(self) -> None:
        """What was taken is done."""
        self._taken = None

    def clear(self) -> list[Future[None]]:
        """Forget what waits; whom to tell."""
        left = [done for _, _, done in self._waiting]
        self._waiting.clear()
        return left


def failure_of(work: Work) -> OSError | None:
    """Do some work: why it failed, None where it did not."""
    try:
        work()
    except OSError as e:
        return e.with_traceback(None)  # its frames would keep the blocks
    except Exception as e:
        log.exception("disk cache")
        return OSError(errno.EIO, f"{type(e).__name__}: {e}")
    return None
