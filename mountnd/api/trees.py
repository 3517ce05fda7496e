"""The sources that this process reads without FUSE: one tree for each, whatever number of file systems show it.

A tree lives as long as a file system or an open file refers to it. What nobody refers to any more is closed by a thread
of its own: garbage is collected on any thread, whatever locks that one holds. At the interpreter's end all are closed.
In a forked process there are none: whoever needs one there opens it anew, with threads and connections of its own.

Lock order: `_lock` guards the table; an entry's own lock is held while it is opened, `_lock` may be taken then.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from queue import SimpleQueue
from typing import TypeVar

from .. import memory_limit
from ..assembly import Mount
from ..config.options import MountConfig
from ..opening import opened
from ..threads import start
from ..workers import Workers

# What goes wrong is raised; whoever wants the rest as well configures logging.
logging.getLogger("mountnd").addHandler(logging.NullHandler())
log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

# Directories listed, and names looked up, side by side; as many requests for names go out at once.
LOOKUPS = 16
# Calls of coroutines that wait, on a thread each: more than requests for bytes go out at once; those that stall count
# no more.
CALLS, MOST_CALLS = 64, 1024
# Bytes that one call has under way, so that it leaves room for others: a part of the memory, at most and at least.
WINDOW_PART, MOST_WINDOW, LEAST_WINDOW = 4, 64 << 20, 2 << 20


class OpenTree:
    """The vfs of some sources. Raises what `opening.opened` does.

    Attributes:
        window: bytes that one call may have under way.
    """

    def __init__(self, config: MountConfig) -> None:
        _, self.mount = opened(config)
        self.vfs = self.mount.vfs
        self.window = max(LEAST_WINDOW, min(MOST_WINDOW, config.memory // WINDOW_PART))
        self.pid = os.getpid()
        self._lookups = Workers(LOOKUPS, "lookups")
        self._end = weakref.finalize(self, _ended.put, (self.mount, self._lookups))
        self._end.atexit = False  # see `_close_all`

    def side_by_side(self, call: Callable[[T], R], of: Iterable[T]) -> Iterator[R]:
        """`call` of each, on threads where there are several, in their order. Raises the first error."""
        each = list(of)
        if len(each) < 2:
            return map(call, each)
        tasks = [self._lookups.submit(call, one) for one in each]
        return (task.future.result() for task in tasks)

    @property
    def flat(self) -> bool:
        """Whether a whole subtree is listed at the price of its keys, however many directories it has."""
        return all(store.flat for store in self.mount.stores.values())

    def give_up(self) -> None:
        """It is the parent's: never close it here, where that would end the parent's connections."""
        self._end.detach()

    def close(self) -> None:
        """At the interpreter's end."""
        if self._end.detach():
            _close(self.mount, self._lookups)


def _close(mount: Mount, lookups: Workers) -> None:
    lookups.close()
    mount.close()


# What nobody refers to any more. Its `put` may be called while garbage is collected, as its documentation says.
_ended: SimpleQueue[tuple[Mount, Workers]] = SimpleQueue()
_lock = threading.Lock()
_trees: weakref.WeakValueDictionary[MountConfig, OpenTree] = weakref.WeakValueDictionary()
_opening: dict[MountConfig, threading.Lock] = {}
_inherited: list[OpenTree] = []
_calls: Workers | None = None
_closes = False  # a thread closes what has ended


def open_tree(config: MountConfig, *, own_memory: bool) -> OpenTree:
    """The tree of these sources, opened where this process has not done so. Raises MountndError.

    Args:
        own_memory: somebody has chosen how much memory it takes. Else each further tree takes half as much as the one
            before, so that all of them together fit.
    """
    with _lock:
        if (tree := _trees.get(config)) is not None:
            return tree
        turn = _opening.setdefault(config, threading.Lock())
    with turn:
        with _lock:
            if (tree := _trees.get(config)) is not None:
                return tree
            others = len(_trees)
        memory = config.memory if own_memory else max(memory_limit.LEAST_BLOCKS, config.memory >> others)
        tree = OpenTree(replace(config, memory=memory))
        with _lock:
            _trees[config] = tree
            _opening.pop(config, None)
            _start_closing()
    return tree


def _start_closing() -> None:
    """With the lock held: see that there is a thread for what has ended."""
    global _closes
    if not _closes:
        start(threading.Thread(target=_close_ended, name="closing", daemon=True))
        _closes = True


def _close_ended() -> None:
    while True:
        try:
            _close(*_ended.get())
        except Exception:
            log.exception("a source could not be closed")


def _close_all() -> None:
    """At the interpreter's end: what was fetched last is written to the disk cache."""
    for tree in list(_trees.values()):
        tree.close()
    while not _ended.empty():
        _close(*_ended.get())


def calls() -> Workers:
    """The threads on which coroutines have something done that waits."""
    global _calls
    with _lock:
        if _calls is None:
            _calls = Workers(CALLS, "calls", most=MOST_CALLS)
        return _calls


def _begin_anew() -> None:
    """In a forked process."""
    global _lock, _calls, _closes, _ended
    _lock, _calls, _closes, _ended = threading.Lock(), None, False, SimpleQueue()
    for tree in list(_trees.values()):
        tree.give_up()
        _inherited.append(tree)
    _trees.clear()
    _opening.clear()


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(_close_all)
