"""`mountnd cache [ls|clear|verify|gc|unpin]`: what the disk cache holds, or the cache that nodes share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import click

from ... import view_files
from ...blocks.disk import contents, directory
from ...blocks.disk.contents import CachedObject
from ...blocks.disk.pins import Pins
from ...blocks.disk.place import CacheDirectory
from ...blocks.disk.shared_cache import FOLDER
from ...blocks.disk.shared_room import SharedRoom
from ...cache_directory import blocks_dir, views_dir_of
from ...config.layers import Layer, ResolvedOption
from ...config.parsers import did_you_mean
from ...config.resolve import ConfigInputs
from ...daemon import mounts
from ...errors import MountError, UsageError
from ...private_directory import PrivatePath
from ...regular_file import UntrustedDirectory
from ...report.figures import size
from ...shared_directory.directory import SharedPath
from ...shared_directory.guard import PATIENCE_S
from ...shared_directory.place import SharedPlace
from ...stats import Stats
from .. import pins_view, tables
from ..flags import TableCommand, json_option, with_options
from ..streams import show, show_json

# `ls` shows the data sets or objects used last; a cache holds thousands.
LISTED_MAX = 40


# Directories at the top of buckets that are no data set but hold some (fcp-indi: data/Projects/ABIDE).
_SHELVES = frozenset(("data", "datasets", "projects", "public", "resources"))


@click.command(cls=TableCommand)
@click.argument("action", type=click.Choice(["ls", "clear", "verify", "gc", "unpin"]), default="ls")
@click.argument("what", required=False)
@click.option("--pinned", is_flag=True, help="clear: what is pinned, too")
@click.option("--shared", is_flag=True, help="the cache that nodes share; --shared-cache DIR says so, too")
@json_option("What is held, freed or damaged.")
@with_options("cache")
def cache(inputs: ConfigInputs, action: str, what: str | None, pinned: bool, shared: bool, as_json: bool) -> None:
    """List what the disk cache holds, clear it, check every block of it, or bring it under its limit.

    `ls` has a line for each data set; with WHAT, one for each object whose source or key contains it. `clear WHAT`
    clears these objects only. It is safe while mounts use the cache: what they miss they fetch again. `verify` drops
    what is damaged, and then exits 1. `gc` removes what was used longest ago beyond the limit (--cache-size,
    --shared-size), and what crashes left.

    What `mountnd prefetch --pin NAME` has pinned stays: `ls` lists the pins, `unpin NAME` ends one (the data stay
    until they are evicted), and `clear` passes by what is pinned unless --pinned is given.
    """
    if pinned and action != "clear":
        raise UsageError("--pinned goes with `clear`")
    if action == "unpin" and what is None:
        raise UsageError("which pin? mountnd cache unpin NAME (mountnd cache ls lists them)")
    if what is not None and action in ("verify", "gc"):
        raise UsageError(f"`{action}` is for the whole cache: mountnd cache {action}")
    options = inputs.all_options()
    shared = shared or options["shared_cache"].layer is Layer.TYPED
    if shared and action == "unpin":
        raise UsageError("pins are of the node's own cache: leave out --shared")
    root = _shared(options) if shared else _own(options)
    try:
        root.open()
        if action == "clear":
            _clear(root, None if shared else views_dir_of(options["cache_dir"].value), what, as_json, pinned=pinned)
        elif action == "gc":
            _gc(root, options["shared_size" if shared else "cache_size"].value, as_json)
        else:
            _ACTIONS[action](root, what, as_json)
    except FileNotFoundError:
        if action == "unpin":
            raise MountError(f"{root}: no pin is called {what}") from None
        show_json({"directory": str(root), **_EMPTY[action]}, indent=2) if as_json else show(f"{root}: empty")
    except UntrustedDirectory as e:
        raise MountError(f"{e.filename} is not used as a cache, and left alone: {e.strerror}") from None
    except OSError as e:
        raise MountError(f"{root}: {e.strerror or e}") from e


def _own(options: Mapping[str, ResolvedOption]) -> PrivatePath:
    place = options["cache_dir"]
    if place.value is None:
        raise UsageError(f"there is no cache directory: {place.origin}; name one with --cache-dir DIR")
    return blocks_dir(place.value)


def _shared(options: Mapping[str, ResolvedOption]) -> SharedPath:
    """Where the shared cache has its blocks. Raises UsageError where there is none, MountError where it hangs."""
    directory_ = options["shared_cache"].value
    if directory_ is None:
        raise UsageError("there is no shared cache: name it with --shared-cache DIR")
    if mounts.probe(directory_, PATIENCE_S) is None:  # in a process of its own: one that hangs in FUSE could not end
        raise MountError(f"{directory_} does not answer")
    place = SharedPlace(directory_, options["shared_mode"].value, told=False)
    place.close()
    if why := place.guard.why_out:
        raise MountError(f"{directory_}: {why}")
    return place.path / FOLDER


def _gc(root: PrivatePath, limit: int | None, as_json: bool) -> None:
    if isinstance(root, SharedPath):
        room = SharedRoom(CacheDirectory(root), limit, Stats())
        if (done := room.collect()) is None:
            raise MountError(f"{root}: another node evicts just now; try again in a minute")
        (taken, freed), limit = done, room.limit
    else:
        limit = directory.default_limit(root) if limit is None else limit
        taken, freed = directory.collect(root, limit, Pins(root).chunks())
    if as_json:
        show_json({"directory": str(root), "freed": freed, "on_disk": taken, "limit": limit}, indent=2)
    else:
        show(f"{root}: {size(freed)} freed, {size(taken)} on disk; the limit is {size(limit or 0)}")


def _ls(root: PrivatePath, what: str | None, as_json: bool) -> None:
    objects = [e for e in contents.objects(root) if what is None or what in e.source or what in e.key]
    pins = pins_view.amounts(root) if what is None else []
    if as_json:
        on_disk = sum(e.disk for e in objects)
        told = {"directory": str(root), "on_disk": on_disk, "objects": _told(objects)}
        show_json(told | {"pins": [pin.as_json() for pin in pins]}, indent=2)
        return
    if objects and what is None:
        tables.show(["Data set", "Objects", *_AMOUNTS], _rows_of_sets(objects), right={1, 2, 3}, whole={4})
        show("", "The objects of one: mountnd cache ls NAME", "")
    elif objects:
        tables.show(["Object", *_AMOUNTS], _rows_of_objects(objects), right={1, 2}, whole={3})
        show("")
    pins_view.show_pins(pins)
    show(f"{root}: {size(sum(e.disk for e in objects))} on disk, {len(objects):,} objects")


def _told(objects: Iterable[CachedObject]) -> list[dict[str, Any]]:
    """The objects in `--json`; the keys stand in help/commands.md."""
    return [
        {"source": e.source, "key": e.key, "size": e.size, "held": e.held, "on_disk": e.disk, "used": e.used}
        for e in objects
    ]


_AMOUNTS = ("Held", "of", "Last used")
_Rows = Iterator[tables.Row | tables.Group]


def _rows_of_sets(objects: Sequence[CachedObject]) -> _Rows:
    sets = data_sets(objects)
    yield from _below_sources(
        (source, [name or "(in no directory)", f"{len(parts):,}", *_amounts(parts)])
        for (source, name), parts in sets.items()
    )
    yield tables.Group(_left_out(len(sets)))
    yield tables.total("Total", f"{len(objects):,}", *_amounts(objects))


def _rows_of_objects(objects: Sequence[CachedObject]) -> _Rows:
    yield from _below_sources((e.source, [e.key, *_amounts([e])]) for e in objects)
    yield tables.Group(_left_out(len(objects)))
    yield tables.total("Total", *_amounts(objects))


def _below_sources(rows: Iterable[tuple[str, list[str]]]) -> _Rows:
    """The first LISTED_MAX rows, below their sources: those of one source together, the one used last first."""
    found: dict[str, list[list[str]]] = {}
    for source, row in islice(rows, LISTED_MAX):
        found.setdefault(source, []).append(row)
    for source, below in found.items():
        yield tables.Group(source)
        yield from below


def _left_out(many: int) -> str:
    return f"... and {many - LISTED_MAX:,} more, used longer ago" if many > LISTED_MAX else ""


def _amounts(objects: Sequence[CachedObject]) -> list[str]:
    """Bytes held, the sizes of the objects, and when one was used last."""
    used = datetime.fromtimestamp(max(e.used for e in objects)).astimezone()
    today = used.date() == datetime.now().astimezone().date()
    return [
        size(sum(e.held for e in objects)),
        size(sum(e.size for e in objects)),
        f"today {used:%H:%M}" if today else f"{used:%Y-%m-%d}",
    ]


def data_sets(objects: Iterable[CachedObject]) -> dict[tuple[str, str], list[CachedObject]]:
    """Objects by source and the directory of their data set, in the order in which they come."""
    found: dict[tuple[str, str], list[CachedObject]] = {}
    for e in objects:
        found.setdefault((e.source, data_set_of(e.key)), []).append(e)
    return found


def data_set_of(key: str) -> str:
    """The directory that holds the data set of a key: the topmost that is not a mere shelf of data sets. Pure."""
    above = key.split("/")[:-1]
    for at, name in enumerate(above):
        if name.lower() not in _SHELVES:
            return "/".join(above[: at + 1])
    return "/".join(above)


def _clear(root: PrivatePath, views: PrivatePath | None, what: str | None, as_json: bool, *, pinned: bool) -> None:
    pins = Pins(root)
    which = None if what is None else lambda source, key: what in source or what in key
    freed, kept = contents.clear(root, which, keep=() if pinned else pins.chunks())
    if pinned and what is None:
        for pin in pins.all():
            pins.remove(pin.name)
    if what is None and views is not None:
        freed += view_files.clear(views)
    if as_json:
        show_json({"directory": str(root), "freed": freed, "pinned": kept}, indent=2)
        return
    show(f"{root}: {size(freed)} freed")
    if kept:
        show(f"{size(kept)} are pinned and stay (mountnd cache ls); --pinned clears them, too")


def _unpin(root: PrivatePath, what: str | None, as_json: bool) -> None:
    assert what is not None
    pins = Pins(root)
    if not pins.remove(what):
        raise MountError(f"{root}: no pin is called {what}{did_you_mean(what, [pin.name for pin in pins.all()])}")
    if as_json:
        show_json({"directory": str(root), "unpinned": what}, indent=2)
    else:
        show(f"{what} is not pinned any more: its data stay until room is needed (mountnd cache clear frees it now)")


def _verify(root: PrivatePath, what: str | None, as_json: bool) -> None:
    v = contents.verify(root)
    if as_json:
        show_json({"directory": str(root), **v._asdict()}, indent=2)
    else:
        show(f"{root}: {v.blocks} blocks in {v.files} files checked")
        if v.unread:
            show(f"{v.unread} files of other users cannot be read and were not checked")
    if v.bad_blocks or v.bad_files:
        raise MountError(f"{root}: {v.bad_blocks} blocks and {v.bad_files} files were damaged and have been dropped")


_ACTIONS = {"ls": _ls, "verify": _verify, "unpin": _unpin}
# What `--json` tells where there is no cache.
_EMPTY: Mapping[str, dict[str, Any]] = {
    "ls": {"on_disk": 0, "objects": [], "pins": []},
    "clear": {"freed": 0, "pinned": 0},
    "gc": {"freed": 0, "on_disk": 0, "limit": None},
    "verify": contents.VerifyResult(0, 0, 0, 0)._asdict(),
}
