"""`mountnd umount DIR...`, or `--all`: end mounts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from ...daemon import mounts
from ...daemon.unmount import unmount, unmount_all
from ...errors import MountError, UsageError
from ..flags import MountArgument
from ..running import mount_of
from ..streams import remark


@click.command(short_help="End mounts.")
@click.argument("directories", metavar="DIR...", type=MountArgument(), nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of your mounts.")
@click.option("-l", "--lazy", is_flag=True, help="Take it out of the tree now, also if programs still use it.")
def umount(directories: tuple[Path, ...], every: bool, lazy: bool) -> None:
    """End the mount at DIR, or that DIR lies inside, and wait until its daemon is gone. Several DIRs: each of them.

    When programs still use it they are named, and nothing is unmounted. With --lazy it disappears at
    once, and the daemon ends when the last program closes its last file. A daemon that hangs is killed.
    """
    if every == bool(directories):
        raise UsageError("name mounts, or all: mountnd umount DIR, or mountnd umount --all")
    # Found before the first is ended: of two paths in one mount the second would lie in none.
    tops = {mount_of(directory): mounts.resolve(directory) for directory in reversed(directories)}
    os.chdir("/")  # `mountnd umount .` must not be its own holder
    for line in unmount_all(lazy=lazy) if every else _each(tops, lazy):
        if line:
            remark(line)


def _each(tops: dict[Path, Path], lazy: bool) -> Iterator[str]:
    """End them one after the other, the last one first: remarks. Raises MountError at the end, with what could not be
    ended and why.

    Args:
        tops: mountpoints, each with the path that named it.
    """
    failed = []
    for top, named in reversed(tops.items()):
        try:
            said = unmount(top, lazy=lazy)
            yield said or (f"{top} is unmounted" if named != top else "")
        except MountError as e:
            failed.append(str(e))
    if failed:
        raise MountError("; ".join(failed))
