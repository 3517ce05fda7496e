"""`mountnd verify PATH...`: read files, and compare their bytes with what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from ...checks.kinds import KINDS
from ...config.resolve import ConfigInputs
from ...errors import MountError, UsageError
from ...jobs.request import VerifyRequest
from ...jobs.verify_report import FINDING, UNKNOWN, UNREADABLE
from .. import prefetch_summary, prefetching, streams
from .. import verify_summary as summary
from ..file_filters import FilesCommand, WhichOption, chosen, split, with_filters
from ..flags import json_option, with_options
from ..prefetch_words import Door, lines_of, sort_out
from ..progress import Progress

# Nothing could be checked: see `errors.EXIT_CODES`.
_NOTHING = 3


@click.command(cls=FilesCommand)
@with_filters
@click.option(
    "--by",
    cls=WhichOption,
    multiple=True,
    metavar="KIND[,...]",
    help=f"only by what is known from these: {', '.join(KINDS)}",
)
@click.option(
    "--from-source",
    cls=WhichOption,
    is_flag=True,
    help="read what does not match again, past all caches, and say which is wrong",
)
@click.option("--list-unknown", "unknown", cls=WhichOption, is_flag=True, help="list files of which nothing is known")
@click.option(
    "-n", "--dry-run", cls=WhichOption, is_flag=True, help="say what can be checked by what, and read nothing"
)
@json_option("What matches, by what, and what does not.")
@with_options("verify")
def verify(
    inputs: ConfigInputs,
    words: tuple[str, ...],
    filters: Mapping[str, Sequence[str]],
    list_file: str | None,
    nul: bool,
    by: tuple[str, ...],
    from_source: bool,
    unknown: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Read files, all below a PATH in a running mount or of a SOURCE, and
    compare their bytes with what is known of them.

    \b
      mountnd verify ~/openneuro/ds000001
      mountnd verify openneuro/ds000001 --sub 01 --suffix bold
      mountnd verify ~/data --by manifest

    Known are digests of a lockfile, ETags that are MD5s, the checksums that S3
    keeps, DANDI's digests, checksum files in the tree (sha256sums, md5sum.txt,
    CHECKSUMS, and so on), and names of git-annex keys. Nothing is mended: what
    does not match is named. Exit code 0 when all that can be checked matches, 1
    when something does not or cannot be read, 3 when nothing can be checked.
    """
    fields, _ = chosen(filters)
    kinds = tuple(split(by, "--by")) or tuple(KINDS)
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"--by: there is no kind {kind!r}; there are {', '.join(KINDS)}")
    request = VerifyRequest(paths=(), by=kinds, from_source=from_source, unknown=unknown, dry_run=dry_run, **fields)
    found = sort_out(words, lines_of(list_file, nul=nul), inputs.cwd, "verify")
    answers: list[dict[str, Any]] = []
    for door in found.doors:
        told = _verify(door, replace(request, paths=door.paths, listed=door.listed), inputs)
        answers.append(told)
        if not as_json and told["files"] and (dry_run or not streams.is_quiet()):
            summary.show(told["what"], told, dry_run=dry_run)
        if told.get("cancelled"):
            break
    strays = [_stray(path) for path in found.strays]
    return _end(answers, strays, request, as_json=as_json)


def _verify(door: Door, request: VerifyRequest, inputs: ConfigInputs) -> dict[str, Any]:
    """Do it and wait for it: its last report. Raises MountndError."""
    progress = Progress()
    with prefetching.opened(door, request, inputs, "verify") as job, progress.shown():
        told = prefetching.follow(job, progress)
    if door.mountpoint is not None:
        for finding in told["failures"]:
            finding["path"] = f"{door.mountpoint}/{finding['path']}"
    return {"what": prefetch_summary.title_of(door.mountpoint, door.source, door.paths), **told}


def _stray(path: str) -> dict[str, Any]:
    return dict.fromkeys(FINDING) | {"path": path, "what": UNREADABLE, "reason": "it is in no mount of mountnd"}


def _end(
    answers: Sequence[dict[str, Any]], strays: Sequence[dict[str, Any]], request: VerifyRequest, *, as_json: bool
) -> int:
    """Print what does not match; the exit code. Raises MountError where that says more."""
    findings = [*strays, *(finding for told in answers for finding in told["failures"])]
    if as_json:
        jobs = [summary.as_json(told) for told in answers]
        streams.show_json({"jobs": jobs, "strays": [stray["path"] for stray in strays]}, indent=2)
    else:
        summary.show_findings(findings)
    if any(told.get("cancelled") for told in answers):
        done, files = (sum(told[name] for told in answers) for name in ("done", "files"))
        streams.remark(f"Stopped after {done:,} of {files:,} files; what was found until then stands above.")
        return 130
    for told in answers:
        if why := told.get("stopped"):
            raise MountError(f"{told['what']}: {why} ({told['done']:,} of {told['files']:,} files were looked at)")
        if not told["files"] and not told[UNREADABLE]:
            raise MountError(prefetch_summary.nothing_matched(told["what"], told, request.is_narrowed))
    bad = len(strays) + sum(told[name] for told in answers for name in summary.FAILED)
    if bad:
        raise MountError(f"{bad:,} of the files or directories are not as they should be")
    if sum(told[UNKNOWN] for told in answers) == sum(told["files"] for told in answers):
        streams.say("mountnd: nothing could be checked: nothing is known of these files")
        return _NOTHING
    return 0
