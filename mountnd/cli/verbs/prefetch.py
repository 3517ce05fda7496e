"""`mountnd prefetch PATH...`: fetch what will be read, before it is read, into the disk cache."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ...config import parsers
from ...config.options import MountConfig
from ...config.resolve import ConfigInputs, resolve_source
from ...errors import MountError, UsageError
from ...jobs.request import PrefetchRequest
from .. import prefetch_summary as summary
from .. import prefetching, streams
from ..flags import TableCommand, complete_word, json_option, with_options
from ..prefetch_words import Door, read_list, sort_out
from ..progress import Progress

# Entities with a line of their own in the help.
_COMMON = ("sub", "ses", "task", "acq", "run", "dir", "echo", "space", "desc")
_VALUES = "VALUE[,...]"


class _NameOption(click.Option):
    section = "names"


class _Option(click.Option):
    section = "which"


class _PrefetchCommand(TableCommand):
    """`prefetch`, which has an option for each entity of BIDS: those of the schema, read only when they are needed."""

    sections = (
        ("names", "Which files, by BIDS names"),
        ("which", "Which of them, and how"),
        ("source", "Source, where it is not mounted"),
        ("mount", "Cache, where it is not mounted"),
        ("call", "This command"),
    )
    _entities: list[click.Option] | None = None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if self._entities is None:
            from ...jobs.schema import entities

            self._entities = [
                _NameOption(
                    [*dict.fromkeys((f"--{one.name}", f"--{one.long}")), f"entity_{one.name}"],
                    multiple=True,
                    metavar=_VALUES,
                    help=one.title.lower(),
                    hidden=one.name not in _COMMON,
                )
                for one in entities()
            ]
        return [*self._entities, *super().get_params(ctx)]


@click.command(cls=_PrefetchCommand)
@click.argument("words", nargs=-1, metavar="[PATH|SOURCE]...", shell_complete=complete_word)
@click.option("--suffix", cls=_NameOption, multiple=True, metavar=_VALUES, help="BIDS suffix: bold, T1w, and so on")
@click.option("--ext", cls=_NameOption, multiple=True, metavar=_VALUES, help="extension: nii.gz, json, and so on")
@click.option(
    "--include",
    cls=_Option,
    multiple=True,
    metavar="GLOB",
    help="only paths that fit: '*_bold.nii.gz', 'sub-0*/anat'",
)
@click.option("--exclude", cls=_Option, multiple=True, metavar="GLOB", help="no paths that fit, nor what is below them")
@click.option(
    "--from", "list_file", cls=_Option, metavar="FILE", help="only the paths in FILE, one a line; -: standard input"
)
@click.option("-0", "--null", "nul", cls=_Option, is_flag=True, help="paths in FILE end in NUL (find -print0)")
@click.option("--headers", cls=_Option, is_flag=True, help="only the first 128 KiB of each file")
@click.option("--names", cls=_Option, is_flag=True, help="only the names: ls and find then need no network")
@click.option("-n", "--dry-run", cls=_Option, is_flag=True, help="say how many files of what size, and fetch nothing")
@click.option("--max-bytes", cls=_Option, metavar="SIZE", help="leave out files that would make it more than SIZE")
@click.option("--pin", cls=_Option, default="", metavar="NAME", help="never evict it, until mountnd cache unpin NAME")
@json_option("What was found, fetched and failed.")
@with_options("prefetch")
def prefetch(
    inputs: ConfigInputs,
    words: tuple[str, ...],
    suffix: tuple[str, ...],
    ext: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    list_file: str | None,
    nul: bool,
    headers: bool,
    names: bool,
    dry_run: bool,
    max_bytes: str | None,
    pin: str,
    as_json: bool,
    **entities: tuple[str, ...],
) -> int:
    """Fetch files into the disk cache before they are read: all below a PATH
    in a running mount, or of a SOURCE, which need not be mounted.

    \b
      mountnd prefetch ~/openneuro/ds000001/sub-01
      mountnd prefetch openneuro/ds000001 --sub 01,02
      mountnd prefetch openneuro/ds000001 --pin tonight

    What is cached already is not fetched again, so the same command goes on
    where it was stopped. Every entity of the BIDS schema is an option: those
    below, and --rec, --hemi, --ce and so on; files that are chosen by entities, suffix or
    extension bring along the metadata that they inherit, and what describes
    their data set. Exit code 1 when something could not be fetched.
    """
    request = _request(
        words, entities, suffix, ext, include=include, exclude=exclude, headers=headers, names=names, dry_run=dry_run,
        max_bytes=_bytes_of(max_bytes), pin=pin,
    )  # fmt: skip
    if nul and list_file is None:
        raise UsageError("-0 says how the paths of --from end, and there is no --from")
    lines = None if list_file is None else read_list(list_file, nul=nul)
    found = sort_out(words, lines, inputs.cwd)
    failures = [[path, "it is in no mount of mountnd"] for path in found.strays]
    answers: list[dict[str, Any]] = []
    for door in found.doors:
        asked = replace(request, paths=door.paths, listed=door.listed)
        if asked.max_bytes is not None:
            chosen = sum(one["bytes"] - one["left_out_bytes"] for one in answers)
            asked = replace(asked, max_bytes=max(0, asked.max_bytes - chosen))
        progress = Progress()
        with _opened(door, asked, inputs) as job, progress.shown():
            told = prefetching.follow(job, progress)
        if door.mountpoint is not None:
            told["failures"] = [[f"{door.mountpoint}/{path}", reason] for path, reason in told["failures"]]
        title = summary.title_of(door.mountpoint, door.source, door.paths)
        answers.append({"what": title, **told})
        if not as_json:
            _show(title, told, request)
        if told.get("cancelled"):
            break
    return _end(answers, failures, request, as_json)


def _request(
    words: Sequence[str],
    entities: Mapping[str, Sequence[str]],
    suffixes: Sequence[str],
    extensions: Sequence[str],
    **more: Any,
) -> PrefetchRequest:
    """What is asked for, but for the paths. Raises UsageError."""
    chosen = {}
    for option, given in entities.items():
        name = option.removeprefix("entity_")
        # `--sub sub-01` is what people copy from a listing.
        if values := tuple(value.removeprefix(f"{name}-") for value in _split(given, f"--{name}")):
            chosen[name] = values
    ends = tuple(end.lstrip(".") for end in _split(extensions, "--ext"))
    parts = tuple(_split(suffixes, "--suffix"))
    if chosen or ends or parts:
        from ...jobs.schema import vocabulary

        more["vocabulary"] = vocabulary()
    if more["names"] and (more["pin"] or more["headers"]):
        raise UsageError("--names fetches no bytes: leave out " + ("--pin" if more["pin"] else "--headers"))
    if more["pin"]:
        from ...blocks.disk.pins import check_name

        check_name(more["pin"])
    lists = {**chosen, "suffix": parts, "ext": ends, "include": more["include"], "exclude": more["exclude"]}
    typed = [f"--{option}={','.join(values)}" for option, values in lists.items() if values]
    asked = shlex.join([*words, *typed, *(["--headers"] if more["headers"] else [])])
    return PrefetchRequest(paths=(), entities=chosen, suffixes=parts, extensions=ends, asked=asked, **more)


def _split(given: Sequence[str], option: str) -> list[str]:
    """Values, each of which may be several with commas. Raises UsageError for an empty one."""
    values = [value.strip() for text in given for value in text.split(",")]
    if not all(values):
        raise UsageError(f"{option}: a value is empty")
    return values


def _bytes_of(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parsers.size(text)
    except ValueError as e:
        raise UsageError(f"--max-bytes: {text!r} is not {e}") from None


def _opened(door: Door, request: PrefetchRequest, inputs: ConfigInputs) -> AbstractContextManager[prefetching.Job]:
    """The job, in the mount or in this process. Raises UsageError."""
    if door.mountpoint is not None:
        if inputs.typed:
            option = next(iter(inputs.typed.values())).origin
            raise UsageError(
                f"{option}: {door.mountpoint} is mounted, with options of its own; this one is for sources"
            )
        return prefetching.in_mount(door.mountpoint, request)
    try:
        resolved = resolve_source(door.source, inputs)
    except UsageError as e:
        raise UsageError(f"{door.source} lies in no mount of mountnd (mountnd ls lists yours), and: {e}") from None
    values = {name: option.value for name, option in inputs.mount_options().items()}
    for notice in resolved.notices:
        streams.remark(notice)
    return prefetching.in_this_process(MountConfig(mountpoint=Path("/"), sources=(resolved.config,), **values), request)


def _show(title: str, told: Mapping[str, Any], request: PrefetchRequest) -> None:
    if not (told["files"] or told["names"]) or (not told["files"] and not request.names):
        return  # said at the end
    if request.dry_run and not request.names:
        summary.show_plan(title, told)
    elif streams.is_quiet():
        return
    elif request.names:
        summary.show_names(title, told)
    else:
        summary.show_result(title, told)


def _end(
    answers: Sequence[dict[str, Any]], strays: Sequence[Sequence[str]], request: PrefetchRequest, as_json: bool
) -> int:
    """Print what failed; the exit code. Raises MountError where that says more."""
    failures = [*strays, *(failure for told in answers for failure in told["failures"])]
    failed = len(strays) + sum(told["failed"] for told in answers)
    if as_json:
        jobs = [summary.as_json(told) for told in answers]
        streams.show_json({"jobs": jobs, "strays": [path for path, _ in strays]}, indent=2)
    else:
        summary.show_failures(failures)
    if any(told.get("cancelled") for told in answers):
        streams.remark("Stopped. What has come is kept; the same command goes on from there.")
        return 130
    for told in answers:
        if why := told.get("stopped") or told.get("why_not"):
            raise MountError(f"{told['what']}: {why}")
    for told in answers:
        if not told["files"] and not told["failed"] and not (request.names and told["names"]):
            narrowed = bool(request.by_entities or request.include or request.exclude)
            raise MountError(summary.nothing_matched(told["what"], told, narrowed))
    if failed:
        raise MountError(f"{failed:,} of the files or directories failed; the same command tries only what is missing")
    return 0
