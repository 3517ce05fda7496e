"""One prefetch: which files are meant, what of them is missing on disk, whether that fits, and then the bytes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from typing import Any

from ..blocks.bulk import Bulk
from ..blocks.disk.base import DiskRoom
from ..blocks.geometry import BlockRange, extent
from ..errors import Changed, MountError, MountndError, NotFound
from ..report.figures import size as size_text
from ..stores.base import ObjectStat
from ..threads import start
from ..vfs.tree import Vfs
from .files import Files, Picked, span_of
from .report import ENDED, FETCHING, LOOKING, Report
from .request import PrefetchRequest
from .transfer import Amount, Missing, Outcome, OutOfReach, Transfer
from .walk import Walk

log = logging.getLogger(__name__)

# What was pinned is looked at once more at the end: before the pin stood, another process may have evicted some of it.
LOOKS = 3


class Prefetch:
    """One job.

    Args:
        bulk: into the disk cache; None where there is none.

    Attributes:
        report: how far it is.
    """

    def __init__(self, vfs: Vfs, bulk: Bulk | None, request: PrefetchRequest) -> None:
        self._vfs, self._bulk, self._request = vfs, bulk, request
        self._cancelled, self._ended = threading.Event(), threading.Event()
        self._absent = Amount(0, 0)  # at the beginning
        self._settled: set[str] = set()  # paths that failed, or whose listed version is gone: not to be tried again
        self.report = Report()

    def run(self) -> None:
        """Do it. Whatever goes wrong is in the report. Called once, on any thread."""
        try:
            self._run()
        except MountndError as e:
            self._stop(str(e))
        except OSError as e:
            self._stop(f"{e.filename or 'the disk cache'}: nothing more can be kept: {e.strerror or e}")
        except Exception as e:
            log.exception("prefetch")
            self._stop(f"internal error: {type(e).__name__}: {e}")
        finally:
            if self._cancelled.is_set():
                self.report.tell(cancelled=True)
            self.report.phase(ENDED)
            self._ended.set()

    def start(self) -> None:
        """`run` on a thread of its own. Raises MountError where the system grants none."""
        start(threading.Thread(target=self.run, name="prefetch", daemon=True))

    def cancel(self) -> None:
        """End soon; what has come stays."""
        self._cancelled.set()

    def join(self, seconds: float) -> bool:
        """Wait so long for its end; whether it has ended."""
        return self._ended.wait(seconds)

    def snapshot(self, failures_seen: int = 0) -> dict[str, Any]:
        """As `Report.snapshot`."""
        return self.report.snapshot(failures_seen)

    # -- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        request, report = self._request, self.report
        if self._bulk is None and not request.names:
            raise MountError("nothing is kept on disk here: the cache is off (--cache-size 0), or has no directory")
        walk = Walk(self._vfs, request, report, self._cancelled.is_set)
        walk.run()
        self._keep_names(walk)
        if request.names or self._cancelled.is_set():
            return
        assert self._bulk is not None
        report.phase(LOOKING)
        files = Files(walk.batches, request)
        if not self._look(files, self._bulk) or request.dry_run or self._cancelled.is_set():
            return
        report.phase(FETCHING)
        for _ in range(LOOKS):
            tokens = files.odd_tokens()
            if not self._fetch(files, self._bulk) or self._cancelled.is_set():
                return
            if not request.pin and files.odd_tokens() == tokens:
                return

    def _keep_names(self, walk: Walk) -> None:
        for catalogue in {id(batch.catalogue): batch.catalogue for batch in walk.batches}.values():
            catalogue.flush()
        if walk.huge:
            self.report.tell(huge=walk.huge[:20])

    def _look(self, files: Files, bulk: Bulk) -> bool:
        """Count what is missing, and pin what is meant; whether it fits. Raises OSError, MountError."""
        report, request = self.report, self._request
        there, pinned = bulk.names(), bulk.pinned()
        chunks: set[str] = set()
        own: set[str] = set()
        cost = 0
        for picked in files.wanted(report):
            if self._cancelled.is_set():
                return False
            stat = picked.stat()
            span = span_of(stat, request)
            names = bulk.chunks(stat.id, stat.size, span) if there or request.pin else []
            cost += bulk.cost(stat.size, span)
            own.update(name for name in names if name in pinned)
            if request.pin:
                chunks.update(names)
            absent = sum(extent(gap, stat.size).size for gap in _gaps(bulk, stat, span, names, there))
            whole = extent(span, stat.size).size
            self._absent = Amount(self._absent.files + (absent > 0), self._absent.bytes + absent)
            report.count(done=not absent, cached=not absent, cached_bytes=max(0, whole - absent), to_fetch_bytes=absent)
        why_not = _too_much(cost, bulk.room(own))
        if why_not:
            if not request.dry_run:
                raise MountError(why_not)
            report.tell(fits=False, why_not=why_not)
            return False
        report.tell(fits=True)
        if chunks and not request.dry_run:
            bulk.pin(request.pin, [request.asked], chunks)
            report.tell(pin=request.pin)
        return True

    def _fetch(self, files: Files, bulk: Bulk) -> bool:
        """Fetch what is missing; whether anything was. Raises OSError, MountError."""
        moved: list[Missing] = []
        any_came = False

        def ended(outcome: Outcome) -> None:
            nonlocal any_came
            any_came = True
            missing, error = outcome
            if error is None:
                self.report.count(done=1, fetched=1)
                return
            self._settled.add(missing.path)
            if isinstance(error, Changed | NotFound) and not missing.again:
                moved.append(missing)
            else:
                self.report.failed(missing.path, str(error) or type(error).__name__)

        came = lambda n: self.report.count(fetched_bytes=n)  # noqa: E731
        try:
            Transfer(bulk, self._cancelled.is_set, ended, came).run(self._missing(files, bulk), self._absent)
            if moved and not self._cancelled.is_set():
                Transfer(bulk, self._cancelled.is_set, ended, came).run(self._newer(moved, bulk), Amount(len(moved), 0))
        except OutOfReach as e:
            raise MountError(f"nothing comes any more: {e}") from e
        return any_came

    def _missing(self, files: Files, bulk: Bulk) -> Iterator[Missing]:
        there = bulk.names()
        for picked in files.wanted():
            stat = picked.stat()
            span = span_of(stat, self._request)
            names = bulk.chunks(stat.id, stat.size, span) if there else []
            gaps = _gaps(bulk, stat, span, names, there)
            if gaps and not (self._settled and picked.path in self._settled):
                yield Missing(picked.path, stat.id, stat.size, tuple(gaps), picked)

    def _newer(self, moved: list[Missing], bulk: Bulk) -> Iterator[Missing]:
        """What is there now of files that were replaced after they were listed."""
        for missing in moved:
            picked: Picked = missing.origin
            try:
                stat = picked.ask_anew()
            except MountndError as e:
                self.report.failed(picked.path, str(e))
                continue
            span = span_of(stat, self._request)
            if self._request.pin:
                names = bulk.chunks(stat.id, stat.size, span)
                bulk.pin(self._request.pin, [self._request.asked], names)
            if gaps := bulk.absent(stat.id, stat.size, span):
                yield Missing(picked.path, stat.id, stat.size, tuple(gaps), picked, again=True)
            else:
                self.report.count(done=1)

    def _stop(self, why: str) -> None:
        self.report.tell(stopped=why)


def _gaps(bulk: Bulk, stat: ObjectStat, span: BlockRange, names: list[str], there: Collection[str]) -> list[BlockRange]:
    """What is absent of a file; where none of its chunk files is `there`, without looking."""
    if span.stop <= span.first:
        return []
    return bulk.absent(stat.id, stat.size, span) if any(name in there for name in names) else [span]


def _too_much(cost: int, room: DiskRoom) -> str:
    """What to say where `cost` bytes do not fit; "" where they do."""
    free = max(0, room.most - room.pinned)
    if cost <= free:
        return ""
    what = f"what is asked for takes {size_text(cost)}, and {size_text(free)} fit into {room.place}"
    why = f"its limit is {size_text(room.limit)} (--cache-size)"
    if room.most < room.limit:
        why = "5 % of the disk stay free"
    if room.pinned:
        why += f", and {size_text(room.pinned)} are pinned (mountnd cache ls)"
    return f"{what}: {why}. Ask for less, make room, or take a part: --max-bytes {free // 2**20}M"
