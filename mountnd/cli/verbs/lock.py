"""`mountnd lock SOURCE -o FILE`: which objects there are, each at one version; and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from ...config.options import SourceConfig
from ...config.resolve import ConfigInputs, resolve_source
from ...errors import UsageError
from ...report.figures import size
from .. import lock_checks, locking, locking_past, streams
from ..counting import Counting
from ..flags import TableCommand, complete_word, json_option, with_options
from ..terminal import is_terminal


class _Option(click.Option):
    section = "which"


class _LockCommand(TableCommand):
    sections = (("which", "What to do"), ("source", "Source"), ("mount", "Requests"), ("call", "This command"))


@click.command(cls=_LockCommand)
@click.argument("words", nargs=-1, metavar="SOURCE | FILE...", shell_complete=complete_word)
@click.option("-o", "--output", cls=_Option, metavar="FILE", help="where to write it: .lock, .lock.gz, .csv")
@click.option("--force", cls=_Option, is_flag=True, help="overwrite FILE")
@click.option(
    "--import",
    "lists",
    cls=_Option,
    multiple=True,
    metavar="LIST",
    help="take the objects that another tool has listed",
)
@click.option(
    "--versions/--no-versions", cls=_Option, default=True, help="ask a bucket that keeps versions for their ids [yes]"
)
@click.option(
    "--as-of", "moment", cls=_Option, metavar="DATE", help="take what a bucket with versions held then (ISO 8601)"
)
@click.option("--check", "checks", cls=_Option, is_flag=True, help="say which objects of FILE cannot be had any more")
@click.option("--heads", cls=_Option, is_flag=True, help="with --check: ask for each object by itself")
@click.option("--diff", "differs", cls=_Option, is_flag=True, help="say what changed from one FILE to another")
@json_option("What --check or --diff found.")
@with_options("lock", dash_o=False)
def lock(
    inputs: ConfigInputs,
    words: tuple[str, ...],
    output: str | None,
    force: bool,
    lists: tuple[str, ...],
    versions: bool,
    moment: str | None,
    checks: bool,
    heads: bool,
    differs: bool,
    as_json: bool,
) -> int:
    """Write a lockfile: which objects SOURCE has now, each at one version.

    Mounted later, it shows exactly these, whatever became of the bucket; what is
    gone by then answers ESTALE, and --check names it.

    \b
      mountnd lock openneuro/ds000001 -o data.lock
      mountnd data.lock ~/data
      mountnd lock openneuro/ds000001@1.0.2 -o data.lock
      mountnd lock s3://lab/x --as-of 2024-05-01 -o a.lock
      mountnd lock --check data.lock
      mountnd lock --diff old.lock new.lock

    LIST is what `aws s3api list-objects-v2` prints as JSON, an S3 Inventory (CSV
    or its manifest.json), or a table of URLs and paths as datalad addurls takes
    it; SOURCE says which bucket it is of. Written to a .csv, the objects are such
    a table, also those of a lockfile: mountnd lock data.lock -o urls.csv. Exit
    code of --check and --diff: 0 when there is nothing to tell, else 1.
    """
    if checks and differs:
        raise UsageError("--check and --diff exclude each other")
    if heads and not checks:
        raise UsageError("--heads goes with --check")
    if as_json and not (checks or differs):
        raise UsageError("--json goes with --check and --diff; a lockfile itself is text")
    if checks or differs:
        for option, given in (("-o", output), ("--import", lists), ("--as-of", moment)):
            if given:
                raise UsageError(f"{option} does not go with --check or --diff")
        if differs:
            return lock_checks.diff(*_files(words, 2, "--diff OLD NEW"), as_json=as_json)
        (word,) = _files(words, 1, "--check FILE")
        return lock_checks.check(_locked_source(word, inputs), inputs, heads=heads, as_json=as_json)
    if moment is not None and (lists or not versions):
        raise UsageError(f"--as-of does not go with {'--import' if lists else '--no-versions'}")
    return _write(inputs, words, output, [Path(one) for one in lists], force=force, versions=versions, moment=moment)


def _files(words: Sequence[str], count: int, usage: str) -> Sequence[str]:
    if len(words) != count:
        raise UsageError(f"write mountnd lock {usage}")
    return words


def _stored(word: str, inputs: ConfigInputs) -> SourceConfig:
    """A source without a view: a lockfile is of what is stored."""
    return replace(resolve_source(word, inputs).config, view=None)


def _locked_source(word: str, inputs: ConfigInputs) -> SourceConfig:
    source = _stored(word, inputs)
    if source.lockfile is None:
        raise UsageError(f"{word} is no lockfile; `mountnd lock {word} -o FILE` makes one")
    return source


def _write(
    inputs: ConfigInputs,
    words: Sequence[str],
    output: str | None,
    lists: Sequence[Path],
    *,
    force: bool,
    versions: bool,
    moment: str | None,
) -> int:
    """Write the objects of the one SOURCE to `output`."""
    if len(words) != 1:
        raise UsageError("name one source: mountnd lock SOURCE -o FILE")
    if output is None:
        raise UsageError(f"say where to write it: mountnd lock {words[0]} -o data.lock")
    if output == "-" and is_terminal(1):
        raise UsageError("a lockfile is long; name a file with -o, or send the standard output to one")
    if output != "-":
        locking.check_target(Path(output), force)
    source, seconds = _stored(words[0], inputs), inputs.all_options()["timeout"].value
    past = None
    if moment is not None:
        past = locking_past.of_moment(source, moment, seconds)
    elif source.snapshot is not None and not lists:
        past = locking_past.of_snapshot(source, seconds)
    counting = Counting("objects")
    with counting.shown():
        if past is not None:
            found = past
        elif lists:
            found = locking.of_lists(source, lists, seconds)
        elif source.lockfile is not None:
            found = locking.of_lockfile(source.lockfile)
        else:
            found = locking.of_source(source, seconds, versions=versions)
        written = locking.write(output, found, counting, overwrite=force)
    if output != "-":
        streams.remark(f"{output}: {written.objects:,} objects, {size(written.bytes)}. {_next(output)}")
    return 0


def _next(output: str) -> str:
    if output.endswith(".csv"):
        return f"To have datalad add them: datalad addurls {output} '{{url}}' '{{path}}'"
    return f"To mount them: mountnd {output} DIR"
