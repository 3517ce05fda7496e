"""A row: a command, its exit code, and what it must say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """One command as a newcomer types it, and the right answer.

    Attributes:
        command: the words behind `mountnd`, as a shell would split them. `{mnt}`: a place to mount on, `{tmp}`: a
            directory with what `make_place` of the test laid there, `{server}`: an S3 server with bucket `bkt`,
            `{dead}`: a port that refuses connections.
        code: the exit code.
        says: all of these stand in what it prints (both streams).
        lines: it prints so many lines at most.
        never: none of these stands there.
        env: variables to set; None leaves one out.
    """

    command: str
    code: int
    says: tuple[str, ...] = ()
    lines: int = 1
    never: tuple[str, ...] = ()
    env: Mapping[str, str | None] = {}
