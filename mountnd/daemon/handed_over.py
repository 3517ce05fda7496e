"""A FUSE device that somebody else has opened and mounted: `/dev/fd/N` in place of a mountpoint.

So Apptainer's `--fusemount` and CSI plug-ins let a program without any right serve a mount: they open /dev/fuse, mount
it with mount(2), and start the program with the descriptor. It is their mountpoint, which this process may not even
see: it is neither checked nor made nor unmounted here, and has no record in the run directory.

The path is never resolved: it leads to /dev/fuse itself, and a mount there would hide the device from the machine.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from ..errors import MountError

# linux/miscdevice.h
_FUSE_DEVICE = os.makedev(10, 229)
_PATH = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")


def descriptor(mountpoint: Path) -> int | None:
    """The descriptor that a mountpoint names; None where it is a directory's path, as usual. Pure."""
    named = _PATH.fullmatch(os.fspath(mountpoint))
    return int(named[1]) if named else None


def check(fd: int) -> None:
    """See that it is a FUSE device, and keep it from the programs that this process starts. Raises MountError."""
    try:
        info = os.fstat(fd)
    except OSError:
        raise MountError(
            f"/dev/fd/{fd} is not open: whoever starts mountnd so has to open /dev/fuse, mount it and pass it on"
        ) from None
    if not (stat.S_ISCHR(info.st_mode) and info.st_rdev == _FUSE_DEVICE):
        raise MountError(f"/dev/fd/{fd} is not the FUSE device: it must be /dev/fuse, opened and mounted by the caller")
    os.set_inheritable(fd, False)
    os.set_blocking(fd, True)  # threads wait in read(2)
