"""Packs become one: which (a pure policy), and how. Also how a pack loses some of what it holds.

Small packs are many where nodes read slowly, one pack for each moment. They are merged by size: those of a tier, once
there are many of it, so that each byte is written again some three times at most. Only packs of the same mode become
one: whoever may not read a pack must not read in another what it holds.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from ....private_directory import PrivateDirectory
from ....regular_file import Untrusted
from ..chunk_file import ChunkIdentity
from .format import MOST_RECORDS, InvalidPack
from .pack_file import NewPack, Pack, PackFile

# Packs smaller than these, in bytes, are merged with others of their tier, once there are more than so many.
TIERS = (64 << 10, 1 << 20, 16 << 20)
MANY = 32
# A pack, at most: eviction's grain, and what a crash in the middle of a merge may leave.
MERGED = 32 << 20
# Of the limit of the directory, at most: while it is merged what it holds lies there twice, and all of it is evicted.
LIMIT_PART = 16
# Packs that are made by one merge, at most: others wait for their turn.
AT_ONCE = 4


class PackSize(NamedTuple):
    """A pack, its bytes, its records, and its permission bits."""

    name: str
    bytes: int
    records: int
    mode: int = 0


def to_merge(packs: Iterable[PackSize], most: int = MERGED) -> list[list[str]]:
    """Which packs are to become one of up to `most` bytes each, by name. Pure."""
    tiers: defaultdict[tuple[int, int], list[PackSize]] = defaultdict(list)
    for pack in packs:
        # What has half of the records that a pack may have is as large as it gets, however small these are.
        if pack.bytes >= most // 2 or pack.records >= MOST_RECORDS // 2:
            continue
        tier = next((n for n, bytes_ in enumerate(TIERS) if pack.bytes < bytes_), None)
        if tier is not None:
            tiers[tier, pack.mode].append(pack)
    many = (tiers[key] for key in sorted(tiers) if len(tiers[key]) > MANY)
    groups = [group for tier in many for group in _cut(sorted(tier), most)]
    return [[pack.name for pack in group] for group in groups if len(group) > 1][:AT_ONCE]


def _cut(packs: Iterable[PackSize], most: int) -> list[list[PackSize]]:
    """Packs by age, in groups that fit into one."""
    groups: list[list[PackSize]] = []
    bytes_ = records = 0
    for pack in packs:
        bytes_, records = bytes_ + pack.bytes, records + pack.records
        if not groups or bytes_ > most or records > MOST_RECORDS:
            groups.append([])
            bytes_, records = pack.bytes, pack.records
        groups[-1].append(pack)
    return groups


class Merged(NamedTuple):
    """What a merge has done.

    Attributes:
        made: the packs that hold now what others held. gone: those; kept: of these, what could not be removed.
        damaged: records that were dropped, as their checksums failed.
    """

    made: Sequence[Pack]
    gone: Collection[str]
    kept: Collection[str]
    damaged: int


def merge(
    root: PrivateDirectory,
    names: Iterable[str],
    now: float,
    *,
    keep: Callable[[ChunkIdentity], bool] = lambda identity: True,
    go_on: Callable[[], bool] = lambda: True,
) -> Merged:
    """Put what these packs hold into new ones, and remove them.

    Every record is checked; what is damaged, lies in two of them, or is not to be kept, is left out. What may not be
    read stays as it is. Nothing is removed before all is published. It ends, and leaves all as it was, where `go_on`
    does not hold any more.

    Raises OSError.
    """
    merging = _Merging(root, now, keep, go_on)
    try:
        for name in names:
            merging.take(name)
        made = merging.publish()
    except BaseException:
        merging.discard()
        raise
    kept = [name for name in merging.read if not root.remove(name) and _is_there(root, name)]
    return Merged(made, merging.read, kept, merging.damaged)


class _Merging:
    """New packs that are being made of old ones. `read`: these; `damaged`: records that were left out for that.

    `_mode`: that of the first old one, and so of the new ones; what has another is left alone.
    """

    def __init__(
        self, root: PrivateDirectory, now: float, keep: Callable[[ChunkIdentity], bool], go_on: Callable[[], bool]
    ) -> None:
        self._root, self._now, self._keep, self._go_on = root, now, keep, go_on
        self._new: list[NewPack] = []
        self._keys: set[int] = set()
        self._used = 0.0
        self._mode: int | None = None
        self.read: list[str] = []
        self.damaged = 0

    def take(self, name: str) -> None:
        """Copy what a pack holds."""
        try:
            file = PackFile.open(name, self._root)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, BlockingIOError, Untrusted):
            return  # gone, or not ours to merge
        if self._mode is None:
            self._mode = file.mode
        elif self._mode != file.mode:
            return  # it was replaced since it was looked at
        self._used = max(self._used, min(file.used, self._now))  # a wrong clock is not passed on to the others
        damaged = 0
        try:
            for found in file.records():
                if not self._go_on():
                    raise OSError(errno.ECANCELED, "merging has ended")
                if found is None:
                    damaged += 1
                else:
                    self._add(*found)
        except InvalidPack:
            damaged += 1
        if file.is_linked:  # else it was evicted, and so emptied, or another has merged it
            self.damaged += damaged
            self.read.append(name)

    def _add(self, key: int, raw: bytes, identity: ChunkIdentity) -> None:
        if key in self._keys or not self._keep(identity):
            return
        self._keys.add(key)
        if not self._new or self._new[-1].is_full or self._new[-1].bytes + len(raw) > MERGED:
            self._new.append(NewPack(self._root, self._now, self._mode))
        self._new[-1].add(key, raw)

    def publish(self) -> list[Pack]:
        return [new.publish(self._used) for new in self._new]

    def discard(self) -> None:
        for new in self._new:
            new.discard()


def _is_there(root: PrivateDirectory, name: str) -> bool:
    try:
        root.stat(name)
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True
