"""What is known of one path, for `mountnd explain`. Nothing is asked or fetched for it, and nothing counts as a use.

The facts are what JSON can hold: bytes are numbers, times ISO 8601 with a zone, what is unknown is None. The keys of
`mountnd explain --json` are these and those that `path_facts` adds; they stand in help/reports.md.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ..blocks.outlook import cached
from ..blocks.stream import Blocks
from ..catalog.catalogue import Catalogue
from ..catalog.model.entry import Entry
from ..catalog.query.remembered import Remembered, RememberedListing
from ..errors import Forbidden, NotFound
from ..stores.base import ObjectStat
from ..stores.facts import UNKNOWN_MTIME_NS
from ..views.identity import stored
from .failures import FailureLog
from .handles import Handle, Handles
from .inodes import inode_number
from .namespace import Namespace

# What the kernel asks for at once on behalf of a program that reads on: the read of which it is told what it would do.
READ_BYTES = 128 << 10


class Explained(NamedTuple):
    """The facts of a path, and of which source it is; None for the directory that lists several."""

    catalogue: Catalogue | None
    facts: dict[str, Any]


class Explainer:
    """Tells of paths of one tree. Safe to use from many threads. `wall`: seconds since the epoch."""

    def __init__(
        self,
        namespace: Namespace,
        handles: Handles,
        failures: FailureLog,
        blocks: Blocks,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._namespace, self._handles, self._failures, self._blocks = namespace, handles, failures, blocks
        self._wall = wall

    def explain(self, names: Sequence[bytes]) -> Explained:
        """What is known of the path of these components, from the root on."""
        top, below = self._namespace.root, list(names)
        if top.catalogue is None:
            sources = dict(self._namespace.sources(0))
            if not below:
                return Explained(None, {"kind": "directory", "entries": len(sources)})
            name = below.pop(0)
            if name not in sources:
                shown = ", ".join(other.decode("utf-8", "backslashreplace") for other in sources)
                return Explained(None, {"kind": "absent", "why": f"the sources of this mount are {shown}"})
            top = sources[name]
        catalogue = top.catalogue
        assert catalogue is not None
        facts = self._in_source(catalogue, top.entry, below)
        path = b"/".join(names)
        mine = self._failures.last(path.decode("utf-8", "surrogateescape")) or self._failures.last(
            path.decode("utf-8", "backslashreplace")
        )
        of_source = self._failures.last(catalogue)
        facts["last_failure"] = mine and _failure(mine._asdict())
        facts["last_failure_of_source"] = of_source and _failure(of_source._asdict())
        return Explained(catalogue, facts)

    def _in_source(self, catalogue: Catalogue, top: Entry, names: Sequence[bytes]) -> dict[str, Any]:
        if not names:
            return self._directory(catalogue, top)
        parents, entry = [top], top
        try:
            for name in names:
                entry = catalogue.below(parents[-1], name)
                parents.append(entry)
        except NotFound as e:  # a name that no key can have
            return {"kind": "absent", "why": str(e)}
        around, key = parents[-2], entry.key[:-1]
        known = catalogue.remembered(around, names[-1])
        facts: dict[str, Any] = {"key": key, "names": self._names(catalogue, known)}
        listed = catalogue.remembered_listing(around)
        hidden = [one.reason for one in listed.hidden if one.key in (key, f"{key}/")] if listed is not None else []
        if hidden:
            facts["not_shown"] = hidden[0]
        if isinstance(known.answer, Entry) and known.answer.is_dir:
            return facts | self._directory(catalogue, known.answer)
        stat = known.answer.stat if isinstance(known.answer, Entry) else None
        handles = self._handles.opened(inode_number(self._namespace.salt(catalogue), key))
        if stat is not None or handles:  # one that was deleted may still be open
            return facts | self._file(catalogue, stat, handles)
        if isinstance(known.answer, Forbidden):
            return facts | {"kind": "refused"}
        if isinstance(known.answer, NotFound) and known.believed:
            return facts | {"kind": "absent"}
        if (why := _absent_above(catalogue, parents, names)) is not None:
            return facts | {"kind": "absent", "why": why}
        return facts | {"kind": "unknown" if known.answer is None else "absent"}

    def _directory(self, catalogue: Catalogue, entry: Entry) -> dict[str, Any]:
        listed = catalogue.remembered_listing(entry)
        facts: dict[str, Any] = {
            "kind": "directory",
            "key": entry.key,
            "entries": listed.entries if listed else None,
            "listing": self._names(catalogue, listed),
            "listing_refused": catalogue.refuses_listing(entry),
        }
        if listed is not None and listed.hidden:
            first = listed.hidden[0]
            facts["hidden"] = {
                "count": len(listed.hidden) + listed.more_hidden, "key": first.key, "reason": first.reason
            }  # fmt: skip
        return facts

    def _file(self, catalogue: Catalogue, listed: ObjectStat | None, handles: Sequence[Handle]) -> dict[str, Any]:
        """Of the version that programs have open, else of the `listed` one."""
        newest = catalogue.as_known(listed) if listed is not None else None
        stat = handles[0].pin.meta if handles else newest
        assert stat is not None
        id, size, sizes = stat.id, stat.size, catalogue.sizes
        behind = stored(id, id.source)  # in a view of inflated files: what the provider has
        provided = id if behind is None else behind.id
        held = self._blocks.held(id, size)
        opened = sorted((_opened(handle) for handle in handles), key=lambda one: -one["bytes_read"])
        start = next((one["position"] for one in opened if one["pattern"] == "in order"), 0)
        start = start if start < size else 0
        memory, coming, disk, shared, either = cached(held, size)
        return {
            "kind": "file",
            "key": provided.key,
            "etag": provided.etag,
            "version": id.version or None,
            "size": size,
            "storage_class": stat.storage_class or None,
            "modified": _iso(stat.mtime_ns / 1e9) if stat.mtime_ns != UNKNOWN_MTIME_NS else None,
            "unreadable": (sizes.refusal(stat) or None) if sizes is not None else None,
            "cached": {"memory": memory, "coming": coming, "disk": disk, "shared": shared, "any": either},
            "open": opened,
            "replaced": newest is not None and stat.id != newest.id,
            "gone": bool(handles) and handles[0].pin.stale,
            "next_read": self._blocks.outlook(held, id.source, size, start, start + READ_BYTES)._asdict(),
        }

    def _names(self, catalogue: Catalogue, known: Remembered | RememberedListing | None) -> dict[str, Any]:
        """Where names come from, since when, and until when they are believed."""
        nothing = known is None or (isinstance(known, Remembered) and known.answer is None)
        if known is None or nothing:
            return {"told_by": None, "held": None, "since": None, "until": None, "believed": False}
        told_by = known.told_by if isinstance(known, Remembered) else "listing"
        return {
            "told_by": told_by,
            "held": "disk" if known.on_disk else "memory",
            "since": self._at(catalogue, known.at),
            "until": self._at(catalogue, known.until),
            "believed": known.believed,
        }

    def _at(self, catalogue: Catalogue, at: float) -> str | None:
        """A monotonic time of the catalogue's as one of the calendar; None for never and for ever."""
        return _iso(self._wall() - catalogue.age(at)) if math.isfinite(at) else None


def _absent_above(catalogue: Catalogue, parents: Sequence[Entry], names: Sequence[bytes]) -> str | None:
    """Why a name cannot be there: what is known of the directories on its path, the nearest first. None: it may be."""
    for above, name in zip(reversed(parents[:-2]), reversed(names[:-1]), strict=True):
        known = catalogue.remembered(above, name)
        if not known.believed:
            continue
        shown = catalogue.display(above.key) + name.decode("utf-8", "backslashreplace")
        if isinstance(known.answer, NotFound):
            return f"{shown}/ is not there"
        if isinstance(known.answer, Entry):
            return None if known.answer.is_dir else f"{shown} is a file, and no directory"
    return None


def _opened(handle: Handle) -> dict[str, Any]:
    """One open file, and how it is read."""
    pattern = handle.stream.pattern()
    return {
        "pattern": pattern.kind,
        "position": pattern.position,
        "distance": pattern.distance,
        "length": pattern.length,
        "places": pattern.places,
        "bytes_read": handle.read_bytes,
    }


def _failure(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "at": _iso(told["at"])}


def _iso(seconds: float) -> str | None:
    try:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):  # a time that no calendar has
        return None
