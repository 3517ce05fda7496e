"""What words of `mountnd prefetch` and `mountnd verify` mean: paths in running mounts, sources, and lists of paths."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..daemon import mounts
from ..errors import UsageError

# A list of a million paths has some 60 MB; what is longer is another file.
_LIST_BYTES = 1 << 30


class Door(NamedTuple):
    """What is prefetched, or verified, by one job.

    Attributes:
        mountpoint: of the mount that it is in; None: a source that is not mounted.
        source: the word that names that.
        paths: from the mount's or the source's root.
        listed: paths below the one in `paths`, where a list was given.
    """

    mountpoint: Path | None
    source: str
    paths: tuple[str, ...]
    listed: tuple[str, ...] | None = None


class Sorted(NamedTuple):
    """The doors, and the paths of a list that lie in none."""

    doors: list[Door]
    strays: list[str]


def sort_out(words: Sequence[str], lines: Sequence[str] | None, cwd: Path, verb: str = "prefetch") -> Sorted:
    """Which mounts and sources are meant.

    Args:
        words: as they were typed.
        lines: of a list of paths (`read_list`), None without one: below the one word, else from `cwd`.
        verb: for messages.

    Raises UsageError, MountError.
    """
    if lines is None:
        if not words:
            example = f"mountnd {verb} ~/openneuro/ds000001/sub-01"
            raise UsageError(f"{verb} what? Name a path in a mount, or a source: {example}")
        return Sorted(_by_mount([(*_place(word, cwd), word) for word in words]), [])
    if len(words) > 1:
        raise UsageError("--from goes with one PATH, below which the paths of the list lie, or with none")
    if words:
        return _below(words[0], lines, cwd)
    return _anywhere(lines, cwd)


def lines_of(list_file: str | None, *, nul: bool) -> list[str] | None:
    """The paths of `--from`, None without one. Raises UsageError."""
    if list_file is None:
        if nul:
            raise UsageError("-0 says how the paths of --from end, and there is no --from")
        return None
    return read_list(list_file, nul=nul)


def read_list(name: str, *, nul: bool) -> list[str]:
    """The paths in a file, or on the standard input ("-"): one a line, or ended by NUL. Empty ones are none.

    Raises UsageError.
    """
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_LIST_BYTES)
        else:
            with open(name, "rb") as file:
                data = file.read(_LIST_BYTES)
    except OSError as e:
        raise UsageError(f"--from: {name}: {e.strerror or e}") from None
    if not nul and b"\0" in data:
        raise UsageError(f"--from: {name} holds NUL characters: is it a list that needs -0?")
    lines = data.split(b"\0") if nul else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    found = [os.fsdecode(line) for line in lines if line]
    if not found:
        raise UsageError(f"--from: {name} lists nothing")
    return found


def _place(word: str, cwd: Path) -> tuple[Path | None, str]:
    """The mountpoint that a word lies in, and the path from there; None and "" for a word that is no such path."""
    if "://" in word or not word:
        return None, ""
    path = mounts.resolve(cwd / word)
    top = mounts.top_of(path)
    mounted = mounts.mount_at(top)
    if mounted is None or mounted.fstype != mounts.FSTYPE:
        return None, ""
    return top, "" if path == top else os.fspath(path.relative_to(top))


def _by_mount(placed: Sequence[tuple[Path | None, str, str]]) -> list[Door]:
    """A door for each mount, with all of its paths, and for each source."""
    paths: dict[Path, list[str]] = {}
    doors: list[Door | Path] = []
    for mountpoint, path, word in placed:
        if mountpoint is None:
            doors.append(Door(None, word, ("",)))
        elif mountpoint not in paths:
            paths[mountpoint] = [path]
            doors.append(mountpoint)
        else:
            paths[mountpoint].append(path)
    return [door if isinstance(door, Door) else Door(door, "", tuple(dict.fromkeys(paths[door]))) for door in doors]


def _below(word: str, lines: Sequence[str], cwd: Path) -> Sorted:
    """The paths of a list are below one that was typed; absolute ones are taken for what they are."""
    mountpoint, path = _place(word, cwd)
    top = f"{mountpoint / path}/" if mountpoint else f"{word.rstrip('/')}/"
    listed, strays = [], []
    for line in lines:
        below = line.removeprefix(top) if line.startswith(top) else line
        parts = os.path.normpath(below).split("/")
        if below.startswith("/") or ".." in parts or "://" in below:
            strays.append(line)
        else:
            listed.append("/".join(parts))
    door = Door(mountpoint, "" if mountpoint else word, (path,), tuple(dict.fromkeys(listed)))
    return Sorted([door] if listed else [], strays)


def _anywhere(lines: Sequence[str], cwd: Path) -> Sorted:
    """The paths of a list are those of running mounts, absolute or from `cwd`."""
    here = mounts.resolve(cwd)
    tops = sorted((m.path for m in mounts.mounts() if m.fstype == mounts.FSTYPE), key=lambda p: -len(p.parts))
    listed: dict[Path, dict[str, None]] = {}
    strays = []
    for line in lines:
        path = os.path.normpath(os.path.join(here, line))
        top = next((top for top in tops if path == str(top) or path.startswith(f"{top}/")), None)
        if top is None:  # through a symbolic link, perhaps
            top, path = _place(line, cwd)
        else:
            path = os.path.relpath(path, top)
        if top is None:
            strays.append(line)
        else:
            listed.setdefault(top, {})[path] = None
    return Sorted([Door(top, "", ("",), tuple(paths)) for top, paths in listed.items()], strays)
