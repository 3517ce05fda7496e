"""What a program's work comes down to, for comparing runs: a digest of what it printed, or of the files that it made.

Directories give their names in an order of their own on each file system, so lines and files are sorted first.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path


def digest(parts: Iterable[bytes]) -> str:
    """SHA-256 of the sorted parts; "" when there are none."""
    ordered = sorted(parts)
    return hashlib.sha256(b"\0".join(ordered)).hexdigest() if ordered else ""


def sorted_lines(printed: bytes, out: Path) -> str:
    return digest(printed.split(b"\n")) if printed else ""


def tree(printed: bytes, out: Path) -> str:
    """Names and content of the files below `out`."""
    files = [path for path in out.rglob("*") if path.is_file()]
    return digest(named(str(path.relative_to(out)), path.read_bytes()) for path in files)


def archive(printed: bytes, out: Path) -> str:
    """Names and content of the files in the archive in `out`."""
    (path,) = out.glob("*.tar")
    with tarfile.open(path) as tar:
        opened = ((member.name, tar.extractfile(member)) for member in tar if member.isfile())
        return digest(named(name, file.read()) for name, file in opened if file)


def named(name: str, content: bytes) -> bytes:
    return name.encode() + b"\0" + hashlib.sha256(content).digest()


def validation(printed: bytes, out: Path) -> str:
    """What bids-validator found wrong, and where, and how much it looked at."""
    told = json.loads(printed)
    issues = [f"{issue['code']} {issue.get('location')}".encode() for issue in told["issues"]["issues"]]
    summary = told["summary"]
    seen = [sorted(summary["subjects"]), sorted(summary["tasks"]), summary["totalFiles"], summary["size"]]
    return digest([*issues, json.dumps(seen).encode()])
