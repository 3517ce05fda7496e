"""`mountnd cache [ls|clear|verify]`: what the disk cache holds."""

from __future__ import annotations

from datetime import datetime

import click

from ... import assembly
from ...blocks.disk import directory
from ...config.resolve import ConfigInputs
from ...errors import MountError, UsageError
from ...private_directory import PrivatePath
from ...regular_file import UntrustedDirectory
from ...report.figures import size
from .. import tables
from ..flags import TableCommand, with_options
from ..streams import show

# `ls` shows the objects used last; a cache holds thousands.
LISTED_MAX = 40


@click.command(cls=TableCommand)
@click.argument("action", type=click.Choice(["ls", "clear", "verify"]), default="ls")
@click.argument("what", required=False)
@with_options("cache")
def cache(inputs: ConfigInputs, action: str, what: str | None) -> None:
    """List what the disk cache holds, clear it, or check every block of it.

    With WHAT only the objects whose source or key contains it are listed or cleared. It is safe while mounts use
    the cache: what they miss they fetch again. `verify` drops what is damaged, and then exits 1.
    """
    place = inputs.all_options()["cache_dir"]
    if place.value is None:
        raise UsageError(f"there is no cache directory: {place.origin}; name one with --cache-dir DIR")
    root = assembly.blocks_dir(place.value)
    try:
        root.open()
        _ACTIONS[action](root, what)
    except FileNotFoundError:
        show(f"{root}: empty")
    except UntrustedDirectory as e:
        raise MountError(f"{e.filename} is not used as a cache, and left alone: {e.strerror}") from None
    except OSError as e:
        raise MountError(f"{root}: {e.strerror or e}") from e


def _ls(root: PrivatePath, what: str | None) -> None:
    found = [e for e in directory.objects(root) if what is None or what in e.source or what in e.key]
    rows = [
        [size(e.held), size(e.size), datetime.fromtimestamp(e.used).astimezone().isoformat(" ", "minutes")[:16],
         f"{e.source}: {e.key}"]
        for e in found[:LISTED_MAX]
    ]  # fmt: skip
    tables.show(["Held", "of", "Last used", "Object"], rows)
    more = f", of which {LISTED_MAX} are shown" if len(found) > LISTED_MAX else ""
    show(f"{root}: {size(sum(e.disk for e in found))} on disk, {len(found)} objects{more}")


def _clear(root: PrivatePath, what: str | None) -> None:
    freed = directory.clear(root, None if what is None else lambda source, key: what in source or what in key)
    show(f"{root}: {size(freed)} freed")


def _verify(root: PrivatePath, what: str | None) -> None:
    v = directory.verify(root)
    show(f"{root}: {v.blocks} blocks in {v.files} files checked")
    if v.bad_blocks or v.bad_files:
        raise MountError(f"{root}: {v.bad_blocks} blocks and {v.bad_files} files were damaged and have been dropped")


_ACTIONS = {"ls": _ls, "clear": _clear, "verify": _verify}
