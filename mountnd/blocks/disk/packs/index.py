"""Where which block lies, in all packs of a directory: in memory, and looked at again when the directory has changed.

A pack never changes, so its index is read once. Whether there are new ones the time of their folder tells, which is
opened for that: network file systems ask their server then. Two changes within a tick of its clock look like one; so a
folder that has just changed is listed each time that it is looked at, and so is one whose time is in the future.

Lock order: `PackIndex._lock` is a leaf, held across no I/O. `_turn` is held by who looks at the directory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from ....private_directory import PrivateDirectory
from ....regular_file import Untrusted
from ..place import CacheDirectory
from .format import FOLDER, PACK_NAME, InvalidPack, Place
from .pack_file import Pack, PackFile

# Records that are known at once, at most: 16 bytes each, so 32 MiB. Of more than that the newest packs are used.
MOST_KNOWN = 2 << 20
# Names in the folder that are looked at, at most.
MOST_NAMES = 100_000
# What is not found is looked for again where the last look at the folder was so long ago.
LOOK_S = 1.0
# A clock that ticks once a second, as some have, may have two changes within this after the first.
SETTLED_S = 2.0
# Where nodes set the times (Lustre) and one of them has a wrong clock, a folder may keep a time for as long as that is
# ahead, whatever others do to it. So a time in the future tells nothing, and another is believed for so long.
RELIST_S = 10.0
# One look reads new packs for so long, and goes on with the next: who waits for it has more to do.
BUDGET_S = 0.5
# How often the folder is listed again by one look, where it changes meanwhile.
LISTINGS = 3
# Others look, and may hang: how long they are waited for.
TURN_S = 1.0


class PackIndex:
    """The packs below `root`. Safe to use from many threads.

    Args:
        clock: monotonic seconds.
        damaged: told the name of a file that is no pack, and why. refused: of one that we may not read.
        most: records that are known at once.
    """

    def __init__(
        self,
        root: CacheDirectory,
        clock: Callable[[], float] = time.monotonic,
        *,
        damaged: Callable[[str, str], object] = lambda name, why: None,
        refused: Callable[[str], object] = lambda name: None,
        most: int = MOST_KNOWN,
    ) -> None:
        self._root, self._clock, self._most = root, clock, most
        self._damaged, self._refused = damaged, refused
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._packs: dict[str, Pack] = {}
        self._newest: tuple[Pack, ...] = ()
        # What is not read again: no packs, or not ours to read; and what is beyond what is known at once.
        self._useless: set[str] = set()
        self._beyond: set[str] = set()
        self._expired = self._looked = float("-inf")
        # The folder's inode and time, since when it has them, and when it was listed.
        self._stamp, self._since, self._listed = (0, 0), float("-inf"), float("-inf")
        self._is_complete = False

    @property
    def packs(self) -> tuple[Pack, ...]:
        """Those that are known, the newest first."""
        return self._newest

    @property
    def is_crowded(self) -> bool:
        """Whether there are more records than may be known, so that the oldest packs are not used."""
        return bool(self._beyond)

    @property
    def is_complete(self) -> bool:
        """Whether all packs are known that were there at the last look."""
        return self._is_complete

    def find(self, key: int) -> Iterator[tuple[str, Place]]:
        """Where records of this key are said to lie: pack and place, the newest first."""
        for pack in self._newest:
            for place in pack.entries.find(key):
                yield pack.name, place

    def add(self, pack: Pack) -> None:
        """A pack that was made here."""
        with self._lock:
            self._packs[pack.name] = pack
            self._sort()

    def forget(self, name: str) -> None:
        """A pack is gone."""
        with self._lock:
            self._listed = float("-inf")
            if self._packs.pop(name, None) is not None:
                self._sort()

    def expire(self, *, changed: bool = False) -> None:
        """Something may have come now: who finds nothing must look at the folder again.

        `changed`: it has come; the folder is listed whatever its time says, which some file systems are slow to tell.
        """
        if changed:
            self._listed = float("-inf")
        self._expired = self._clock()

    def refresh(self) -> bool:
        """Look at the folder, if that is due; whether somebody has. Raises OSError."""
        asked = self._clock()
        if not self._is_due(asked):
            return False
        if not self._turn.acquire(timeout=TURN_S):
            return False
        try:
            if self._looked > asked:  # another has looked meanwhile
                return True
            begun = self._clock()
            self._look(begun)
            self._looked = begun
        finally:
            self._turn.release()
        return True

    def _is_due(self, now: float) -> bool:
        return self._looked <= self._expired or now - self._looked >= LOOK_S or not self._is_complete

    def _look(self, begun: float) -> None:
        try:
            folder = self._root.below(FOLDER)
        except (FileNotFoundError, NotADirectoryError, PermissionError):  # the writer says what is wrong there
            self._stamp, self._is_complete = (0, 0), True
            self._keep_only((), self._names())
            return
        if (stamp := _stamp(folder)) != self._stamp:
            self._stamp, self._since = stamp, begun
        elif self._is_complete and self._is_telling(stamp[1], begun):
            return
        self._listed, known = begun, self._names()
        names = _pack_names(folder)
        for _ in range(LISTINGS):  # what a merge made and what it removed may both be missed by who lists meanwhile
            if (stamp := _stamp(folder)) == self._stamp:
                break
            self._stamp, self._since = stamp, self._clock()
            names = _pack_names(folder)
        self._keep_only(names, known)
        new = names - self._names() - self._useless - self._beyond
        self._read(sorted(new, reverse=True), begun + BUDGET_S)

    def _is_telling(self, ns: int, now: float) -> bool:
        """Whether a folder's time that is the same means that nothing has changed since it was listed."""
        if self._listed <= self._since + SETTLED_S or now - self._listed > RELIST_S:
            return False
        return ns / 1e9 <= self._root.now() + SETTLED_S

    def _names(self) -> set[str]:
        with self._lock:
            return set(self._packs)

    def _keep_only(self, names: Collection[str], known: set[str]) -> None:
        """Forget of what was `known` all but `names`."""
        with self._lock:
            gone = known.difference(names) & self._packs.keys()
            for name in gone:
                del self._packs[name]
            if gone:
                self._sort()
            self._useless.intersection_update(names)
            self._beyond.intersection_update(names)
            if self._beyond and 2 * sum(len(pack.entries) for pack in self._newest) < self._most:
                self._beyond.clear()

    def _read(self, names: Sequence[str], until: float) -> None:
        """Read the indexes of new packs, newest first, until it is time to stop. Where more is known than may be, not
        of those that are older than what is known: a large directory has gigabytes of indexes."""
        found: list[Pack] = []
        self._is_complete = False
        records, oldest = 0, self._oldest()
        try:
            for n, name in enumerate(names):
                if name < oldest or records > self._most:
                    with self._lock:
                        self._beyond.update(names[n:])
                    self._is_complete = True
                    break
                if (pack := self._open(name)) is not None:
                    found.append(pack)
                    records += len(pack.entries)
                if self._clock() > until:
                    break
            else:
                self._is_complete = True
        finally:
            with self._lock:
                self._packs.update((pack.name, pack) for pack in found)
                if found:
                    self._sort()

    def _oldest(self) -> str:
        """What older packs than this hold is too much to be known; "" where there is room."""
        with self._lock:
            return min(self._packs, default="") if self._beyond else ""

    def _open(self, name: str) -> Pack | None:
        try:
            return PackFile.open(name, self._root).look()
        except FileNotFoundError:  # it was merged since the folder was listed
            self.expire(changed=True)
            return None
        except (InvalidPack, Untrusted, IsADirectoryError) as e:
            self._damaged(name, (e.strerror or "") if isinstance(e, OSError) else str(e))
        except PermissionError:
            self._refused(name)
        except BlockingIOError:  # somebody has a lease of it: Samba, an NFS server, or a member; perhaps later
            return None
        with self._lock:
            self._useless.add(name)
        return None

    def _sort(self) -> None:
        """With the lock held: the newest first, as many as may be known."""
        newest: list[Pack] = []
        known = 0
        for name in sorted(self._packs, reverse=True):
            known += len(self._packs[name].entries)
            if known > self._most and newest:
                self._beyond.add(name)
                del self._packs[name]
            else:
                newest.append(self._packs[name])
        self._newest = tuple(newest)


def _stamp(folder: PrivateDirectory) -> tuple[int, int]:
    """By which a change is seen."""
    info = folder.info
    return info.st_ino, info.st_mtime_ns


def _pack_names(folder: PrivateDirectory) -> set[str]:
    return {f"{FOLDER}/{name}" for name in folder.names(MOST_NAMES) if PACK_NAME.fullmatch(name)}
