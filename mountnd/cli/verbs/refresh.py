"""`mountnd refresh PATH`: have a running mount forget the names below a path."""

from __future__ import annotations

from pathlib import Path

import click

from ...daemon import control
from .. import running
from ..flags import MountArgument


@click.command()
@click.argument("path", type=MountArgument())
def refresh(path: Path) -> None:
    """Have the mount that PATH lies in forget the names at and below it.

    Names that are looked up next come from the source. The kernel drops the files' pages at once and their names within
    a second.
    """
    place = running.inside(path)
    control.request(place.mountpoint, "refresh", path=place.below)
