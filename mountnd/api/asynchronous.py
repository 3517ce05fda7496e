"""The asynchronous face of the file system: each method has its synchronous one done on a thread that waits for it.

So coroutines need no loop of their own, and as many go on at once as there are threads (`trees.calls`). What fsspec
builds on them (`_get`, `_walk`, `_expand_path`, ...) is fsspec's.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

from fsspec.asyn import AbstractAsyncStreamedFile, AsyncFileSystem, get_loop

from .trees import calls

# Methods whose asynchronous spelling is the same with "_" before it.
METHODS = (
    "cat", "cat_file", "cat_ranges", "created", "du", "exists", "find", "get_file", "glob", "info", "isdir", "isfile",
    "ls", "modified",
)  # fmt: skip
# Those that would change something.
CHANGING = (
    "cp_file", "makedirs", "mkdir", "mv_file", "pipe_file", "put_file", "rm", "rm_file", "rmdir", "touch",
)  # fmt: skip


async def in_a_thread(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `call` returns, made on a thread of ours. Cancelled, it is not waited for, or not made at all."""
    task = calls().submit(functools.partial(call, *args, **kwargs))
    return await asyncio.wrap_future(task.future)


def _asynchronous(name: str) -> Any:
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("batch_size", None)  # everything is under way at once, whatever number that is
        return await in_a_thread(getattr(self, name), *args, **kwargs)

    method.__name__ = method.__qualname__ = f"_{name}"
    method.__doc__ = f"`{name}`, on a thread."
    return method


class Asynchronous(AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Asynchronous methods over the synchronous ones, which the class that inherits this has."""

    mirror_sync_methods = False  # they are there, and need no loop

    def __init__(self, *, asynchronous: bool = False, loop: Any = None, **options: Any) -> None:
        super().__init__(asynchronous=True, **options)  # else it starts a loop at once
        self.asynchronous, self._loop = asynchronous, loop

    @property
    def loop(self) -> Any:
        """For what fsspec runs on one, in whatever process that is."""
        return self._loop if self.asynchronous else get_loop()

    async def open_async(self, path: str, mode: str = "rb", **kwargs: Any) -> StreamedFile:
        """An open file whose methods are coroutines."""
        if "b" not in mode or kwargs.get("compression"):
            raise ValueError("only binary files, and no compression")
        return StreamedFile(self, await in_a_thread(self.open, path, mode, **kwargs))


for _name in (*METHODS, *CHANGING):
    setattr(Asynchronous, f"_{_name}", _asynchronous(_name))


class StreamedFile(AbstractAsyncStreamedFile):  # type: ignore[misc]
    """What `open_async` gives: `file`, with reads that are awaited."""

    def __init__(self, fs: Asynchronous, file: Any) -> None:
        self._file, self._lock = file, threading.Lock()
        super().__init__(fs, file.path, "rb", cache_type="none", size=file.size)

    async def close(self) -> None:
        self._file.close()
        await super().close()

    def __del__(self) -> None:
        self._file.close()

    async def _fetch_range(self, start: int, end: int) -> bytes:
        data: bytes = await in_a_thread(self._read, start, end)
        return data

    def _read(self, start: int, end: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            data: bytes = self._file.read(end - start)
            return data
