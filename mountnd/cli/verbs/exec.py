"""`mountnd exec SOURCE [MOUNTPOINT] -- COMMAND...`: mount, run a command, unmount."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...config.resolve import ConfigInputs, is_source, resolve_mount
from ...errors import MountError, UsageError
from ...report.figures import duration, figures, size
from ..flags import TableCommand, complete_word, with_options
from ..mounting import introduction, serve
from ..streams import remark, say, waiting

if TYPE_CHECKING:
    from ...daemon.exec import Outcome

# Stands for a private directory as MOUNTPOINT, and for the mountpoint in the words of COMMAND.
PLACE = "{}"
_COMMAND = "mountnd.command"
_USAGE = "mountnd exec SOURCE [MOUNTPOINT] -- COMMAND [ARGUMENT...]"


class _ExecCommand(TableCommand):
    """Everything behind the first `--` is another program's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[_COMMAND] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


@click.command(cls=_ExecCommand, short_help="Run a command with a source mounted, and unmount it.")
@click.argument("words", nargs=-1, metavar="SOURCE [MOUNTPOINT] -- COMMAND...", shell_complete=complete_word)
@with_options("mount")
@click.pass_context
def exec(ctx: click.Context, inputs: ConfigInputs, words: tuple[str, ...]) -> int:
    """Mount SOURCE, run COMMAND, and unmount when it has ended; the exit code is COMMAND's.

    {} in COMMAND's words is the mountpoint: a directory of its own that is
    removed at the end, or MOUNTPOINT. What is said of SOURCE and of options
    for `mountnd mount` holds here, too; they stand before the `--`.

    \b
      mountnd exec openneuro/ds000001 -- ls {}/sub-01
      mountnd exec openneuro/ds000001 ./in -- recon ./in out
      mountnd exec openneuro indi {} -- sh -c 'ls {}/*/'

    Signals reach COMMAND. Any number of these may run at once: with one
    --cache-dir they fetch a byte once. Where fusermount3 is missing, a user's
    COMMAND runs in a mount namespace of its own, if the kernel allows that.
    """
    argv = ctx.meta[_COMMAND]
    if not words:
        raise UsageError(f"what is to be mounted? {_USAGE}")
    if not argv:
        raise UsageError(f"no command to run: it stands behind a --, as in: {_USAGE}")
    from ...daemon import handed_over
    from ...daemon.exec import run_exec

    with _with_mountpoint(words, inputs) as (all_words, private):
        resolved = resolve_mount(all_words, inputs)
        if handed_over.descriptor(resolved.config.mountpoint) is not None:
            raise UsageError(f"{all_words[-1]}: a mount that somebody else has made takes no command; leave out `exec`")
        asked = ", ".join(source.config.url or source.config.name for source in resolved.sources)
        outcome = run_exec(
            resolved.config,
            argv,
            private=private,
            serve=serve,
            say=lambda line: say(f"mountnd: {line}", "bad"),
            remark=remark,
            introduce=lambda: tuple(map(remark, introduction(resolved))),
            connecting=lambda: waiting(f"Connecting to {asked}"),
        )
    remark(_summary(outcome))
    if outcome.is_gone:
        say(f"mountnd: the mount ended before the command did, see {outcome.log}", "bad")
    return outcome.code


@contextmanager
def _with_mountpoint(words: tuple[str, ...], inputs: ConfigInputs) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The words with a mountpoint as the last one, and whether that is a private directory. Raises MountError."""
    if words[-1] == PLACE and len(words) > 1:
        words = words[:-1]
    elif len(words) > 1 or not is_source(words[0], inputs):
        yield words, False
        return
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", words[0].rstrip("/").rpartition("/")[2])[:40].strip("-.")
    try:
        path = Path(tempfile.mkdtemp(prefix=f"mountnd-{name}-"))
    except OSError as e:
        raise MountError(f"no directory can be made to mount on ({e}); name one: {_USAGE}") from e
    try:
        yield (*words, os.fspath(path)), True
    finally:
        with suppress(OSError):
            path.rmdir()


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def _summary(outcome: Outcome) -> str:
    """What it cost, in a line."""
    f = figures(outcome.counters.get("total", {}))
    failed = outcome.counters.get("failures", {}).get("count", 0)
    parts = [f"exit code {outcome.code} after {_time(outcome.seconds)}"]
    if outcome.counters:
        parts.append(f"{size(f.asked)} read, {size(f.fetched)} fetched by {f.gets + f.lists + f.heads:,} requests")
    if failed:
        parts.append(f"{failed:,} reads failed, see {outcome.log}")
    return f"mountnd exec: {'; '.join(parts)}"
