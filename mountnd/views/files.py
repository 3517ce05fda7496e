"""The files of a view that are inflated just now: one for each version, with its seek points."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from ..stores.base import ObjectId
from . import points as seek_points
from .blobs import Blobs
from .identity import digest
from .inflated import Engine, Inflated
from .points import Points
from .unfit import Unfit

# Files whose seek points are in memory: bytes of these, and how many files.
POINTS_BYTES, FILES = 32 << 20, 256


class Files:
    """Args:
    engine: what they share.
    blobs: keeps their seek points.
    head: the beginning of a stored version, if it is known.
    """

    def __init__(self, engine: Engine, blobs: Blobs, head: Callable[[ObjectId], bytes]) -> None:
        self._engine, self._blobs, self._head = engine, blobs, head
        self._lock = threading.Lock()
        self._files: OrderedDict[bytes, Inflated] = OrderedDict()

    def close(self) -> None:
        """Keep what was learnt of them, and let go of them."""
        with self._lock:
            files = list(self._files.values())
            self._files.clear()
        for file in files:
            self._keep_points(file)
            file.close()

    def call(self, id: ObjectId, size: int, use: Callable[[Inflated], None]) -> None:
        """Call with the inflated bytes of a stored version. Where they cannot be had, what is held of it and its seek
        points are given up, and it is tried once more: bytes may have been damaged on their way, and what is said of a
        version is remembered. Raises Unfit, StoreError."""
        file = self._get(id, size)
        try:
            use(file)
        except Unfit:
            with self._lock:
                if self._files.get(file.whose) is file:
                    del self._files[file.whose]
                    if file.from_disk:
                        self._blobs.put(file.whose, b"")
            file.close()
            use(self._get(id, size))

    def _get(self, id: ObjectId, size: int) -> Inflated:
        """The inflated bytes of a stored version, with the seek points that are known."""
        name = digest(id)
        with self._lock:
            if (file := self._files.get(name)) is not None and file.size == size:
                self._files.move_to_end(name)
                return file
        kept = self._blobs.get(name)
        points = seek_points.load(kept, name, id.size, size) if kept else None
        file = Inflated(
            self._engine, id, name, size, points or Points(), self._head(id), self._keep_points,
            from_disk=points is not None,
        )  # fmt: skip
        gone: list[Inflated] = []
        with self._lock:
            if (other := self._files.get(name)) is not None and other.size == size:
                return other
            self._files[name] = file
            self._files.move_to_end(name)
            gone = self._too_many(file)
        for one in gone:
            self._keep_points(one)
            one.close()
        return file

    def _too_many(self, newest: Inflated) -> list[Inflated]:
        """With the lock held: the files that were not used for longest, where all take too much."""
        gone: list[Inflated] = []
        held = sum(file.points.nbytes for file in self._files.values())
        while held > POINTS_BYTES or len(self._files) >= FILES:
            oldest = next((name for name, file in self._files.items() if not file.in_use and file is not newest), None)
            if oldest is None:
                break
            gone.append(self._files.pop(oldest))
            held -= gone[-1].points.nbytes
        return gone

    def _keep_points(self, file: Inflated) -> None:
        if file.has_new_points():
            self._blobs.put(file.whose, file.points.dump(file.whose, file.id.size, file.size))
