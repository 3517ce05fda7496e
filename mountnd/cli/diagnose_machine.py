"""What `mountnd doctor` looks at on this machine: what mounting needs, the cache directory, this user's mounts."""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ..daemon import host, mounts, rundir
from ..daemon.host import Finding
from ..errors import MountError
from ..private_directory import PrivatePath
from ..regular_file import UntrustedDirectory
from ..report import figures
from .diagnose_shared import diagnose_shared

# A mount answers in milliseconds, or its daemon hangs or waits for a dead network.
_ANSWER_S = 3.0
# Less free space than this and the disk cache is of no use.
_LOW_BYTES = 1 << 30


def diagnose_machine(
    cache_dir: Path | None, cache_size: int | None, shared_cache: Path | None = None, shared_mode: int = 0o660
) -> Iterator[Finding]:
    """Findings about this machine and this user's mounts."""
    for check in (host.kernel, host.proc, host.fuse_device, host.libfuse, host.fusermount, host.user, host.allow_other):
        yield check()
    yield _cache(cache_dir, cache_size)
    if shared_cache is not None:
        yield from diagnose_shared(shared_cache, shared_mode)
    run_directory = _run_directory()
    yield run_directory
    if run_directory.level == "ok":
        yield from _mounts()


def _cache(directory: Path | None, size: int | None) -> Finding:
    """Whether the disk cache can be written, and how much space its file system has."""
    if directory is None:
        return Finding("warn", "no home directory, so nothing is cached on disk", "choose a place: --cache-dir DIR")
    if size == 0:
        return Finding("ok", "the disk cache is turned off (cache_size 0)")
    place = mounts.resolve(directory)
    if mounts.is_in_fuse(place) and mounts.probe(place, _ANSWER_S) is None:
        return Finding(
            "bad",
            f"the cache directory {directory} lies in a mount that does not answer",
            "choose another: --cache-dir DIR",
        )
    from ..cache_directory import blocks_dir, names_dir_of

    for part in (PrivatePath(directory), blocks_dir(directory), names_dir_of(directory)):
        try:
            part.open()
        except UntrustedDirectory as e:
            what = f"{e.filename} is not used as a cache: {e.strerror}"
            return Finding("bad", what, "choose another: --cache-dir DIR")
        except OSError:
            pass  # not there yet, or what follows says why
    existing = next(p for p in (directory, *directory.parents) if os.path.lexists(p))
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK | os.X_OK):
        return Finding(
            "bad",
            f"the cache directory {directory} cannot be written",
            f"sudo install -d -o $USER -m 0700 {shlex.quote(str(directory))}   (or choose another: --cache-dir DIR)",
        )
    free = shutil.disk_usage(existing).free
    space = f"{figures.size(free)} free"
    if free < _LOW_BYTES:
        return Finding("warn", f"cache directory {directory}: only {space}", "choose another disk: --cache-dir DIR")
    return Finding("ok", f"cache directory {directory}: {space}")


def _run_directory() -> Finding:
    """Whether there is a safe directory for the records of mounts."""
    try:
        return Finding("ok", f"run directory {rundir.run_dir()}")
    except MountError as e:
        return Finding("bad", str(e), f"export {rundir.VARIABLE}=$(mktemp -d)")


def _mounts() -> Iterator[Finding]:
    """This user's mounts, dead ones with the command that removes them."""
    table = {m.path: m for m in mounts.mounts() if m.fstype == mounts.FSTYPE}
    rundir.clean({str(path) for path in table}, time.time())
    records = {path: rundir.find(path) for path in table}
    # One without a record may have lost it; where the user names a run directory, it is rather recorded in another.
    mine = {
        path for path, mount in table.items() if mount.user_id == os.getuid() and not os.environ.get(rundir.VARIABLE)
    }
    ours = [path for path, record in records.items() if record is not None or path in mine]
    for path, answer in mounts.answers(ours, _ANSWER_S).items():
        yield _of_mount(path, table[path], records[path], answer)


def _of_mount(path: Path, mount: mounts.Mount, record: rundir.Record | None, answer: int | None) -> Finding:
    subject = f"{path} shows {mount.source}"
    if record is not None:
        subject += f" since {figures.minute(record.since)}; process {record.pid}" + (
            f", log {record.log}" if record.log else ""
        )
    if answer == 0:
        return Finding("ok", subject)
    why = "does not answer" if answer is None else os.strerror(answer)
    if record is not None and mounts.is_stopped(record.pid):
        why = f"does not answer, its daemon is stopped (kill -CONT {record.pid} lets it go on)"
    return Finding("bad", f"{subject}: {why}", f"mountnd umount --lazy {shlex.quote(str(path))}")
