"""Where a prefetch or a verification runs: in a running mount's daemon, or in this process where nothing is mounted.

A mount's daemon has the keys, the options and the names of its sources, and gives way to the programs that read through
it. This process could not know all of that: keys of the shell that mounted, a file of links that has gone, an option of
`[mounts]`. So a path in a mount is its daemon's to read, and this process only looks how far that is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..config.options import MountConfig
from ..config.resolve import ConfigInputs, resolve_source
from ..daemon import control
from ..errors import MountError, StoreError, UsageError
from ..jobs.report import ENDED
from ..jobs.request import FilesRequest, PrefetchRequest, VerifyRequest
from . import streams
from .prefetch_words import Door
from .progress import Progress
from .remedies import next_step

if TYPE_CHECKING:
    from ..assembly import Mount
    from ..jobs import job as jobs

# Bytes of paths in one request to a daemon, which takes 64 KiB of JSON.
_PATHS_BYTES = 32 << 10
# How often it is looked how far a job is: often at first, since most are over at once.
_LOOK_S, _LOOK_MOST_S = 0.05, 0.5


class Job(Protocol):
    """A job that runs. Methods raise MountError where its mount is gone."""

    def poll(self, failures_seen: int) -> dict[str, Any]:
        """As `jobs.report.Report.snapshot`."""
        ...

    def cancel(self) -> None:
        """End soon; what has come stays."""
        ...


class _MountJob:
    """In the daemon of the mount at `mountpoint`."""

    def __init__(self, mountpoint: Path, request: FilesRequest, verb: str) -> None:
        self._mountpoint, self._verb = mountpoint, verb
        asked, more = request.as_json(), []
        for field in ("paths", "listed"):
            first, *rest = _parts(asked[field]) if asked[field] is not None else [None]
            asked[field] = first
            more += [{field: part} for part in rest]
        self._id = self._ask("begin", job=asked)["id"]
        for part in more:
            self._ask("add", **part)
        self._ask("start")

    def poll(self, failures_seen: int) -> dict[str, Any]:
        return self._ask("poll", seen=failures_seen)

    def cancel(self) -> None:
        self._ask("cancel")

    def _ask(self, do: str, **more: Any) -> dict[str, Any]:
        if do != "begin":
            more["id"] = self._id
        try:
            answer: dict[str, Any] = control.request(self._mountpoint, self._verb, do=do, **more)
        except MountError as e:
            if f"there is no verb {self._verb!r}" in str(e):
                older = f"is served by an older mountnd, which cannot {self._verb}; unmount and mount it again"
                raise MountError(f"{self._mountpoint} {older}") from None
            raise
        return answer


def _parts(paths: Sequence[str]) -> list[list[str]]:
    """Paths in lists that fit into a request each; one list at least."""
    parts: list[list[str]] = [[]]
    taken = 0
    for path in paths:
        n = len(json.dumps(path)) + 2
        if parts[-1] and taken + n > _PATHS_BYTES:
            parts.append([])
            taken = 0
        parts[-1].append(path)
        taken += n
    return parts


def opened(door: Door, request: FilesRequest, inputs: ConfigInputs, verb: str) -> AbstractContextManager[Job]:
    """The job, in the mount or in this process. Raises UsageError."""
    if door.mountpoint is not None:
        if inputs.typed:
            option = next(iter(inputs.typed.values())).origin
            raise UsageError(
                f"{option}: {door.mountpoint} is mounted, with options of its own; this one is for sources"
            )
        return _in_mount(door.mountpoint, request, verb)
    try:
        resolved = resolve_source(door.source, inputs)
    except UsageError as e:
        raise UsageError(f"{door.source} lies in no mount of mountnd (mountnd ls lists yours), and: {e}") from None
    values = {name: option.value for name, option in inputs.mount_options().items()}
    for notice in resolved.notices:
        streams.remark(notice)
    return _in_this_process(MountConfig(mountpoint=Path("/"), sources=(resolved.config,), **values), request)


@contextmanager
def _in_mount(mountpoint: Path, request: FilesRequest, verb: str) -> Iterator[Job]:
    """A job in a mount's daemon, which ends with the block. Raises MountError."""
    job = _MountJob(mountpoint, request, verb)
    try:
        yield job
    except BaseException:
        try:
            job.cancel()
        except MountError:
            pass  # it has ended, or the mount has
        raise


@contextmanager
def _in_this_process(config: MountConfig, request: FilesRequest) -> Iterator[Job]:
    """A job over sources that are not mounted. Raises what mounting them raises."""
    from ..daemon import logs
    from ..serve import opened_alone

    stop = logs.forward(streams.remark, config.verbose, config.debug)
    try:
        with opened_alone(config) as mount:
            job = _job(mount, request)
            job.start()
            try:
                yield _LocalJob(job)
            finally:
                job.cancel()
                job.join(_LOOK_MOST_S)
    except StoreError as e:
        if step := next_step(e, config.sources[0]):
            raise type(e)(f"{e}. Next: {step}", code=e.code) from e
        raise
    finally:
        stop()


def _job(mount: Mount, request: FilesRequest) -> jobs.Job:
    if isinstance(request, PrefetchRequest):
        from ..blocks.bulk import GETS_ALONE
        from ..jobs.prefetch import Prefetch

        return Prefetch(mount.vfs, mount.blocks.bulk(GETS_ALONE), request)
    from ..jobs.verify import Verify

    assert isinstance(request, VerifyRequest)
    return Verify(mount.vfs, mount.blocks, request)


class _LocalJob:
    def __init__(self, job: Any) -> None:
        self._job = job
        self.cancel = job.cancel

    def poll(self, failures_seen: int) -> dict[str, Any]:
        told: dict[str, Any] = self._job.snapshot(failures_seen)
        return told


def follow(job: Job, progress: Progress) -> dict[str, Any]:
    """Wait for a job's end and show how far it is; Ctrl-C ends it soon, and once more at once.

    Returns its last report, with all of its failures. Raises MountError where its mount ends.
    """
    failures: list[list[str]] = []
    pause, stopped = _LOOK_S, False
    while True:
        try:
            told = job.poll(len(failures))
            failures += told["failures"]
            if told["phase"] == ENDED and not told["failures"]:
                return {**told, "failures": failures}
            if told["failures"]:
                continue
            progress.show(told, stopping=stopped)
            time.sleep(pause)
            pause = min(_LOOK_MOST_S, pause * 1.3)
        except KeyboardInterrupt:
            if stopped:
                raise
            stopped = True
            job.cancel()
