"""`mount`: a mount while a block of Python code runs, served by a process of its own, as the command's mounts are."""

from __future__ import annotations

import atexit
import logging
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..config.resolve import resolve_mount
from ..daemon import mounts as kernel
from ..daemon import rundir
from ..daemon.run import ready_seconds
from ..daemon.unmount import unmount
from ..errors import MountError, UsageError
from . import command, keywords

log = logging.getLogger(__name__)

# Those of this process that stand. They are kept here, so that one whose result nobody keeps stays until the end.
_mounts: dict[int, Mount] = {}


def mount(source: str | Sequence[str] = (), mountpoint: str | os.PathLike[str] | None = None, **options: Any) -> Mount:
    """Mount a dataset, as `mountnd SOURCE MOUNTPOINT` does, until the block ends, or this process.

        with mountnd.mount("openneuro/ds000001") as root:
            nibabel.load(root / "sub-01/anat/sub-01_T1w.nii.gz")

    Args:
        source: what the command takes: a preset and a path in it, a URL, an accession number, a DOI; several are a
            directory each. Without one the config file or the mountpoint's name tells.
        mountpoint: an empty directory, or one to be made. Default: a private one, which is removed afterwards.
        options: those of `mountnd mount`, by name: `memory="2G"`, `ttl=60`, `anonymous=True`.

    Raises UsageError (ConfigError for the config file and variables) for what is invalid, and MountError where the
    machine, the mountpoint or the source does not allow it; nothing is left behind then.
    """
    given = [source] if isinstance(source, str) else list(source)
    if not given and mountpoint is None:
        raise UsageError('say what to mount: mountnd.mount("openneuro/ds000001")')
    inputs = keywords.read(options, mounts=True)
    where = Path(os.path.abspath(Path(mountpoint).expanduser())) if mountpoint is not None else None
    # What is wrong is found here, before a process is started.
    resolved = resolve_mount([*given, str(where or Path(tempfile.gettempdir()) / "mountnd")], inputs)
    private = ""
    if where is None:
        private = tempfile.mkdtemp(prefix="mountnd-")
        names = [one.config.name for one in resolved.sources]
        where = Path(private) / (names[0] if len(names) == 1 else "datasets")
    try:
        # In the background, whatever the environment and the config file say of a person's terminal.
        words = ["mount", "--no-foreground", *keywords.flags(inputs.typed), "--", *given, str(where)]
        remarks = command.run(words, more_s=ready_seconds(resolved.config))
        try:
            made = Mount(where, private)
        except BaseException:
            unmount(where, lazy=True)
            raise
    except BaseException:
        _remove(private)
        raise
    for remark in remarks:
        log.info("%s", remark)
    return made


def mounts() -> list[dict[str, Any]]:
    """All mounts of this user, those of the command included: the objects of `mountnd ls --json`."""
    from ..cli.running import running

    return [one.as_json() for one in running()]


class Mount(os.PathLike[str]):
    """A mount of this process: a context that gives its directory, or what `unmount` ends. Thread-safe.

    Attributes:
        path: its directory.
    """

    def __init__(self, path: Path, private: str) -> None:
        self.path, self._private = path, private
        self._lock, self._pid, self._ended = threading.Lock(), os.getpid(), False
        at = kernel.resolve(path)
        record = rundir.find(at)
        self._at, self._device = at, record.device if record else ""
        self._guard = command.Guard(path, record.pid if record else 0, private)
        _mounts[id(self)] = self

    def unmount(self) -> None:
        """End it, and wait until its process has. Does nothing where it has ended, and in a forked process.

        While a program still uses it (this one too: a mapped image, an open file) it is taken out of the tree, and ends
        when the last file is closed. Raises MountError where it cannot be ended.
        """
        if self._pid != os.getpid():
            return
        with self._lock:
            if self._ended:
                return
            if kernel.is_mounted(self._at, self._device):
                self._end()
            self._ended = True
            self._guard.dismiss()
            _remove(self._private)
            _mounts.pop(id(self), None)

    close = unmount

    def _end(self) -> None:
        try:
            said = unmount(self._at)
        except MountError:
            said = unmount(self._at, lazy=True)
        if said:
            log.info("%s", said)

    def forget(self) -> None:
        """In a forked process: it is the parent's."""
        self._guard.forget()

    def __enter__(self) -> Path:
        if self._ended:
            raise MountError(f"{self.path} is unmounted already; call mountnd.mount again")
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.unmount()

    def __fspath__(self) -> str:
        return str(self.path)

    def __truediv__(self, below: str | os.PathLike[str]) -> Path:
        return self.path / below

    def __repr__(self) -> str:
        return f"<mountnd.Mount at {self.path}{': unmounted' if self._ended else ''}>"


def _remove(private: str) -> None:
    """Remove a private directory; what is not empty stays."""
    if private:
        try:
            os.rmdir(private)
        except OSError as e:
            log.info("%s stays: %s", private, e.strerror)


def _unmount_all() -> None:
    """At the interpreter's end: the last one first, as one may stand in another."""
    for one in reversed(list(_mounts.values())):
        try:
            one.unmount()
        except MountError as e:
            log.warning("%s", e)


def _begin_anew() -> None:
    """In a forked process there are none."""
    for one in _mounts.values():
        one.forget()
    _mounts.clear()


atexit.register(_unmount_all)
os.register_at_fork(after_in_child=_begin_anew)
