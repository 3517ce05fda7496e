"""Unmounting through fusermount3: the one place that runs it."""

from __future__ import annotations

import os
import shutil
import subprocess


def find() -> str | None:
    """Where fusermount3 is installed."""
    return shutil.which("fusermount3")


def unmount(path: str | os.PathLike[str], *, lazy: bool = False) -> str:
    """Unmount `path` through fusermount3 (where it is missing: umount, for root). Returns "" or the tool's complaint.

    The complaint is one line. Neither tool looks into the mount, so this also ends one whose daemon is dead.

    Args:
        lazy: take it out of the tree at once, also while programs use it.
    """
    if tool := find():
        command = [tool, "-u", *(["-z"] if lazy else [])]
    elif tool := shutil.which("umount"):
        command = [tool, "-i", *(["-l"] if lazy else [])]
    else:
        return "neither fusermount3 nor umount is installed"
    done = subprocess.run(
        [*command, "--", os.fspath(path)], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode == 0:
        return ""
    complaint = done.stderr.decode(errors="replace").strip().replace("\n", "; ")
    return complaint or f"{tool} ended with {done.returncode}"
