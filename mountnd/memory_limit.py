"""The memory that this process may use, and what each part of a mount may take of it.

The kernel ends a process that takes more than its control group allows (a container's, a batch job's), in the middle of
a read. So the defaults follow the smallest limit that holds here. `limit` and `cgroup_limits` read files, `shares` and
`fits` are pure.

Formats: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the kernel, proc_pid_mountinfo(5).
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MIB = 1 << 20

# Blocks and names where memory is no concern.
MOST_BLOCKS = 512 * MIB
MOST_NAMES = 128 * MIB  # of each source
# Below this neither works: a block cache for a few large reads, and a few pages of names.
LEAST_BLOCKS, LEAST_NAMES = 8 * MIB, 2 * MIB

# What a mount takes beside blocks and names (measured, tests/functional/stress/test_memory_cgroup.py): Python and the
# libraries 75 MiB, 130 threads and the transport's buffers 25, pages of listings that are being parsed 15.
FIXED = 120 * MIB
# Parts of the rest, of 8: blocks, names. What is left is for the kernel: pages on their way to the disk cache, sockets,
# and readers: the more of them read at once, the more is under way.
_BLOCKS, _NAMES = 3, 1
# Of a whole machine's memory, which belongs to others too.
_MACHINE_PART = 4

# Limits from here on are none: version 1 writes the largest number of pages.
_NONE = 1 << 60
_M_ARENA_MAX = -8  # malloc.h of glibc
_CGROUP_V2, _CGROUP_V1 = "cgroup2", "cgroup"


class Limit(NamedTuple):
    """Bytes that may be used, and whose limit that is, as a person would name it."""

    bytes: int
    origin: str
    machine: bool = False


class Shares(NamedTuple):
    """Bytes for blocks, and for the names of each source."""

    blocks: int
    names: int


def use_few_arenas() -> None:
    """Have the C library's malloc share its free memory between threads; call it before there are any.

    By default it keeps up to 8 arenas a core, and what is free in one serves no other: with some 130 threads on two
    cores 34 MiB lay about so (measured). Python's threads allocate one at a time, so they seldom wait for each other.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    except (OSError, AttributeError):
        pass  # not glibc


def limit(root: Path = Path("/")) -> Limit:
    """The smallest limit on this process: the machine's memory, or that of a control group it is in.

    Args:
        root: where /proc and the control groups are found.
    """
    return min([*cgroup_limits(root), _machine()], key=lambda one: one.bytes)


def shares(limit: Limit, *, blocks: int | None = None, sources: int = 1) -> Shares:
    """What each part may take under `limit`.

    Args:
        blocks: what somebody has chosen for blocks; it is not changed, names get less.
    """
    rest = max(0, limit.bytes - FIXED)
    most = limit.bytes // _MACHINE_PART if limit.machine else MOST_BLOCKS
    if blocks is None:
        blocks = max(LEAST_BLOCKS, min(MOST_BLOCKS, most, rest * _BLOCKS // 8))
        blocks -= blocks % MIB  # as people write it
    names = min(rest * _NAMES // 8, max(0, rest - blocks)) // max(1, sources)
    return Shares(blocks, max(LEAST_NAMES, min(MOST_NAMES, names)))


def fits(limit: Limit, blocks: int) -> bool:
    """Whether a mount with so many bytes for blocks stays below `limit`."""
    return blocks <= shares(limit).blocks or blocks + FIXED + LEAST_NAMES <= limit.bytes * 7 // 8


def cgroup_limits(root: Path = Path("/")) -> Iterator[Limit]:
    """The limits of the control groups that this process is in, and of all groups around them that can be seen."""
    try:
        groups = (root / "proc/self/cgroup").read_text(errors="surrogateescape")
        mounts = (root / "proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return  # a hidden /proc
    for kind, path in _memory_groups(groups):
        for top, directory in _directories(kind, path, mounts, root):
            for group in (directory, *directory.parents):
                yield from _limits_of(kind, group, root)
                if group == top:
                    break


def _machine() -> Limit:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        total = 0
    return Limit(total if total > 0 else _NONE, "this machine's memory", machine=True)


def _memory_groups(text: str) -> Iterator[tuple[str, str]]:
    """From /proc/self/cgroup: (file system type, path) of the groups that may limit memory."""
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield _CGROUP_V2, path
        elif "memory" in controllers.split(","):
            yield _CGROUP_V1, path


def _directories(kind: str, path: str, mountinfo: str, root: Path) -> Iterator[tuple[Path, Path]]:
    """(the mountpoint, the group's directory) in each mounted hierarchy that shows the group at `path`.

    A namespace or a container may show a part of the hierarchy only: what is mounted then is a group, and `path` lies
    below that, or, seen from outside of the namespace, nowhere. Then the mountpoint itself is the nearest there is.
    """
    for line in mountinfo.splitlines():
        own, _, other = line.partition(" - ")
        fields, about = own.split(" "), other.split(" ")
        if len(fields) < 5 or len(about) < 3 or about[0] != kind:
            continue
        if kind == _CGROUP_V1 and "memory" not in about[2].split(","):
            continue
        base, top = _unescaped(fields[3]), root / _unescaped(fields[4]).lstrip("/")
        inside = os.path.relpath(path, base)
        below = top if inside.startswith("..") else Path(os.path.normpath(top / inside))
        yield top, below if below.is_dir() else top


def _limits_of(kind: str, group: Path, root: Path) -> Iterator[Limit]:
    """The limits in the files of one group. `hierarchical_memory_limit` tells of groups around it that are hidden."""
    shown = f"the memory limit of control group /{group.relative_to(root)}"
    names = ("memory.max", "memory.high") if kind == _CGROUP_V2 else ("memory.limit_in_bytes",)
    found = [_number(_read(group / name)) for name in names]
    if kind == _CGROUP_V1:
        around = re.search(r"^hierarchical_memory_limit (\d+)$", _read(group / "memory.stat"), re.MULTILINE)
        found.append(_number(around[1]) if around else None)
    known = [n for n in found if n is not None and n < _NONE]
    if known:
        yield Limit(min(known), shown)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


def _number(text: str) -> int | None:
    """Bytes; None for `max`, and where nothing can be read."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)
