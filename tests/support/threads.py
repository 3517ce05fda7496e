"""Several threads at once, and requests that are held back until a test lets them go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from .waiting import PATIENCE_S

if TYPE_CHECKING:
    from mountnd.stores.memory import Call

T = TypeVar("T")


class Gate:
    """A fault hook of `MemoryStore` that holds requests back until the gate is opened.

    Args:
        only: which requests are held; the others pass.

    Attributes:
        held: the requests that wait now.
        error: what a held request raises when it is let go, if anything.
    """

    def __init__(self, only: Callable[[Call], bool] = lambda call: True) -> None:
        self._only, self._open, self._came = only, threading.Event(), threading.Semaphore(0)
        self.held: list[Call] = []
        self.error: Exception | None = None

    def __call__(self, call: Call) -> None:
        if not self._only(call):
            return
        self.held.append(call)
        self._came.release()
        assert self._open.wait(PATIENCE_S), "nobody opened the gate"
        self.held.remove(call)
        if self.error is not None:
            raise self.error

    def await_requests(self, count: int = 1) -> None:
        """Wait until `count` more requests have come. Raises AssertionError when they do not."""
        for _ in range(count):
            assert self._came.acquire(timeout=PATIENCE_S), "no request came"

    def open(self) -> None:
        self._open.set()


def run_together(jobs: Sequence[Callable[[], None]], seconds: float | None = 60.0) -> None:
    """Run each job in a thread of its own. Raises the first error, or AssertionError when one takes too long."""
    errors: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
        assert not thread.is_alive(), f"a job still runs after {seconds} s"
    if errors:
        raise errors[0]


def call_before_answers(calls: Sequence[Callable[[], T]], gate: Gate, requests: int) -> list[T]:
    """The results of calls that are all made before any request is answered.

    Args:
        gate: holds the requests of these calls; opened here.
        requests: how many of them to wait for before it is opened.
    """
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
        try:
            gate.await_requests(requests)
        finally:
            gate.open()
        return [future.result(PATIENCE_S) for future in futures]
