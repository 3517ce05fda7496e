"""What all jobs have in common: a thread of their own, an end that always comes, and a report."""

from __future__ import annotations

import logging
import threading
from typing import Any

from ..errors import MountndError
from ..threads import start
from .report import ENDED, Report

log = logging.getLogger(__name__)


class Job:
    """One job; `_run` does it.

    Attributes:
        report: how far it is.
    """

    # For the log and the thread; and what an OSError without a file is of.
    name, disk = "job", "the disk cache"

    def __init__(self, report: Report) -> None:
        self._cancelled, self._ended = threading.Event(), threading.Event()
        self.report = report

    def run(self) -> None:
        """Do it. Whatever goes wrong is in the report. Called once, on any thread."""
        try:
            self._run()
        except MountndError as e:
            self._stop(str(e))
        except OSError as e:
            self._stop(f"{e.filename or self.disk}: nothing more can be kept: {e.strerror or e}")
        except Exception as e:
            log.exception("%s", self.name)
            self._stop(f"internal error: {type(e).__name__}: {e}")
        finally:
            if self._cancelled.is_set():
                self.report.tell(cancelled=True)
            self.report.phase(ENDED)
            self._ended.set()

    def start(self) -> None:
        """`run` on a thread of its own. Raises MountError where the system grants none."""
        start(threading.Thread(target=self.run, name=self.name, daemon=True))

    def cancel(self) -> None:
        """End soon; what has come stays."""
        self._cancelled.set()

    def join(self, seconds: float) -> bool:
        """Wait so long for its end; whether it has ended."""
        return self._ended.wait(seconds)

    def snapshot(self, failures_seen: int = 0) -> dict[str, Any]:
        """As `Report.snapshot`."""
        return self.report.snapshot(failures_seen)

    def _run(self) -> None:
        """On its thread. Raises MountndError, OSError."""
        raise NotImplementedError

    def _stop(self, why: str) -> None:
        self.report.tell(stopped=why)
