"""A row: a command, its exit code, and what it must say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """One command as a newcomer types it, and the right answer.

    Attributes:
        command: the words behind `mountnd`, as a shell would split them. `{mnt}`: a place to mount on, `{tmp}`: a
            directory with what `make_place` of the test laid there, `{server}`: an S3 server with bucket `bkt`,
            `{dead}`: a port that refuses connections, `{tls}`: the
            same server with a certificate that nobody knows, `{ca}`: that of its authority, `{port}`: of `{server}`,
            `{tls_port}`: of `{tls}`.
        code: the exit code.
        says: all of these stand in what it prints (both streams).
        lines: it prints so many lines at most.
        never: none of these stands there.
        env: variables to set, with the places of `command` in them; None leaves one out.
        files: laid into `{tmp}`, text by name.
        switches: of the S3 server (`quirky_s3.py`), for this row.
        within: a command that runs it.
    """

    command: str
    code: int
    says: tuple[str, ...] = ()
    lines: int = 1
    never: tuple[str, ...] = ()
    env: Mapping[str, str | None] = {}
    files: Mapping[str, str] = {}
    switches: Mapping[str, object] = {}
    within: tuple[str, ...] = ()
