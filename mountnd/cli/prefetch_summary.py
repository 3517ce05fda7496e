"""What a prefetch prints when it is over: what there is now, what failed, and how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..report.figures import count, duration, size
from . import streams, tables

# Failures that are shown; `--json` has more of them.
_SHOWN = 20


def title_of(mountpoint: Path | None, source: str, paths: Sequence[str]) -> str:
    """What was prefetched, for the beginning of a line."""
    if mountpoint is None:
        return source
    more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
    return f"{mountpoint / paths[0]}{more}"


def show_plan(title: str, told: Mapping[str, Any]) -> None:
    """What would be fetched (--dry-run)."""
    kinds = told["kinds"]
    rest = [told["files"] - sum(count for _, count, _ in kinds), told["bytes"] - sum(n for _, _, n in kinds)]
    rows = [[kind, f"{count:,}", size(n)] for kind, count, n in kinds]
    rows += [["others", f"{rest[0]:,}", size(rest[1])]] if rest[0] else []
    tables.show(
        ["Kind", "Files", "Size"],
        [*rows, tables.total("Total", f"{told['files']:,}", size(told["bytes"]))],
        title=title,
        right={1, 2},
    )
    here, missing = size(told["cached_bytes"]), size(told["to_fetch_bytes"])
    streams.show("", *_remarks(told), f"{here} are cached, {missing} missing.")


def show_names(title: str, told: Mapping[str, Any]) -> None:
    """What is listed now (--names)."""
    streams.show(f"{title}: {told['names']:,} names in {told['directories']:,} directories are known.")
    _show_remarks(told)


def show_result(title: str, told: Mapping[str, Any]) -> None:
    """What was fetched."""
    wanted = told["files"] - told["left_out"]
    what = f"{told['done']:,} of {count(wanted, 'file')}" if told["done"] < wanted else count(wanted, "file")
    fetched, cached = told["fetched_bytes"], told["cached_bytes"]
    text = f"{title}: {what}, {size(fetched + cached)}: {size(fetched)} fetched"
    if cached:
        text += f", {size(cached)} were cached already"
    seconds = told["seconds"] - told.get("fetching_since", told["seconds"])
    if fetched and seconds > 0:
        took = duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"
        text += f" ({took}, {size(fetched / seconds)}/s)"
    streams.show(f"{text}.")
    _show_remarks(told)
    if told.get("pin"):
        streams.show(f"Pinned as {told['pin']}; to give it back: mountnd cache unpin {shlex.quote(told['pin'])}")


def show_failures(failures: Sequence[Sequence[str]]) -> None:
    """Files that failed, and why, on the standard error."""
    for path, reason in failures[:_SHOWN]:
        streams.say(f"{path}: {reason}", "bad")
    if len(failures) > _SHOWN:
        streams.say(f"... and {len(failures) - _SHOWN:,} more (--json lists them)")


def nothing_matched(title: str, told: Mapping[str, Any], narrowed: bool) -> str:
    """Why nothing was chosen, and what is there instead."""
    if not told["names"]:
        return f"{title}: nothing lies there"
    if not narrowed:
        return f"{title}: no file lies there, only directories"
    text = f"{title}: none of its {told['names']:,} names is what was asked for"
    seen = [f"{name}: {', '.join(values)}" for name, values in told.get("seen", {}).items() if values]
    hint = f". What is there: {'; '.join(seen)}" if seen else "; --dry-run without filters shows what is there"
    return text + hint


def as_json(told: Mapping[str, Any]) -> dict[str, Any]:
    """A job in `--json`; the keys stand in help/prefetching.md."""
    kinds = [{"kind": kind, "files": files, "bytes": n} for kind, files, n in told["kinds"]]
    failures = [{"path": path, "reason": reason} for path, reason in told["failures"]]
    kept = ("what", "seconds", "directories", "names", "files", "bytes", "belonging", "done", "cached", "cached_bytes",
            "to_fetch_bytes", "fetched", "fetched_bytes", "failed", "left_out", "left_out_bytes")  # fmt: skip
    stopped = told.get("stopped") or told.get("why_not")
    fetching = told["seconds"] - told.get("fetching_since", told["seconds"])
    return {
        **{name: told[name] for name in kept},
        "fetching_seconds": round(fetching, 3),
        "kinds": kinds,
        "failures": failures,
        "huge": list(told.get("huge", ())),
        "pin": told.get("pin"),
        "stopped": stopped or ("interrupted" if told.get("cancelled") else None),
    }


def _remarks(told: Mapping[str, Any]) -> list[str]:
    """What a person should know beside the figures."""
    found = []
    if told["belonging"]:
        found.append(f"{told['belonging']:,} of the files describe the others: inherited metadata, the data set.")
    if told["left_out"]:
        left = size(told["left_out_bytes"])
        found.append(f"{told['left_out']:,} files ({left}) are left out by --max-bytes.")
    huge = "has more names than are kept: it cannot be listed without the network."
    return found + [f"{directory} {huge}" for directory in told.get("huge", ())]


def _show_remarks(told: Mapping[str, Any]) -> None:
    for text in _remarks(told):
        streams.show(text)
