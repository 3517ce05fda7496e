"""When a test that a page names may be skipped: the reason it gives, and what must be so on this machine.

A promise is not held where its test is skipped, so each way to skip one is declared here. A full run on a machine that
has all of it (root, FUSE, the packages of `make test-setup`) skips none but the first and the last two.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable

# Programs that packages of ours bring (weed) lie beside Python.
_PROGRAMS = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])

# reason as the test gives it (regular expression) -> whether that is so here
SKIPS: dict[str, Callable[[re.Match[str]], bool]] = {
    r"of `make cluster`": lambda m: True,
    r"needs root|only root can": lambda m: os.getuid() != 0,
    # a container without CAP_SYS_ADMIN: root, and may not mount
    r"needs to mount a tmpfs|cannot mount a tmpfs": lambda m: not _may_mount(),
    r"/dev/fuse cannot be opened": lambda m: not os.access("/dev/fuse", os.R_OK | os.W_OK),
    r"fuse3 is not installed": lambda m: not shutil.which("fusermount3"),
    r"this kernel has no autofs": lambda m: "autofs" not in _file_systems(),
    r"(\S+) (?:\(.*\) )?is not installed": lambda m: not shutil.which(m[1], path=_PROGRAMS),
    # The vfs has no such thing: the same test runs through the kernel.
    r"only the kernel's handles have duplicates": lambda m: True,
    # One image of several: which of them nibabel ships depends on its version.
    r"this nibabel ships no|nibabel ships only": lambda m: True,
    # One store of several that the same test runs against.
    r"cannot list flat|too slow to fill": lambda m: True,
}


def may_skip(reason: str) -> bool:
    """Whether a test may be skipped here that gives this reason."""
    for pattern, holds in SKIPS.items():
        if found := re.match(pattern, reason):
            return holds(found)
    return False


def _file_systems() -> str:
    with open("/proc/filesystems") as known:
        return known.read()


def _may_mount() -> bool:
    """Whether this process has CAP_SYS_ADMIN (capability 21 of linux/capability.h)."""
    with open("/proc/self/status") as status:
        held = next((line for line in status if line.startswith("CapEff:")), "CapEff: 0")
    return bool(int(held.split()[1], 16) >> 21 & 1)
