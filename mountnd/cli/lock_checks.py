"""What `mountnd lock --check` and `--diff` find, told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.options import SourceConfig
from ..config.resolve import ConfigInputs
from ..errors import UsageError
from ..lockfile.reading import read
from ..lockfile.record import Locked
from ..report.figures import size
from . import streams
from .counting import Counting

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_STYLES = {"added": "ok", "removed": "bad", "changed": "warn"}


def check(source: SourceConfig, inputs: ConfigInputs, *, heads: bool, as_json: bool) -> int:
    """Ask for every object of the source's lockfile, and name those that cannot be had. Returns the exit code.

    Raises ConfigError for the file, StoreError where the source does not answer.
    """
    from ..locking.checking import checked
    from ..sources import open_store

    assert source.lockfile is not None
    header, records = read(source.lockfile)
    objects = sum(1 for _ in records)  # every line is looked at before anybody is asked
    _, records = read(source.lockfile)
    store = open_store(replace(source, lockfile=None))
    store.load_libraries()
    seconds = inputs.all_options()["timeout"].value
    counting, fates, problems = Counting("objects", objects), Counter[str](), []
    try:
        with counting.shown():
            for verdict in checked(store, records, objects, root=header.root, heads=heads, seconds=seconds):
                counting.add(1)
                fates[verdict.fate] += 1
                if verdict.fate != "ok":
                    problems.append(verdict)
    finally:
        store.close()
    problems.sort(key=lambda verdict: verdict.record.path)
    if as_json:
        told = [{**_told(one.record), "problem": one.fate, "reason": one.why} for one in problems]
        streams.show_json({"objects": objects, "ok": fates["ok"], "problems": told}, indent=2)
    else:
        for one in problems:
            streams.show(f"{one.fate}: {_shown(one.record)}: {one.why}", style="bad")
        streams.remark(_summary(source.lockfile, objects, fates))
    return 1 if problems else 0


def diff(old: str, new: str, *, as_json: bool) -> int:
    """Tell what changed from one lockfile to another. Returns the exit code. Raises ConfigError for the files."""
    from ..locking.comparing import compared

    _, olds = read(_file(old))
    _, news = read(_file(new))
    counts, told = Counter[str](), []
    for one in compared(olds, news):
        counts[one.kind] += 1
        if one.kind == "same":
            continue
        if as_json:
            told.append({"path": one.path, "change": one.kind, "old": _side(one.old), "new": _side(one.new)})
            continue
        sizes = " -> ".join(size(side.size) for side in (one.old, one.new) if side is not None)
        streams.show(f"{_SIGNS[one.kind]} {_path(one.path)}  {sizes}", style=_STYLES[one.kind])
    differ = sum(counts[kind] for kind in _SIGNS)
    if as_json:
        streams.show_json({**{kind: counts[kind] for kind in (*_SIGNS, "same")}, "differences": told}, indent=2)
    else:
        streams.remark(", ".join(f"{counts[kind]:,} {kind}" for kind in _SIGNS) + f"; {counts['same']:,} the same")
    return 1 if differ else 0


def _file(word: str) -> Path:
    path = Path(word)
    if not path.exists():
        raise UsageError(f"{word}: no such file")
    return path


def _summary(lockfile: Path, objects: int, fates: Counter[str]) -> str:
    if fates["ok"] == objects:
        return f"{lockfile}: all {objects:,} objects can be had"
    rest = ", ".join(f"{count:,} {fate}" for fate, count in sorted(fates.items()) if fate != "ok")
    return f"{lockfile}: {fates['ok']:,} of {objects:,} objects can be had; {rest}"


def _told(record: Locked) -> dict[str, Any]:
    return {"path": record.path, "key": record.key, **(_side(record) or {})}


def _side(record: Locked | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "size": record.size,
        "etag": record.etag or None,
        "version_id": record.version or None,
        "digest": record.digest or None,
    }


def _path(path: str) -> str:
    return path if path.isprintable() and path == path.strip() and path else repr(path)


def _shown(record: Locked) -> str:
    return _path(record.path)
