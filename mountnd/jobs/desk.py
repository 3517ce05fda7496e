"""Jobs of one running mount, asked for through its control socket (verbs `prefetch` and `verify`).

The socket takes one request a connection, so a job is begun by one, looked at by further ones (`poll`), and ended by
another (`cancel`). Whoever has begun it looks a few times a second: a job that nobody has looked at for a while is
cancelled, since its command was killed or its connection is gone.

    {"do": "begin", "job": {...}}          -> {"id": N}      the request (`request.FilesRequest`)
    {"do": "add", "id": N, "listed": []}   -> {}             more `listed`, or `paths`, of many; before `start`
    {"do": "start", "id": N}               -> {}
    {"do": "poll", "id": N, "seen": M}     -> what `Report.snapshot` gives, with the failures from the M-th on
    {"do": "cancel", "id": N}              -> {}

Lock: `Desk._lock` is a leaf.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import MountError, UsageError
from ..waits import later

if TYPE_CHECKING:
    from ..blocks.stream import Blocks
    from ..vfs.tree import Vfs
    from .job import Job

# A job that nobody looks at for so long is cancelled; one that has ended is forgotten.
SILENT_S = 20.0
# Jobs at once, each with a thread of its own.
MOST = 8


class _Job:
    """One job: what is known of its request until it is started, and the job from then on."""

    __slots__ = ("asked", "job", "seen_at")

    def __init__(self, asked: dict[str, Any], now: float) -> None:
        self.asked, self.seen_at = asked, now
        self.job: Job | None = None


class Desk:
    """The jobs of one mount and one kind.

    Args:
        kind: how messages call one.
        check: raises UsageError for what is no request.
        make: a job of a request as it came.
        silent: seconds after which a job is cancelled that nobody looks at.
    """

    def __init__(
        self,
        kind: str,
        check: Callable[[Any], object],
        make: Callable[[Any], Job],
        *,
        silent: float = SILENT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind, self._check, self._make, self._silent, self._clock = kind, check, make, silent, clock
        self._lock = threading.Lock()
        self._jobs: dict[int, _Job] = {}
        self._numbers = itertools.count(1)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request. Raises UsageError, MountError."""
        do = request.get("do")
        if do == "begin":
            return self._begin(request.get("job"))
        job = self._find(request.get("id"))
        if do == "add":
            return self._add(job, request)
        if do == "start":
            return self._start(job)
        if do not in ("poll", "cancel") or job.job is None:
            raise UsageError(f"a {self._kind} cannot be asked to {do!r} now")
        if do == "cancel":
            job.job.cancel()
            return {}
        seen = request.get("seen", 0)
        return job.job.snapshot(seen if isinstance(seen, int) and seen >= 0 else 0)

    def close(self) -> None:
        """The mount ends: so do its jobs."""
        with self._lock:
            jobs = list(self._jobs.values())
            self._jobs.clear()
        for job in jobs:
            if job.job is not None:
                job.job.cancel()

    def _begin(self, asked: Any) -> dict[str, Any]:
        self._check(asked)
        with self._lock:
            if len(self._jobs) >= MOST:
                raise MountError(f"{MOST} jobs of this kind run already; wait for one of them")
            number = next(self._numbers)
            self._jobs[number] = _Job(dict(asked), self._clock())
        later(self._silent, lambda: self._watch(number))
        return {"id": number}

    def _add(self, job: _Job, request: dict[str, Any]) -> dict[str, Any]:
        for field in ("paths", "listed"):
            more, known = request.get(field, []), job.asked.get(field)
            if job.job is not None or not isinstance(more, list) or (more and not isinstance(known, list)):
                raise UsageError(f"nothing can be added to the paths of this {self._kind}")
            if more:
                job.asked[field] = [*(known or []), *more]
        return {}

    def _start(self, job: _Job) -> dict[str, Any]:
        made = self._make(job.asked)
        with self._lock:
            if job.job is not None:
                raise UsageError("it has been started")
            job.job = made
        made.start()
        return {}

    def _find(self, number: Any) -> _Job:
        with self._lock:
            job = self._jobs.get(number) if isinstance(number, int) else None
            if job is None:
                raise MountError(f"this {self._kind} has ended: nobody had asked for it for a while")
            job.seen_at = self._clock()
            return job

    def _watch(self, number: int) -> None:
        """Again and again, until nobody looks at the job."""
        with self._lock:
            job = self._jobs.get(number)
            if job is None:
                return
            left = job.seen_at + self._silent - self._clock()
            if left <= 0:
                del self._jobs[number]
        if left > 0:
            later(left, lambda: self._watch(number))
        elif job.job is not None:
            job.job.cancel()


def desks(
    vfs: Vfs, blocks: Blocks, *, silent: float = SILENT_S, clock: Callable[[], float] = time.monotonic
) -> dict[str, Desk]:
    """The desks of a mount, by the verb of their requests. What a job takes is imported with the first one."""

    def check_prefetch(asked: Any) -> None:
        from .request import PrefetchRequest

        PrefetchRequest.from_json(asked)

    def make_prefetch(asked: Any) -> Job:
        from .prefetch import Prefetch
        from .request import PrefetchRequest

        return Prefetch(vfs, blocks.bulk(), PrefetchRequest.from_json(asked))

    def check_verify(asked: Any) -> None:
        from .request import VerifyRequest

        VerifyRequest.from_json(asked)

    def make_verify(asked: Any) -> Job:
        from .request import VerifyRequest
        from .verify import Verify

        return Verify(vfs, blocks, VerifyRequest.from_json(asked))

    return {
        "prefetch": Desk("prefetch", check_prefetch, make_prefetch, silent=silent, clock=clock),
        "verify": Desk("verification", check_verify, make_verify, silent=silent, clock=clock),
    }
