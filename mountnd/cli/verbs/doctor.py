"""`mountnd doctor [SOURCE]`: what is wrong, and the command that mends it."""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import click

from ...config.resolve import Layers, resolve_source
from ...daemon import host, mounts, rundir
from ...daemon.host import Finding
from ...errors import MountError, UsageError
from .. import source_checks, tables
from ..flags import TableCommand, takes_options

# A mount answers in milliseconds, or its daemon hangs or waits for a dead network.
_ANSWER_S = 3.0
# Less free space than this and the disk cache has no room to be of use.
_LOW_BYTES = 1 << 30
# A source answers one small question within a second or two, or something is wrong.
_PROBE_S = 15.0


@click.command(cls=TableCommand)
@click.argument("source", required=False)
@click.option("--keys", metavar="PREFIX", help="also list the keys below PREFIX that the tree cannot show")
@takes_options("doctor")
def doctor(layers: Layers, source: str | None, keys: str | None) -> int:
    """Look at what mounting needs, and say what is wrong and the command that mends it.

    Looks at the FUSE device, libfuse, fusermount3, the cache directory and the mounts of today. With SOURCE
    (a preset, a name of the config file, or a URL) also whether it can be reached and listed, and how its
    requests are signed. Exit code 1 when something is bad.
    """
    if keys is not None and source is None:
        raise UsageError("--keys needs a source: mountnd doctor SOURCE --keys PREFIX")
    settled = resolve_source(source, layers) if source else None
    settings = layers.anything()
    findings = list(machine(settings["cache_dir"].value, settings["cache_size"].value))
    if settled:
        findings += source_checks.check(*settled, min(_PROBE_S, settings["timeout"].value))
    _print(findings)
    bad = any(finding.level == "bad" for finding in findings)
    if settled and keys is not None and not bad:
        _print_keys(*source_checks.hidden_keys(settled[0], keys, settings["timeout"].value))
    return 1 if bad else 0


def machine(cache_dir: Path, cache_size: int | None) -> Iterator[Finding]:
    """Findings about this machine and this user's mounts."""
    for check in (host.kernel, host.fuse_device, host.libfuse, host.fusermount, host.user, host.allow_other):
        yield check()
    yield cache(cache_dir, cache_size)
    place = run_directory()
    yield place
    if place.level == "ok":
        yield from of_mounts()


def cache(directory: Path, size: int | None) -> Finding:
    """Whether the disk cache can be written, and how much room its file system has."""
    if size == 0:
        return Finding("ok", "the disk cache is turned off (cache_size 0)")
    place = next(p for p in (directory, *directory.parents) if p.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            "bad",
            f"the cache directory {directory} cannot be written",
            f"sudo install -d -o $USER -m 0700 {shlex.quote(str(directory))}   (or choose another: --cache-dir DIR)",
        )
    free = shutil.disk_usage(place).free
    room = f"{free / (1 << 30):.1f} GiB free"
    if free < _LOW_BYTES:
        return Finding("warn", f"cache directory {directory}: only {room}", "choose another disk: --cache-dir DIR")
    return Finding("ok", f"cache directory {directory}: {room}")


def run_directory() -> Finding:
    """Whether there is a safe place to note who is mounted where."""
    try:
        return Finding("ok", f"run directory {rundir.run_dir()}")
    except MountError as e:
        return Finding("bad", str(e), "export XDG_RUNTIME_DIR=$(mktemp -d)")


def of_mounts() -> Iterator[Finding]:
    """This user's mounts, dead ones with the command that clears them."""
    table = {m.path: m for m in mounts.mounts() if m.fstype == mounts.FSTYPE}
    rundir.clean({str(path) for path in table}, time.time())
    for path, mount in table.items():
        record = rundir.find(path)
        if record is None and mount.user_id != os.getuid():
            continue
        yield _of_mount(path, mount, record)


def _of_mount(path: Path, mount: mounts.Mount, record: rundir.Record | None) -> Finding:
    what = f"{path} shows {mount.source}"
    if record is not None:
        since = datetime.fromtimestamp(record.since).astimezone().isoformat(" ", "minutes")
        what += f" since {since[:16]}; process {record.pid}" + (f", log {record.log}" if record.log else "")
    answer = mounts.answers(path, _ANSWER_S)
    if answer == 0:
        return Finding("ok", what)
    why = "does not answer" if answer is None else os.strerror(answer)
    return Finding("bad", f"{what}: {why}", f"mountnd umount --lazy {shlex.quote(str(path))}")


def _print(findings: Iterable[Finding]) -> None:
    found = list(findings)
    tables.show(["", "Finding"], [[f.level, f.what] for f in found])
    wrong = [f for f in found if f.level != "ok" and f.mend]
    if wrong:
        click.echo("\nTo mend it:")
    for finding in wrong:
        click.echo(f"  {finding.what}\n      {finding.mend}")  # not in the table: a command must not be broken


def _print_keys(keys: list[tuple[str, str]], complete: bool) -> None:
    click.echo()
    if keys:
        tables.show(["Key", "Why it is not shown"], [[_spelled(key), reason] for key, reason in keys])
    else:
        click.echo("Every key is shown under its own name.")
    if not complete:
        click.echo(f"Stopped after {source_checks.DIRECTORIES_MAX} directories; name a longer PREFIX for the others.")


def _spelled(key: str) -> str:
    """A key on one line of a terminal; what cannot be printed as Python would write it."""
    return key if key.isprintable() and key == key.strip() else repr(key)
