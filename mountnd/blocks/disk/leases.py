"""Who fetches what, among mounts that share a cache directory: a lease on each part of a chunk that is being fetched.

A lease is a file in `leases/`, made with O_EXCL, which names the mount that holds it. It is held while its part of a
chunk is fetched and until that is on disk, where whoever wanted the same finds it. It is a hint, not a lock: whoever
finds nothing where it should be fetches by itself, and what two have fetched is written twice, the same bytes at the
same place.

Nobody depends on another mount. A lease is void when its holder has shown no sign of life for `Rhythm.silent_s`, or
is not there (any more); and it is waited for only so long as the fetcher says, also where its holder lives and gets no
answer. Where nothing can be written there are no leases.

A mount that has no neighbours takes none (`Neighbours.fetching`). One thread shows that this mount lives, and looks
whether leases are gone that others hold, for all who wait; it runs while there is need.

Lock order: `Leases._lock` is a leaf; no lock is held across I/O.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

from ...errors import MountError
from ...stores.base import Deadline, ObjectId
from ...threads import start
from ..geometry import BlockRange
from .base import Busy
from .chunk_file import ChunkIdentity, chunks_of
from .lease_files import GONE, LeaseFiles, Version
from .neighbours import NODE, Neighbours, Others, Rhythm
from .place import CacheDirectory

log = logging.getLogger(__name__)

# 512 KiB, what most GETs bring: of a longer one each part is leased, and a shorter one leases all of its part. Half as
# much would be twice as many files to make; of twice as much, mounts that read side by side would wait more often for
# somebody who fetches the other end.
PART_BLOCKS = 8
# Where leases cannot be made (a full disk), how long until that is tried again.
REFUSED_S = 5.0


class Hold:
    """Leases that were taken together, by one fetch. They are released when that has called `done`, and whoever got
    something from `share` has called it. Safe to use from many threads."""

    def __init__(self, leases: Leases, names: Sequence[str]) -> None:
        self._leases, self._names = leases, names
        self._lock, self._left = threading.Lock(), 1

    def share(self) -> Callable[[], None]:
        """Hold them until what this gives was called."""
        with self._lock:
            self._left += 1
        return self.done

    def done(self) -> None:
        with self._lock:
            self._left -= 1
            ended = not self._left
        if ended:
            self._leases.release(self._names)


class Leases:
    """The leases of one mount. Safe to use from many threads.

    Args:
        root: the cache directory.
        clock: monotonic seconds.
        neighbours: the mounts that share it; None: those of this node.
        rhythm: how often is looked, and how long silence means nothing.
        post: has calls made that remove files, on this thread or another.
    """

    def __init__(
        self,
        root: CacheDirectory,
        clock: Callable[[], float] = time.monotonic,
        *,
        neighbours: Others | None = None,
        rhythm: Rhythm = NODE,
        post: Callable[[Callable[[], object]], object] = lambda call: call(),
    ) -> None:
        self._clock, self._root, self._rhythm, self._post = clock, root, rhythm, post
        self._neighbours = neighbours or Neighbours(root, clock)
        self._files = LeaseFiles(root, self._neighbours.owner)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._held: dict[str, tuple[int, float]] = {}  # how often, since when
        self._waits: set[_Wait] = set()
        self._refused_until = float("-inf")
        self._runs = self._closed = False
        self._process = os.getpid()

    def join(self, sources: Collection[str]) -> None:
        """This mount reads these sources (`Store.source`). Never raises."""
        self._neighbours.join(sources)
        self._files.clean()

    def close(self) -> None:
        """Give up all that is held. Idempotent, never raises."""
        with self._lock:
            closed, self._closed = self._closed, True
            held, self._held = list(self._held), {}
            self._changed.notify_all()
        if not closed and self._process == os.getpid():  # a forked process holds nothing
            self._post(partial(self._leave, held))

    def _leave(self, held: Sequence[str]) -> None:
        self._files.remove(held)
        self._neighbours.leave()

    def shared(self, source: str) -> bool:
        """A fetch from `source` begins: whether another mount may fetch the same. Never raises."""
        if not self._neighbours.fetching(source):
            return False
        if self._closed or self._clock() < self._refused_until or self._process != os.getpid():
            return False
        return self._watch()

    def take(self, id: ObjectId, size: int, spans: Sequence[BlockRange]) -> tuple[Hold, list[BlockRange], list[Busy]]:
        """Lease what nobody else has of `spans`, blocks of an object of `size` bytes.

        Returns the leases, the blocks that they are for (also those whose lease could not be made, as on a full disk),
        and what others have.
        """
        mine: list[BlockRange] = []
        names: list[str] = []
        busy: list[Busy] = []
        for name, span in _parts(id, size, spans):
            found = self._take(name, span, id.source, names)
            if found is not None:
                busy.append(found)
            elif mine and mine[-1].stop == span.first:
                mine[-1] = BlockRange(mine[-1].first, span.stop)
            else:
                mine.append(span)
        return Hold(self, names), mine, busy

    def wait(self, source: str, busy: Collection[Busy], patience: Deadline) -> bool:
        """Wait until none of `busy` is held by a mount that lives; False where `patience` ends before, or is cancelled.

        Whoever was waited for to the end of it is not waited for again for a while.
        """
        wait = _Wait(source, busy)
        with self._lock:
            self._waits.add(wait)
            self._changed.notify_all()
        try:
            with patience.ending(wait.over.set):
                if self._watch():
                    wait.over.wait(patience.left())
        finally:
            with self._lock:
                self._waits.discard(wait)
        if not wait.left:
            return True
        if not patience.cancelled:
            for one in wait.left:
                self._neighbours.distrust(one.owner, source)
        return False

    def end_waits(self) -> None:
        """Whoever waits does so no longer."""
        with self._lock:
            for wait in self._waits:
                wait.over.set()

    def release(self, names: Sequence[str]) -> None:
        """Give up leases, each as often as it was taken."""
        now, ended = self._clock(), []
        with self._lock:
            for name in names:
                if name not in self._held:
                    continue  # closed
                count, since = self._held.pop(name)
                if count > 1:
                    self._held[name] = (count - 1, since)
                else:
                    ended.append((name, now - since > self._rhythm.silent_s))
        if ended:
            self._post(partial(self._remove, ended))

    def _remove(self, ended: Sequence[tuple[str, bool]]) -> None:
        # One that was held for long may have been taken away, and be another mount's by now.
        self._files.remove(
            [name for name, late in ended if not late or self._files.read(name)[0] == self._neighbours.owner]
        )

    # -- taking ---------------------------------------------------------------------------------

    def _take(self, name: str, span: BlockRange, source: str, names: list[str]) -> Busy | None:
        """Lease one part, and add it to `names`; who has it, where somebody does."""
        if self._join_own(name):
            names.append(name)
            return None
        for again in (True, False):
            try:
                self._files.make(name)
            except FileExistsError:
                pass
            except OSError as e:
                log.debug("no lease: %s", e)
                self._refused_until = self._clock() + REFUSED_S
                return None
            else:
                with self._lock:
                    count, since = self._held.get(name, (0, self._clock()))
                    self._held[name] = (count + 1, since)
                names.append(name)
                return None
            owner, version = self._files.read(name)
            if owner == self._neighbours.owner and self._join_own(name):
                names.append(name)
                return None
            # Ours, and not in the table: another thread is just making or removing it.
            if not again or owner == self._neighbours.owner or not self._is_void(owner, version, source):
                return Busy(span, name, owner, version)
            self._files.remove_version(name, version)
        raise AssertionError("unreachable")

    def _join_own(self, name: str) -> bool:
        with self._lock:
            held = self._held.get(name)
            if held is not None:
                self._held[name] = (held[0] + 1, held[1])
        return held is not None

    def _is_void(self, owner: str, version: Version, source: str) -> bool:
        if version == GONE:
            return True  # gone, or nothing of ours
        if owner:
            return not self._neighbours.lives(owner, source)
        # It has just been made, or its maker was killed at that moment.
        return abs(self._root.now() - version[1] / 1e9) > self._rhythm.silent_s

    # -- the thread -----------------------------------------------------------------------------

    def _watch(self) -> bool:
        """See that the thread runs. False where the system grants none: then this mount shows no sign of life."""
        with self._lock:
            if self._runs or self._closed:
                return not self._closed
            self._runs = True
        try:
            start(threading.Thread(target=self._work, name="leases", daemon=True))
        except MountError:
            self._runs = False
            return False
        return True

    def _work(self) -> None:
        beaten = float("-inf")
        while True:
            now = self._clock()
            needed = True
            if now - beaten >= self._rhythm.beat_s:
                beaten = now
                needed = self._neighbours.beat(holding=bool(self._held))
            with self._lock:
                waits = list(self._waits)
            for wait in waits:
                self._look_at(wait)
            with self._lock:
                if self._closed or not (needed or self._waits or self._held):
                    self._runs = False
                    return
                self._changed.wait(self._rhythm.poll_s if self._waits else self._rhythm.beat_s)

    def _look_at(self, wait: _Wait) -> None:
        """Strike out what is no longer held by a mount that lives."""
        wait.left = [one for one in wait.left if self._is_held(one, wait.source)]
        if not wait.left:
            wait.over.set()

    def _is_held(self, busy: Busy, source: str) -> bool:
        # Another version: its holder has written who it is, or somebody else holds it by now.
        same = self._files.version(busy.name) == busy.version
        return same and not self._is_void(busy.owner, busy.version, source)


class _Wait:
    """One thread that waits. `left`: what is still held."""

    __slots__ = ("left", "over", "source")

    def __init__(self, source: str, busy: Collection[Busy]) -> None:
        self.source, self.left, self.over = source, list(busy), threading.Event()


def _parts(id: ObjectId, size: int, spans: Sequence[BlockRange]) -> Iterator[tuple[str, BlockRange]]:
    """The parts of chunks that `spans` touch: each part's name, and the blocks of a span in it."""
    for span in spans:
        for chunk, within in chunks_of(span):
            identity = ChunkIdentity.of(id, size, chunk)
            stem = identity.name.replace("/", "")
            first = within.first
            while first < within.stop:
                part = (first - identity.span.first) // PART_BLOCKS
                stop = min(identity.span.first + (part + 1) * PART_BLOCKS, within.stop)
                yield f"{stem}-{part}", BlockRange(first, stop)
                first = stop
