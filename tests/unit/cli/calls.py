"""Calling the command line in this process, with a daemon that only remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from unittest import mock

from click.testing import CliRunner

import mountnd.daemon.run
from mountnd.cli.main import cli
from mountnd.config.options import MountConfig


class Answer(NamedTuple):
    """What a call left: its exit code, its two streams, and the mount the daemon was asked for."""

    code: int
    out: str
    err: str
    config: MountConfig | None


@contextmanager
def fake_daemon() -> Iterator[list[MountConfig]]:
    """The daemon room's `run_mount` replaced by one that remembers the configuration and says that all is well."""
    asked: list[MountConfig] = []

    def run_mount(
        config: MountConfig, *, say: Callable[[str], None], introduce: Callable[[], None], **_: object
    ) -> int:
        asked.append(config)
        introduce()
        return 0

    with mock.patch.object(mountnd.daemon.run, "run_mount", run_mount):
        yield asked


def call(argv: Sequence[str], env: Mapping[str, str] | None = None) -> Answer:
    """`mountnd ARGV` with the variables of `env` added."""
    with fake_daemon() as asked:
        result = CliRunner().invoke(cli, list(argv), env=dict(env or {}))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Answer(result.exit_code, result.stdout, result.stderr, asked[0] if asked else None)
