"""`stats --watch`: what a mount does just now, from what its daemon answers at two moments. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .figures import Figures, between, figures


class Moment(NamedTuple):
    """What a mount had done at a time.

    Attributes:
        time: monotonic seconds.
        done: since it was mounted.
        failures: as `stats` answers.
        open: how many files are open; files: those that were read most, as `open-files` answers.
    """

    time: float
    done: Figures
    failures: Mapping[str, Any]
    open: int
    files: Sequence[Mapping[str, Any]]


class Rates(NamedTuple):
    """What a mount does by the second. Bytes, and requests.

    Attributes:
        memory: share of what programs asked for that was in memory; disk: of what came into memory that the disk cache
            had; used: of what was fetched ahead that was read, or dropped unread, which was read. None where there was
            nothing of it.
        get_ms: milliseconds that a GET took.
    """

    asked: float
    fetched: float
    from_disk: float
    ahead: float
    gets: float
    lists: float
    heads: float
    memory: float | None
    disk: float | None
    used: float | None
    get_ms: float | None


class OpenFile(NamedTuple):
    """An open file: its path, bytes a second, the share of it where the last read ended (None: it is empty), how it is
    read."""

    path: str
    rate: float
    at: float | None
    how: str
    size: int


def moment(time: float, counters: Mapping[str, Any], open_files: Mapping[str, Any]) -> Moment:
    """From the answers to `stats` and `open-files`."""
    failures = counters.get("failures") or {}
    return Moment(time, figures(counters["total"]), failures, open_files["count"], open_files["files"])


def rates(done: Figures, seconds: float) -> Rates:
    """What was done within so many seconds."""
    span = max(seconds, 1e-6)
    return Rates(
        done.asked / span, done.fetched / span, done.from_disk / span, done.prefetched / span,
        done.gets / span, done.lists / span, done.heads / span,
        share(done.asked - done.waited, done.asked), share(done.from_disk, done.loaded),
        share(done.prefetch_used, done.prefetch_used + done.prefetch_wasted), done.get_ms,
    )  # fmt: skip


def rates_between(before: Moment, now: Moment) -> Rates:
    """What was done from one moment to the next."""
    return rates(between(before.done, now.done), now.time - before.time)


def share(part: float, whole: float) -> float | None:
    """`part` of `whole`, at most 1; None of nothing."""
    return min(1.0, part / whole) if whole > 0 else None


def open_files(before: Moment | None, now: Moment) -> list[OpenFile]:
    """The open files, those that are read fastest first."""
    known = {} if before is None else _by_handle(before.files)
    span = 1.0 if before is None else max(now.time - before.time, 1e-6)
    found = []
    for handle, file in _by_handle(now.files).items():
        asked = known[handle]["asked"] if handle in known else file["asked"] if before is None else 0
        rate = max(0, file["asked"] - asked) / span
        found.append(OpenFile(file["path"], rate, share(file["position"], file["size"]), file["how"], file["size"]))
    return sorted(found, key=lambda file: (-file.rate, file.path))


def _by_handle(files: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    return {file["handle"]: file for file in files}
