"""Run the soak: `make soak`, or `SOAK_MINUTES=3 SOAK_SEED=7 python -m tests.soak [PART...]`.

Exit code 1 on any violation. Results (samples, picture, logs, the table) stay in tests/soak/results/.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import kills, parts
from .parts import Report, Scale

RESULTS = Path(__file__).parent / "results"
KEPT = ("daemon.tsv", "daemon.png", "log")
KILLS = 20
# Of the readers' minutes.
DISK_SHARE, FLIPS_SHARE = 0.15, 0.15


def main() -> int:
    if os.getuid() != 0:
        print("make soak needs root: it mounts a small disk", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # and everything that was started with it
    minutes = float(os.environ.get("SOAK_MINUTES", "10"))
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(1_000_000))
    only, scale = sys.argv[1:], Scale()
    todo: dict[str, Callable[[Path], Report]] = {
        "readers": lambda where: parts.under_faults(where, 60 * minutes, seed, scale),
        "kills": lambda where: kills.kill_nine(where, KILLS, seed, scale),
        "disk": lambda where: parts.disk_full(where, 60 * minutes * DISK_SHARE, seed, scale),
        "flips": lambda where: parts.bit_flips(where, 60 * minutes * FLIPS_SHARE, seed, scale),
    }
    print(f"SOAK_MINUTES={minutes:g} SOAK_SEED={seed}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    reports = [run(name, part) for name, part in todo.items() if not only or name in only]
    text = f"SOAK_MINUTES={minutes:g} SOAK_SEED={seed}, {time.strftime('%Y-%m-%d %H:%M')}\n\n" + table(reports)
    (RESULTS / "table.md").write_text(text)
    print(f"\n{text}")
    return 1 if any(report.violations for report in reports) else 0


def run(name: str, part: Callable[[Path], Report]) -> Report:
    """Run a part in a directory of its own, and keep what is worth it."""
    with tempfile.TemporaryDirectory(prefix="mountnd-soak-", ignore_cleanup_errors=True) as directory:
        where = Path(directory)
        with isolated(where):
            report = part(where)
        for kept in KEPT:
            if (where / kept).exists():
                shutil.copy(where / kept, RESULTS / f"{name}-{kept}")
    report.figures = [figure.replace(f"{where}/", f"{RESULTS}/{name}-") for figure in report.figures]
    print(f"{report.name}: {report.seconds:.0f} s, {len(report.violations)} violations", flush=True)
    return report


class isolated:
    """Nobody's own settings, keys or caches take part, and nobody's are changed."""

    def __init__(self, where: Path) -> None:
        self._where, self._before = where, dict(os.environ)

    def __enter__(self) -> None:
        for name in [n for n in os.environ if n.startswith(("AWS_", "MOUNTND_"))]:
            del os.environ[name]
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        for name in ("CACHE", "CONFIG", "DATA", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = str(self._where / "xdg" / name.lower())
        os.environ["MOUNTND_RUN_DIR"] = str(self._where / "run")

    def __exit__(self, *_: object) -> None:
        os.environ.clear()
        os.environ.update(self._before)


def table(reports: list[Report]) -> str:
    """The figures of all parts, in Markdown."""
    parts = []
    for report in reports:
        head = f"### {report.name} ({report.seconds:.0f} s, {report.tally.operations():,} operations)"
        figures = "\n".join(f"- {figure}" for figure in report.figures)
        found = "\n".join(f"- VIOLATION: {violation}" for violation in report.violations[:40])
        parts.append("\n\n".join(filter(None, [head, report.tally.table(), figures, found])))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
