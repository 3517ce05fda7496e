"""`python -m tests.mutation [MODULE ...]`: mutate modules, say which mutants no test noticed."""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from pathlib import Path

from .runner import run


def main() -> int:
    config = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutation"]
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="a file, as in pyproject.toml (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    args = parser.parse_args()
    tests: dict[str, list[str]] = config["tests"]
    if unknown := set(args.modules) - set(tests):
        parser.error(f"not named in [tool.mutation.tests]: {', '.join(sorted(unknown))}")
    results = [run(Path(module), tests[module], args.jobs) for module in args.modules or tests]
    for result in results:
        for survivor in result.survivors:
            print(survivor)
    for result in results:
        print(f"{result.killed / max(result.total, 1):7.1%} of {result.total:4} killed  {result.module}")
    killed, total = sum(r.killed for r in results), sum(r.total for r in results)
    print(f"{killed / max(total, 1):7.1%} of {total:4} killed, {sum(r.timeouts for r in results)} of them by time")
    return 0 if killed >= config["at_least"] * total else 1


if __name__ == "__main__":
    sys.exit(main())
