"""Where waiting for the network happens: a pool with two priorities, whose silent requests stand in nobody's way.

Every request runs on a worker's thread, never on one that the kernel's requests arrive on: those only wait for futures
(`waits.Waiter`). Demand always goes before prefetch; a prefetch that somebody comes to need is promoted.

So many calls run at once, as that is what a network and a server take best. A call that has run for `STALLED_S` counts
no more: a server that does not answer for some objects would else keep all others from being asked for. And a demand
waits for its turn no longer than `TURN_S`, or not at all where nothing has moved for so long. So the number of threads
grows with what hangs, up to a limit of its own, and shrinks again.

Where the system grants no thread, what is queued waits for those there are; `nudge` tries again.

Lock order: `Workers._lock` is a leaf, as is that of `tasks`; futures are completed outside them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from .errors import MountError
from .tasks import Task, cancels
from .threads import start
from .waits import Waiter

__all__ = ["Slot", "Task", "Waiter", "Workers", "cancels"]

log = logging.getLogger(__name__)

T = TypeVar("T")

# A ranged GET, or a page of a listing, is answered within a few tenths of a second where all is well.
STALLED_S = 1.0
# How long a demand may be queued: a program notices more than that.
TURN_S = 0.1

# Idle threads beyond these end: a burst of small requests takes more of them than a mount needs from then on.
IDLE_KEPT = 48
# And beyond these once nothing was to be done for so many seconds: others may hang by then.
IDLE_LEAST, IDLE_S = 8, 10.0


class Slot:
    """What runs elsewhere and counts as one of the calls that run. `prefetch`: as one of the prefetches.

    Attributes:
        began: when, in monotonic seconds.
    """

    __slots__ = ("began", "prefetch")

    def __init__(self, *, prefetch: bool) -> None:
        self.prefetch, self.began = prefetch, 0.0


class Workers:
    """A pool of daemon threads, made when first needed, with a demand and a prefetch queue.

    Args:
        threads: at most this many calls run at once, those aside that have stalled.
        name: prefix of the threads' names.
        reserved: threads that prefetch never occupies, so that a demand finds one free at once.
        most: threads that there may be, with those whose calls have stalled; None: as many as `threads`.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        threads: int,
        name: str,
        *,
        reserved: int = 0,
        most: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 <= reserved < threads:
            raise ValueError("reserved must leave at least one thread")
        self._max, self._most, self._name, self._clock = threads, max(threads, most or 0), name, clock
        self._prefetch_max = threads - reserved
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._demand: deque[Task[Any]] = deque()
        self._prefetch: deque[Task[Any]] = deque()
        # Calls that run, in the order in which they began (True: as prefetch); and how many of both kinds have stalled.
        self._running: dict[Task[Any] | Slot, bool] = {}
        self._stalled: dict[Task[Any] | Slot, bool] = {}
        self._threads = self._idle = self._prefetching = self._prefetch_stalled = 0
        self._slots = 0  # what runs elsewhere, stalled or not
        self._made = 0
        self._moved = float("-inf")  # when a call began or ended last
        self._watched = False  # one of the idle threads looks at the clock
        self._starved = self._closed = False

    def submit(self, call: Callable[..., T], *args: Any, demand: bool = True) -> Task[T]:
        """Queue `call(*args)`; demand goes before every waiting prefetch. Raises RuntimeError once closed."""
        task: Task[T] = Task(call, args)
        with self._lock:
            if self._closed:
                raise RuntimeError("the workers are closed")
            task.queued = self._clock()
            (self._demand if demand else self._prefetch).append(task)
            self._find_thread()
        return task

    def promote(self, task: Task[Any]) -> None:
        """Somebody waits for this prefetch now: move it to the demand queue."""
        with self._lock:
            try:
                self._prefetch.remove(task)
            except ValueError:
                return  # running, done, or a demand already
            task.queued = self._clock()
            self._demand.append(task)
            self._find_thread()

    def occupy(self, slot: Slot) -> bool:
        """Whether something may run elsewhere now, as one of the calls that do so here; until `vacate`."""
        with self._lock:
            now = self._clock()
            self._set_stalled_aside(now)
            waiting = self._demand or (slot.prefetch and self._prefetch)
            full = len(self._running) >= self._max or (slot.prefetch and self._prefetching >= self._prefetch_max)
            if self._closed or waiting or full:
                return False
            slot.began = self._moved = now
            self._running[slot] = slot.prefetch
            self._prefetching += slot.prefetch
            self._slots += 1
            return True

    def vacate(self, slot: Slot) -> None:
        """It has ended."""
        with self._lock:
            self._slots -= 1
            self._ended(slot, slot.prefetch)
            if self._demand or self._prefetch:
                self._find_thread()

    def waiting_demands(self) -> int:
        """How many demands wait for a thread."""
        return len(self._demand)

    def begins_demands(self) -> bool:
        """Whether demands began a moment ago, and run yet: others may follow them shortly. Not where they hang."""
        with self._lock:
            since = self._clock() - TURN_S
            runs = any(not prefetch and task.began >= since for task, prefetch in self._running.items())
            return runs or (bool(self._demand) and self._demand[0].queued >= since)

    def nudge(self) -> None:
        """Make the threads that the system did not grant when they were needed, if it does now."""
        if self._starved:
            with self._lock:
                self._starved = False
                self._find_thread()

    def close(self) -> None:
        """Accept no more calls and cancel those that wait; running calls end by their own deadlines."""
        with self._lock:
            self._closed = True
            waiting = [*self._demand, *self._prefetch]
            self._demand.clear()
            self._prefetch.clear()
            self._ready.notify_all()
        for task in waiting:
            task.cancel()

    # -- with the lock held ---------------------------------------------------------------------

    def _find_thread(self) -> None:
        """Something was queued: wake a thread for it, or make one."""
        if self._idle and not (self._watched and len(self._running) >= self._max):
            self._ready.notify()
        # One that was woken counts as idle until it has taken its task: so compare, else a burst meets one thread.
        # Where all slots are taken, one thread more watches how long a demand waits.
        if self._threads - len(self._stalled) + self._slots < self._max:
            wanted = len(self._demand) + len(self._prefetch) > self._idle
        else:
            wanted = bool(self._demand) and not self._idle
        if wanted and self._threads < self._most:
            self._make_thread()

    def _make_thread(self) -> None:
        self._threads += 1
        self._made += 1
        try:
            start(threading.Thread(target=self._work, name=f"{self._name}-{self._made}", daemon=True))
        except MountError as e:
            self._threads -= 1
            self._starved = True
            log.debug("%s wait for a thread: %s", self._name, e)

    def _next(self) -> tuple[Task[Any], bool] | None:
        """What this thread does next, and whether that is a prefetch; None: it ends."""
        with self._lock:
            quiet = False  # nothing was to be done for a while
            while True:
                now = self._clock()
                self._set_stalled_aside(now)
                free = len(self._running) < self._max
                if self._demand and (free or self._is_due(now)):
                    return self._begin(self._demand.popleft(), now, prefetch=False), False
                if self._prefetch and free and self._prefetching < self._prefetch_max:
                    return self._begin(self._prefetch.popleft(), now, prefetch=True), True
                leaves = quiet and not (self._demand or self._prefetch)
                if self._closed or self._idle >= min(self._max, IDLE_LEAST if leaves else IDLE_KEPT):
                    self._threads -= 1
                    return None
                quiet = not self._wait(now)

    def _begin(self, task: Task[Any], now: float, *, prefetch: bool) -> Task[Any]:
        task.began = self._moved = now
        self._running[task] = prefetch
        self._prefetching += prefetch
        if self._demand:
            self._find_thread()  # for those behind it: slots may have become free by calls that were set aside
        return task

    def _wait(self, now: float) -> bool:
        """Until there is something to do; False where nothing was for IDLE_S. While something is queued that may not
        run yet, one thread watches the clock: its turn comes with time, or with a call that stalls."""
        watches = bool(self._demand or self._prefetch) and not self._watched
        self._watched = self._watched or watches
        self._idle += 1
        patience = IDLE_S if self._idle > IDLE_LEAST else None
        woken = self._ready.wait(self._until_due(now) if watches else patience)
        self._idle -= 1
        if watches:
            self._watched = False
        return woken or watches

    def _is_due(self, now: float) -> bool:
        """Whether the first demand runs although all slots are taken."""
        return now - self._demand[0].queued >= TURN_S or now - self._moved >= TURN_S

    def _until_due(self, now: float) -> float:
        """Seconds until that may change."""
        if self._demand:
            return max(0.001, min(self._demand[0].queued, self._moved) + TURN_S - now)
        return TURN_S

    def _set_stalled_aside(self, now: float) -> None:
        late = []
        for task, prefetch in self._running.items():
            if now - task.began < STALLED_S:
                break
            # Prefetches that hang keep memory from others: no more of them may than may run.
            if not prefetch or self._prefetch_stalled < self._prefetch_max:
                late.append(task)
                self._prefetching -= prefetch
                self._prefetch_stalled += prefetch
        for task in late:
            self._stalled[task] = self._running.pop(task)

    def _ended(self, task: Task[Any] | Slot, prefetch: bool) -> None:
        self._moved = self._clock()
        if self._running.pop(task, None) is not None:
            self._prefetching -= prefetch
        elif self._stalled.pop(task, None) is not None:
            self._prefetch_stalled -= prefetch
        if prefetch and self._prefetch and self._idle:
            self._ready.notify()

    # -- a thread -------------------------------------------------------------------------------

    def _work(self) -> None:
        while (got := self._next()) is not None:
            task, prefetch = got
            try:
                task.run()
            finally:
                with self._lock:
                    self._ended(task, prefetch)
            del got, task  # an idle thread must keep no buffer alive
