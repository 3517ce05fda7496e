"""What programs asked of a mount, recorded: `load(NAME)` gives a trace from tests/unit/vfs/prefetch/traces/.

A trace is gzipped JSON lines. The first is an object: `row` and `what` (the program, as in benchmarks/real/jobs.py),
`tree` (path and size of each file in the directories that it came to). The others are its calls, in their order:

    ["list", path]                  a directory is opened to be read ("" is the root)
    ["open", handle, path, size]    a file is opened; handles count from 1
    ["read", handle, offset, size]  as the program asks, neighbouring reads put together (benchmarks/real/trace.py)
    ["close", handle]               close(2)
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent / "unit/vfs/prefetch/traces"

Event = tuple[Any, ...]


@dataclass(frozen=True)
class Trace:
    """Attributes: tree: sizes of files by path; events: see above."""

    row: str
    what: str
    tree: dict[str, int]
    events: Sequence[Event]

    def opens(self) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """Each open in its order: the path, and (offset, size) of what is read until the handle is closed."""
        files: dict[int, tuple[str, list[tuple[int, int]]]] = {}
        for event in self.events:
            if event[0] == "open":
                files[event[1]] = event[2], []
            elif event[0] == "read":
                files[event[1]][1].append((event[2], event[3]))
        return iter(files.values())


def names() -> list[str]:
    return sorted(path.name.removesuffix(".jsonl.gz") for path in HERE.glob("*.jsonl.gz"))


def load(name: str) -> Trace:
    with gzip.open(HERE / f"{name}.jsonl.gz", "rt") as file:
        first, *events = map(json.loads, file)
    return Trace(first["row"], first["what"], dict(first["tree"]), [tuple(event) for event in events])


def save(trace: Trace, out: Path) -> None:
    lines: Iterable[object] = [
        {"row": trace.row, "what": trace.what, "tree": sorted(trace.tree.items())},
        *trace.events,
    ]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
