"""A directory as a group has it on a file system of several nodes."""

from __future__ import annotations

from pathlib import Path


def group_directory(where: Path) -> Path:
    """Make one below `where`: its members may write, and what they make is the group's."""
    path = where / "shared"
    path.mkdir()
    path.chmod(0o2770)
    return path
