"""`mountnd umount DIR`: end a mount."""

from __future__ import annotations

from pathlib import Path

import click

from ...daemon.unmount import unmount
from ..flags import PathArgument
from ..streams import say


@click.command(short_help="End a mount.")
@click.argument("directory", metavar="DIR", type=PathArgument())
@click.option("--lazy", is_flag=True, help="Take it out of the tree now, also if programs still use it.")
def umount(directory: Path, lazy: bool) -> None:
    """End the mount at DIR and wait until its daemon is gone.

    When programs still use it they are named, and nothing is unmounted. With --lazy it disappears at
    once, and the daemon ends when the last program closes its last file.
    """
    if remark := unmount(directory, lazy=lazy):
        say(remark)
