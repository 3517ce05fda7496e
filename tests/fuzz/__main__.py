"""`make fuzz`: every target for a while, each in a child process; a table at the end, exit code 1 for any finding.

    python -m tests.fuzz [TARGET...] [--seconds 60]     (or FUZZ_SECONDS)

Findings are kept in `fuzz-findings/TARGET/` (not in git). One that was mended goes to `tests/fuzz/regressions/TARGET/`
under a name that says what it is, and `make test` has it from then on.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .targets import TARGETS

ROOT = Path(__file__).parents[2]
FINDINGS = ROOT / "fuzz-findings"
# What a child may take beside its time: imports, seeds (all of them are run first), and one input that takes too long.
GRACE_S = 90


def fuzz(name: str, seconds: int) -> tuple[int, list[str]]:
    """(inputs that were run, names of findings) of one target. Prints what is found as it comes."""
    found = FINDINGS / name
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as corpus, tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", "tests.fuzz.child", name, str(seconds), str(found), corpus]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        why = ""
        try:
            process.wait(seconds + GRACE_S)
        except subprocess.TimeoutExpired:
            why = "hangs"
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        said = log.read()
    if not why and process.returncode and not any(found.glob("[!.]*")):
        why = f"ended with {process.returncode}"
    if why:
        (found / "output.txt").write_text(said)
        print(f"  {name} {why}: see {found / 'output.txt'}")
    for line in re.findall(r"^FOUND (.*)$", said, re.MULTILINE):
        print(f"  {name}: {line}")
    runs = re.search(r"number_of_executed_units: (\d+)", said)
    return int(runs[1]) if runs else 0, sorted(path.name for path in found.glob("[!.]*"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument(
        "--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", "60")), help="for each target"
    )
    asked = parser.parse_args()
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    rows = []
    for name in asked.targets or TARGETS:
        begun = time.monotonic()
        runs, findings = fuzz(name, asked.seconds)
        rows.append((name, runs, len(findings)))
        print(f"{name:16} {runs:>9} inputs in {time.monotonic() - begun:4.0f} s, {len(findings)} findings", flush=True)
    return 1 if any(findings or not runs for _, runs, findings in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
