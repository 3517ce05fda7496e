"""`mountnd refresh PATH`: have a running mount forget the names below a path."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ...daemon import control, mounts
from ...errors import MountError
from ..flags import MountArgument


@click.command()
@click.argument("path", type=MountArgument())
def refresh(path: Path) -> None:
    """Have the mount that PATH lies in forget the names at and below it.

    Names that are looked up next come from the source. The kernel drops the files' pages at once and their names within
    a second.
    """
    path = mounts.resolve(path)
    top = mounts.top_of(path)
    mounted = mounts.mount_at(top)
    if mounted is None or mounted.fstype != mounts.FSTYPE:
        raise MountError(f"{path} is not inside a mountnd mount (mountnd ls lists yours)")
    control.request(top, "refresh", path=os.fspath(path.relative_to(top)) if path != top else "")
