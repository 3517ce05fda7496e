"""Documents of reports, made as `mountnd report` makes them: of what a daemon would answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mountnd import stats
from mountnd.account import SERIES
from mountnd.report import collecting
from mountnd.usage.files import FileRow

DESCRIPTION = {
    "Name": "Balloon Analog Risk-taking Task",
    "BIDSVersion": "1.0.0",
    "License": "CC0",
    "DatasetDOI": "doi:10.18112/openneuro.ds000001.v1.0.0",
}
# Keys that somebody may have put into a bucket.
HOSTILE = (
    "plain.nii.gz",
    "a b.txt",
    "<script>alert(1)</script>.txt",
    "'quoted' \"twice\" & more.txt",
    "$(touch pwned) `touch pwned` \\ ;|*?!.txt",
    "-rf",
    "new\nline\tand\x1b[31mcolour.txt",
    "not\udcffutf8\udc80.txt",
    "umlaut ü and \u202e turned.txt",
    "javascript:alert(1)",
    "=cmd|' /C calc'!A0",
    "comma,semicolon;.csv",
)


def row(key: str = "ds000001/sub-01/anat/sub-01_T1w.nii.gz", **changes: Any) -> FileRow:
    """A file that was read from its start to the middle, all of it fetched."""
    size = 1000
    whole = FileRow(
        "openneuro", key, '"abc"', "", size, key, 1, 1_700_000_000.0, 500, 500, size, 0, 0, "in order", 500, True,
        ((0, 500), (0, size), (), ()),
    )  # fmt: skip
    return whole._replace(**changes)


def source(**changes: Any) -> dict[str, Any]:
    """The facts of OpenNeuro's bucket, as `account` tells them."""
    facts = {
        "name": "openneuro", "url": "s3://openneuro.org", "kind": "s3", "root": "", "endpoint_url": None,
        "region": "us-east-1", "signed": False, "requester_pays": False, "profile": None, "path_style": True,
        "preset": {"name": "openneuro", "title": "OpenNeuro", "licence": "CC0", "citation": "the dataset's own DOI",
                   "home": "https://openneuro.org"},
        "known": {"files": 10, "bytes": 50_000, "complete": False},
    }  # fmt: skip
    return {**facts, **changes}


class Daemon:
    """Answers as one that has read these files. `asked`: the verbs that it was asked, with their arguments."""

    def __init__(
        self,
        rows: Sequence[FileRow],
        *,
        sources: Sequence[Mapping[str, Any]] = (),
        datasets: Mapping[str, str] | None = None,
        archived: Sequence[Sequence[FileRow]] = (),
        waits: Sequence[Mapping[str, Any]] = (),
        series: Sequence[Sequence[int]] = (
            (100, 50, 0, 100, 1, 1, 0),
            (0, 0, 0, 0, 0, 0, 0),
            (400, 0, 200, 900, 3, 0, 0),
        ),
        lost: int = 0,
    ) -> None:
        self._rows, self._sources, self._archived = rows, sources or [source()], archived
        self._datasets = {"ds000001": json.dumps(DESCRIPTION)} if datasets is None else datasets
        self._waits, self._series, self._lost = waits, series, lost
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, verb: str, **arguments: Any) -> Any:
        self.asked.append((verb, arguments))
        match verb:
            case "usage":
                return self._usage()
            case "usage-archived":
                return {
                    "files": [list(one) for one in self._archived[arguments["from"]]],
                    "next": arguments["from"] + 1,
                }
            case "datasets":
                known = {"files": 5, "bytes": 9_000, "complete": True}
                return [
                    {"path": path, "description": self._datasets[path], "known": known}
                    for path in arguments["paths"]
                    if path in self._datasets
                ]
        raise AssertionError(verb)

    def _usage(self) -> dict[str, Any]:
        total = {
            stats.BYTES_ASKED: 500, stats.BYTES_FROM_MEMORY: 50, stats.BYTES_FETCHED: 1000, stats.BYTES_FROM_DISK: 200,
            stats.GETS: 4, stats.LISTS: 1, stats.GET_TIME: 80_000,
        }  # fmt: skip
        return {
            "since": 1_700_000_000.0,
            "now": 1_700_000_060.0,
            "mountpoint": "/mnt/brains",
            "counters": {"total": total, "sources": {"openneuro": total}, "failures": {"count": 0, "by_reason": {}}},
            "sources": list(self._sources),
            "series": {"counters": list(SERIES), "slot_seconds": 1.0, "rows": [list(one) for one in self._series]},
            "waits": list(self._waits),
            "files": [list(one) for one in self._rows],
            "archived": [0, len(self._archived)],
            "lost": self._lost,
        }


def document(*rows: FileRow, **options: Any) -> dict[str, Any]:
    """The document, as it comes back from a file."""
    made = collecting.collect(Daemon(rows or [row()], **options))
    return collecting.loaded(json.dumps(made))


def wait(**changes: Any) -> dict[str, Any]:
    """A wait, as `account` tells of it."""
    told = {
        "at": 1_700_000_010.0, "seconds": 1.5, "what": "read", "where": "ds000001/x", "offset": 0, "size": 65_536,
        "cause": "request", "status": 206, "request_id": "ABC123", "retries": 2, "error": "",
    }  # fmt: skip
    return {**told, **changes}
