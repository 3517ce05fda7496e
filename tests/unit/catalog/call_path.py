"""How often one call enters each file of the product: who follows it by reading has to turn to a file that often.

    python -m tests.unit.catalog.call_path

prints the way of one `opendir` of a directory that is not known, on the caller's thread and on the worker's.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import mountnd
from mountnd.blocks.readahead.window import WindowPolicy
from mountnd.blocks.stream import Blocks
from mountnd.catalog.catalogue import Catalogue
from mountnd.stats import Stats
from mountnd.stores.memory import MemoryStore
from mountnd.vfs.inodes import Ownership
from mountnd.vfs.tree import Vfs
from mountnd.workers import Waiter, Workers

ROOT = Path(mountnd.__file__).parent


class Entrance(NamedTuple):
    """A call that leads into a file of the product from another one, or from outside."""

    thread: str
    depth: int
    file: str
    function: str


def _file_of(frame: FrameType) -> str | None:
    try:
        return str(Path(frame.f_code.co_filename).relative_to(ROOT))
    except ValueError:
        return None


def record(call: Callable[[], Any]) -> list[Entrance]:
    """Every entrance while `call` runs, on this thread and on those that begin meanwhile, but for the one that looks
    after all that wait (`waits`), which no call passes."""
    entrances: list[Entrance] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or (file := _file_of(frame)) is None:
            return
        callers: list[str] = []
        caller = frame.f_back
        while caller is not None:
            if (name := _file_of(caller)) is not None:
                callers.append(name)
            caller = caller.f_back
        if not callers or callers[0] != file:
            depth = sum(a != b for a, b in zip([file, *callers], [*callers, ""], strict=True)) - 1
            name, thread = frame.f_code.co_qualname, threading.current_thread().name
            if thread != "watch":
                entrances.append(Entrance(thread, depth, file, name))

    before = sys.getprofile(), threading.getprofile()
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before[0])
        threading.setprofile(before[1])  # type: ignore[arg-type]
    return entrances


def entrances_by_file(entrances: list[Entrance]) -> Counter[str]:
    return Counter(entrance.file for entrance in entrances)


def opendir_of_an_unknown_directory() -> list[Entrance]:
    """Of a directory with files and directories in it, in a mount that has asked nothing yet; the worker is new."""
    keys = [*(f"d/f{i:02}" for i in range(20)), *(f"d/s{i}/x" for i in range(5))]
    store = MemoryStore(dict.fromkeys(keys, b"x"))
    names, data, stats = Workers(4, "names"), Workers(1, "bytes"), Stats()
    waiter = Waiter()
    cat = Catalogue(store, ttl=300, workers=names, waiter=waiter, timeout=20, stats=stats)
    blocks = Blocks(
        {store.source: store},
        memory=1 << 20,
        workers=data,
        waiter=waiter,
        timeout=20,
        stats=stats,
        readahead=WindowPolicy,
    )
    vfs = Vfs({"one": cat}, blocks, Ownership(uid=0, gid=0), stats)
    directory = vfs.resolve_directory(b"/d")
    try:
        entrances = record(lambda: vfs.opendir(directory))
        assert [call.key for call in store.calls] == ["d/"]
        return entrances
    finally:
        names.close()
        data.close()
        blocks.close()
        cat.close()


def main() -> None:
    entrances = opendir_of_an_unknown_directory()
    for thread in dict.fromkeys(entrance.thread for entrance in entrances):
        print(f"{thread}:")
        for entrance in entrances:
            if entrance.thread == thread:
                print(f"  {'  ' * entrance.depth}{entrance.file}  {entrance.function}")
    print("times each file is entered:")
    for file, times in entrances_by_file(entrances).most_common():
        print(f"  {times}  {file}")


if __name__ == "__main__":
    main()
