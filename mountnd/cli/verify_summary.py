"""What a verification prints when it is over: what was checked by what, and each file that is not as it should be."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..checks.hashing import PACKAGE
from ..checks.kinds import KINDS
from ..installation import here
from ..jobs.verify_report import DOUBT, MISMATCH, MISSING, UNKNOWN, UNREADABLE
from ..report.figures import count, duration, size
from . import streams, tables

# What makes a verification fail, and how it is called in sums.
FAILED = {
    MISMATCH: "do not match",
    DOUBT: "are in doubt",
    UNREADABLE: "cannot be read",
    MISSING: "are named in checksum files and missing",
}
# Findings that are shown; `--json` has all.
_SHOWN = 50
_KEPT = ("what", "seconds", "directories", "names", "files", "bytes", "belonging", "done", "read_bytes", "verified",
         "verified_bytes", MISMATCH, DOUBT, UNREADABLE, MISSING, UNKNOWN, "unknown_bytes")  # fmt: skip


def show(title: str, told: Mapping[str, Any], *, dry_run: bool) -> None:
    """How far it agrees, and by what; with --dry-run what could be checked."""
    if dry_run:
        checkable = told["files"] - told[UNKNOWN] - told[UNREADABLE]
        streams.show(f"{title}: {checkable:,} of {count(told['files'], 'file')} can be checked.")
    else:
        text = f"{title}: {told['verified']:,} of {count(told['files'], 'file')} match, {size(told['verified_bytes'])}"
        seconds = told["seconds"] - told.get("checking_since", told["seconds"])
        if told["read_bytes"] and seconds > 0:
            took = duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"
            text += f" ({took}, {size(told['read_bytes'] / seconds)}/s)"
        bad = [f"{told[name]:,} {words}" for name, words in FAILED.items() if told[name]]
        streams.show("; ".join([text, *bad]) + ".")
    if told["by"]:
        rows = [[_title(kind), algorithm, f"{files:,}", size(n)] for kind, algorithm, files, n in told["by"]]
        tables.show(["Checked by", "Digest", "Files", "Size"], rows, right={2, 3})
    for text in remarks(told):
        streams.show(text)


def remarks(told: Mapping[str, Any]) -> list[str]:
    """What a person should know beside the figures."""
    found: list[str] = []
    if told[UNKNOWN]:
        text = f"Nothing that could be checked here is known of {told[UNKNOWN]:,} ({size(told['unknown_bytes'])})"
        listed = any(finding["what"] == UNKNOWN for finding in told["failures"])
        found.append(f"{text} of the files." if listed else f"{text} of the files; --list-unknown lists them.")
    if told["cannot"]:
        which = ", ".join(f"{name} ({count(files, 'file')})" for name, files in sorted(told["cannot"].items()))
        found.append(f"Not computed here: {which}. To have it: {here([PACKAGE])}")
    if told["not_asked"]["files"]:
        files, why = told["not_asked"]["files"], told["not_asked"]["why"]
        found.append(f"The store could not be asked what it knows of {files:,} of the files: {why}")
    if told.get("damaged"):
        found.append(
            f"Damaged in the disk cache, noticed by checksums, and fetched again: {count(told['damaged'], 'block')}."
        )
    return found + list(told.get("remarks", ()))


def show_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """Each file that is not as it should be, on the standard error; those of which nothing is known on the standard
    output."""
    bad = [finding for finding in findings if finding["what"] != UNKNOWN]
    for finding in bad[:_SHOWN]:
        streams.say(f"{finding['path']}: {finding['reason']}", "bad")
        for text in _details(finding):
            streams.say(f"  {text}")
    if len(bad) > _SHOWN:
        streams.say(f"... and {len(bad) - _SHOWN:,} more (--json lists them)")
    for finding in findings:
        if finding["what"] == UNKNOWN:
            streams.show(f"{finding['path']}: {finding['reason']}")


def _details(finding: Mapping[str, Any]) -> Iterator[str]:
    for digest in finding["expected"] or ():
        expected = f"expected {digest['algorithm']} {digest['value']} ({digest['by'] or _title(digest['kind'])})"
        yield f"{expected}, found {finding['found'][digest['algorithm']]}"
    if finding["agrees"]:
        agrees = ", ".join(f"{one['algorithm']} ({one['by'] or _title(one['kind'])})" for one in finding["agrees"])
        yield f"but {agrees} agrees: these are the bytes that the store means to have, or what is expected is older"
    if finding["key"] is None or not finding["expected"]:
        return
    version = f", version {finding['version']}" if finding["version"] else ""
    yield f"key {finding['key']}{version}, ETag {finding['etag'] or 'unknown'}, {size(finding['size'])}"
    yield _where_from(finding)


def _where_from(finding: Mapping[str, Any]) -> str:
    """Where the bytes came from, and which of cache and source is wrong, if that was looked at."""
    names = {"from_source": "the source", "from_disk": "the disk cache", "from_memory": "the mount's memory"}
    parts = [f"{size(finding[name])} from {words}" for name, words in names.items() if finding[name]]
    came = f"the bytes came {', '.join(parts)}" if parts else "it has no bytes"
    cached = finding["from_disk"] or finding["from_memory"]
    source = finding["source"]
    if source is None:
        return came + ("; --from-source says whether the cache or the source is wrong" if cached else "")
    if source == "agrees":
        clear = f"mountnd cache clear {shlex.quote(finding['key'])}"
        return f"{came}; read again past the caches it matches: what was given first is wrong ({clear}, and mount anew)"
    if source == "differs":
        return f"{came}; read again past the caches it differs as well: it is the source that gives them"
    return f"{came}; it could not be read again past the caches: {source}"


def as_json(told: Mapping[str, Any]) -> dict[str, Any]:
    """A job in `--json`; the keys stand in help/reproducible.md."""
    by = [{"kind": kind, "algorithm": name, "files": files, "bytes": n} for kind, name, files, n in told["by"]]
    checking = told["seconds"] - told.get("checking_since", told["seconds"])
    return {
        **{name: told[name] for name in _KEPT},
        "checking_seconds": round(checking, 3),
        "by": by,
        "not_computed": [{"algorithm": name, "files": files} for name, files in sorted(told["cannot"].items())],
        "not_asked": told["not_asked"],
        "damaged": told.get("damaged", 0),
        "remarks": list(told.get("remarks", ())),
        "findings": told["failures"],
        "stopped": told.get("stopped") or ("interrupted" if told.get("cancelled") else None),
    }


def _title(kind: str) -> str:
    return KINDS[kind].title if kind in KINDS else kind
