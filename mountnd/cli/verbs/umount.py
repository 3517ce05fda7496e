"""`mountnd umount DIR`, or `--all`: end a mount."""

from __future__ import annotations

from pathlib import Path

import click

from ...daemon.unmount import unmount, unmount_all
from ...errors import UsageError
from ..flags import PathArgument
from ..streams import say


@click.command(short_help="End a mount.")
@click.argument("directory", metavar="DIR", type=PathArgument(), required=False)
@click.option("--all", "every", is_flag=True, help="All of your mounts, instead of one.")
@click.option("--lazy", is_flag=True, help="Take it out of the tree now, also if programs still use it.")
def umount(directory: Path | None, every: bool, lazy: bool) -> None:
    """End the mount at DIR and wait until its daemon is gone.

    When programs still use it they are named, and nothing is unmounted. With --lazy it disappears at
    once, and the daemon ends when the last program closes its last file. A daemon that hangs is killed.
    """
    if every == (directory is not None):
        raise UsageError("name one mount, or all: mountnd umount DIR, or mountnd umount --all")
    for remark in unmount_all(lazy=lazy) if directory is None else [unmount(directory, lazy=lazy)]:
        if remark:
            say(remark)
