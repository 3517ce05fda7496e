"""`mountnd report`: asks a daemon for what was used, part by part, and puts the document together.

The document is what `--format json` gives: see help/reports.md for its keys. All other formats are made of it, also
later, from a file that holds it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ..usage.files import FileRow
from ..version import __version__
from . import costs, datasets, files
from .figures import figures
from .moments import iso

FORMAT, VERSION = "mountnd-report", 1
# A request is a line of up to 64 KiB (`daemon.control`), escapes included.
_REQUEST_BYTES = 40_000


class Ask(Protocol):
    """Asks a daemon: its answer to a verb. Raises MountndError."""

    def __call__(self, verb: str, **arguments: Any) -> Any: ...


def collect(ask: Ask) -> dict[str, Any]:
    """The document of a mount as it is now."""
    usage = ask("usage")
    counters, sources = usage["counters"], [_source(one, usage["counters"]) for one in usage["sources"]]
    by_name = {source["name"]: source for source in sources}
    rows = [*_rows(usage["files"])]
    first, stop = usage["archived"]
    while first < stop:
        answer = ask("usage-archived", **{"from": first, "to": stop})
        rows += _rows(answer["files"])
        first = answer["next"]
    opened, (unopened, unopened_bytes) = files.merged(rows, by_name)
    found = [one for part in _parts(datasets.candidates(opened)) for one in ask("datasets", paths=part)]
    sets = datasets.described(found, opened, by_name)
    total = figures(counters["total"])
    return {
        "format": FORMAT,
        "version": VERSION,
        "mountnd": __version__,
        "mountpoint": usage["mountpoint"],
        "since": iso(usage["since"]),
        "until": iso(usage["now"]),
        "seconds": round(usage["now"] - usage["since"], 3),
        "sources": sources,
        "datasets": sets,
        "totals": counters["total"],
        "failures": counters["failures"],
        "saved": costs.saved(opened, sets, sources, total.fetched, total.from_disk),
        "cost": costs.costs(sources),
        "over_time": usage["series"],
        "waits": [_wait(one) for one in usage["waits"]],
        "files": opened,
        "files_left_out": usage["lost"],
        "never_opened": {"files": unopened, "bytes": unopened_bytes},
    }


def loaded(text: str) -> dict[str, Any]:
    """The document that a file holds. Raises ValueError, whose text says what is wrong."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("it is no report of mountnd's (mountnd report DIR -o report.json makes one)")
    if document.get("version") != VERSION:
        raise ValueError(f"it is a report of version {document.get('version')!r}, and this mountnd reads {VERSION}")
    return document


def _rows(rows: Sequence[Sequence[Any]]) -> Iterator[FileRow]:
    for row in rows:
        yield FileRow(*row)


def _source(facts: Mapping[str, Any], counters: Mapping[str, Any]) -> dict[str, Any]:
    """A source with the counters of its own, and what its preset says of it."""
    preset = facts["preset"] or {}
    about = {key: preset.get(key) or None for key in ("title", "licence", "terms", "terms_url", "citation", "home")}
    return {**facts, "preset": preset.get("name"), **about, "counters": counters["sources"].get(facts["name"], {})}


def _wait(wait: Mapping[str, Any]) -> dict[str, Any]:
    shown = {**wait, "at": iso(wait["at"]), "seconds": round(wait["seconds"], 3), "path": wait["where"]}
    del shown["where"]
    return shown


def _parts(paths: Sequence[str]) -> Iterator[list[str]]:
    """The paths in lists that fit a request each."""
    part: list[str] = []
    room = _REQUEST_BYTES
    for path in paths:
        size = len(json.dumps(path)) + 2
        if part and size > room:
            yield part
            part, room = [], _REQUEST_BYTES
        part.append(path)
        room -= size
    if part:
        yield part


def local(handlers: Mapping[str, Callable[[dict[str, Any]], Any]]) -> Ask:
    """Asks the daemon that this process is."""

    def ask(verb: str, **arguments: Any) -> Any:
        return handlers[verb](arguments)

    return ask
