"""Where the harness keeps things: `$MOUNTND_BENCH`, else a folder in the system's temporary directory."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
SERVER = HERE / "server"
RESULTS = HERE / "results"

HOME = Path(os.environ.get("MOUNTND_BENCH") or Path(tempfile.gettempdir()) / "mountnd-bench")
DATA, WORK, BIN, BUILT, LOCK = (HOME / name for name in ("data", "work", "bin", "built", "lock"))


def program(name: str) -> str:
    """A peer's program: in `$MOUNTND_BENCH/bin`, beside this Python, on PATH, else the bare name."""
    for directory in (BIN, Path(sys.executable).parent):
        if (directory / name).exists():
            return str(directory / name)
    return shutil.which(name) or name
