"""`mountnd cache [ls|clear|verify]`: what the disk cache holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from ... import assembly
from ...blocks.disk import directory
from ...config.resolve import ConfigInputs
from ...errors import MountError, UsageError
from ...private_directory import PrivatePath
from ...regular_file import UntrustedDirectory
from ...report.figures import size
from .. import tables
from ..flags import TableCommand, json_option, with_options
from ..streams import show, show_json

# `ls` shows the objects used last; a cache holds thousands.
LISTED_MAX = 40


@click.command(cls=TableCommand)
@click.argument("action", type=click.Choice(["ls", "clear", "verify"]), default="ls")
@click.argument("what", required=False)
@json_option("What is held, freed or damaged.")
@with_options("cache")
def cache(inputs: ConfigInputs, action: str, what: str | None, as_json: bool) -> None:
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
        _ACTIONS[action](root, what, as_json)
    except FileNotFoundError:
        show_json({"directory": str(root), **_EMPTY[action]}, indent=2) if as_json else show(f"{root}: empty")
    except UntrustedDirectory as e:
        raise MountError(f"{e.filename} is not used as a cache, and left alone: {e.strerror}") from None
    except OSError as e:
        raise MountError(f"{root}: {e.strerror or e}") from e


def _ls(root: PrivatePath, what: str | None, as_json: bool) -> None:
    found = [e for e in directory.objects(root) if what is None or what in e.source or what in e.key]
    if as_json:
        objects = [
            {"source": e.source, "key": e.key, "size": e.size, "held": e.held, "on_disk": e.disk, "used": e.used}
            for e in found
        ]
        show_json({"directory": str(root), "on_disk": sum(e.disk for e in found), "objects": objects}, indent=2)
        return
    rows = [
        [size(e.held), size(e.size), datetime.fromtimestamp(e.used).astimezone().isoformat(" ", "minutes")[:16],
         f"{e.source}: {e.key}"]
        for e in found[:LISTED_MAX]
    ]  # fmt: skip
    tables.show(["Held", "of", "Last used", "Object"], rows)
    more = f", of which {LISTED_MAX} are shown" if len(found) > LISTED_MAX else ""
    show(f"{root}: {size(sum(e.disk for e in found))} on disk, {len(found)} objects{more}")


def _clear(root: PrivatePath, what: str | None, as_json: bool) -> None:
    freed = directory.clear(root, None if what is None else lambda source, key: what in source or what in key)
    show_json({"directory": str(root), "freed": freed}, indent=2) if as_json else show(f"{root}: {size(freed)} freed")


def _verify(root: PrivatePath, what: str | None, as_json: bool) -> None:
    v = directory.verify(root)
    if as_json:
        show_json({"directory": str(root), **v._asdict()}, indent=2)
    else:
        show(f"{root}: {v.blocks} blocks in {v.files} files checked")
    if v.bad_blocks or v.bad_files:
        raise MountError(f"{root}: {v.bad_blocks} blocks and {v.bad_files} files were damaged and have been dropped")


_ACTIONS = {"ls": _ls, "clear": _clear, "verify": _verify}
# What `--json` tells where there is no cache.
_EMPTY: Mapping[str, dict[str, Any]] = {
    "ls": {"on_disk": 0, "objects": []},
    "clear": {"freed": 0},
    "verify": directory.VerifyResult(0, 0, 0, 0)._asdict(),
}
