"""The reference model's world with a real kernel: the command in a process of its own, over a server in another."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from errno import EIO
from pathlib import Path
from unittest.mock import patch

from mountnd.daemon import control
from mountnd.errors import MountError
from tests.support import mounts
from tests.support.doors import KernelDoor
from tests.support.key_sources import key_source
from tests.support.quirky import quirky_server, thing

from .oracle import File, Refusal

# A page fault that fails kills, so it happens elsewhere. Arguments: descriptor, where to begin, how many bytes.
_MAP = """
import mmap, os, sys
fd, offset, size = map(int, sys.argv[1:])
if os.fstat(fd).st_size:
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as m:
        sys.stdout.buffer.write(m[offset : offset + size])
"""
_MAP_S = 60.0
# Keys are looked for at most once in 3 s (help/semantics.md, "Keys that change").
_LOOK_S = 3.2


class MountWorld:
    """A mount whose names are believed for a second, on the real clock.

    `lag`: a second for the kernel, and one for a busy machine.
    """

    ttl, lag = 1.0, 2.0

    def __init__(self, files: Mapping[str, File], *, root: str, page: int, kept: bool) -> None:
        self._files, self._page, self._keys = dict(files), max(page, 2), 0
        self._stack, self._life = ExitStack(), ExitStack()
        self._home = Path(tempfile.mkdtemp(prefix="model-"))
        self._stack.callback(shutil.rmtree, self._home, ignore_errors=True)
        self._source = f"s3://bkt/{root}"
        self._options: dict[str, object] = {"ttl": 1, "timeout": 20, "anonymous": False, "probe": False}
        if not kept:
            self._options["cache_size"] = 0
        try:
            self._server = self._stack.enter_context(quirky_server())
            (self._home / "keys").mkdir()
            self._secrets = self._stack.enter_context(key_source(self._home / "keys", "file"))
            self._server.hold({}, page=self._page)
            self.rotate_keys()
            self._tell()
            self._start()
        except BaseException:
            self._stack.close()
            raise

    def _start(self) -> None:
        with patch.dict(os.environ, self._secrets.environment):
            mount = mounts.kernel_mount(self._home, self._server.url, [self._source], self._options)
            self._mounted = self._life.enter_context(mount)
        self.door = KernelDoor(self._mounted)

    def _tell(self) -> None:
        things = {key: thing(file.body, mtime=file.mtime) for key, file in self._files.items()}
        self._server.switch(buckets={"bkt": things})

    def now(self) -> float:
        return time.monotonic()

    def set(self, key: str, file: File | None) -> None:
        if file is None:
            self._files.pop(key, None)
        else:
            self._files[key] = file
        self._tell()

    def refuse(self, refusals: list[Refusal]) -> None:
        got = [re.escape(r.key) for r in refusals if r.kind == "get"]
        listed = [re.escape(r.key) for r in refusals if r.kind == "list"]
        objects = [_none_of(f"{key}\\Z" for key in got)] if got else None
        self._server.switch(
            head_rules=objects, get_rules=objects, list_rules=[{"prefix": _none_of(listed)}] if listed else None
        )

    def rotate_keys(self) -> None:
        if self._keys:
            time.sleep(_LOOK_S)
        self._keys += 1
        self._secrets.put(f"key{self._keys}")
        self._server.switch(keys=[f"key{self._keys}"])

    def attributes(self, handle: int) -> tuple[int, int]:
        got = os.fstat(handle)
        return got.st_size, got.st_mtime_ns

    def map(self, path: bytes, handle: int, size: int, offset: int) -> bytes:
        command = [sys.executable, "-I", "-S", "-c", _MAP, str(handle), str(offset), str(size)]
        done = subprocess.run(command, pass_fds=[handle], capture_output=True, timeout=_MAP_S, check=False)
        if done.returncode == -signal.SIGBUS:
            raise OSError(EIO, "a page fault failed")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refresh(self, path: bytes) -> None:
        try:
            control.request(self._mounted.path, "refresh", path=os.fsdecode(path))
        except MountError as error:
            raise OSError(EIO, str(error)) from error

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def restart(self, *, kill: bool) -> None:
        if kill:
            self._mounted.kill()
            self._mounted.process.wait()
        self._life.close()
        self._start()

    def end(self) -> None:
        with self._stack, self._life:
            pass


def _none_of(expressions: Iterable[str]) -> str:
    """A regular expression that matches what begins with none of these."""
    return f"(?s)(?!{'|'.join(expressions)}).*"
