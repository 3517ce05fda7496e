"""`mountnd prefetch PATH...`: fetch what will be read, before it is read, into the disk cache."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from ...config import parsers
from ...config.resolve import ConfigInputs
from ...errors import MountError, UsageError
from ...jobs.request import PrefetchRequest
from .. import prefetch_summary as summary
from .. import prefetching, streams
from ..file_filters import FilesCommand, WhichOption, chosen, with_filters
from ..flags import json_option, with_options
from ..prefetch_words import lines_of, sort_out
from ..progress import Progress


@click.command(cls=FilesCommand)
@with_filters
@click.option("--headers", cls=WhichOption, is_flag=True, help="only the first 128 KiB of each file")
@click.option("--names", cls=WhichOption, is_flag=True, help="only the names: ls and find then need no network")
@click.option(
    "-n", "--dry-run", cls=WhichOption, is_flag=True, help="say how many files of what size, and fetch nothing"
)
@click.option("--max-bytes", cls=WhichOption, metavar="SIZE", help="leave out files that would make it more than SIZE")
@click.option(
    "--pin", cls=WhichOption, default="", metavar="NAME", help="never evict it, until mountnd cache unpin NAME"
)
@json_option("What was found, fetched and failed.")
@with_options("prefetch")
def prefetch(
    inputs: ConfigInputs,
    words: tuple[str, ...],
    filters: Mapping[str, Sequence[str]],
    list_file: str | None,
    nul: bool,
    headers: bool,
    names: bool,
    dry_run: bool,
    max_bytes: str | None,
    pin: str,
    as_json: bool,
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
        words, filters, headers=headers, names=names, dry_run=dry_run, max_bytes=_bytes_of(max_bytes), pin=pin
    )
    found = sort_out(words, lines_of(list_file, nul=nul), inputs.cwd)
    failures = [[path, "it is in no mount of mountnd"] for path in found.strays]
    answers: list[dict[str, Any]] = []
    for door in found.doors:
        asked = replace(request, paths=door.paths, listed=door.listed)
        if asked.max_bytes is not None:
            chosen = sum(one["bytes"] - one["left_out_bytes"] for one in answers)
            asked = replace(asked, max_bytes=max(0, asked.max_bytes - chosen))
        progress = Progress()
        with prefetching.opened(door, asked, inputs, "prefetch") as job, progress.shown():
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


def _request(words: Sequence[str], filters: Mapping[str, Sequence[str]], **more: Any) -> PrefetchRequest:
    """What is asked for, but for the paths. Raises UsageError."""
    fields, typed = chosen(filters)
    if more["names"] and (more["pin"] or more["headers"]):
        raise UsageError("--names fetches no bytes: leave out " + ("--pin" if more["pin"] else "--headers"))
    if more["pin"]:
        from ...blocks.disk.pins import check_name

        check_name(more["pin"])
    asked = shlex.join([*words, *typed, *(["--headers"] if more["headers"] else [])])
    return PrefetchRequest(paths=(), asked=asked, **fields, **more)


def _bytes_of(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parsers.size(text)
    except ValueError as e:
        raise UsageError(f"--max-bytes: {text!r} is not {e}") from None


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
