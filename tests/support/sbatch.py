#!/usr/bin/env python3
"""`sbatch --wait [OPTION...] SCRIPT` on this machine: runs all tasks of the script's job array at once, as on one node.

Options are read from the script's `#SBATCH` lines: `--array=FIRST-LAST`; others are passed over. Output goes to
slurm-1_TASK.out; the exit code is the highest one of the tasks.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

LIMIT_S = 110


def main(argv: list[str]) -> int:
    script = argv[-1]
    with open(script) as file:
        asked = re.search(r"^#SBATCH --array=(\d+)-(\d+)$", file.read(), re.MULTILINE)
    if "--wait" not in argv or asked is None:
        print("sbatch: this one knows --wait and job arrays only", file=sys.stderr)
        return 2
    print("Submitted batch job 1")
    tasks = []
    for task in range(int(asked[1]), int(asked[2]) + 1):
        environ = {**os.environ, "SLURM_JOB_ID": str(task), "SLURM_ARRAY_JOB_ID": "1", "SLURM_ARRAY_TASK_ID": str(task)}
        with open(f"slurm-1_{task}.out", "wb") as out:
            tasks.append(subprocess.Popen(["bash", script], env=environ, stdout=out, stderr=subprocess.STDOUT))
    try:
        codes = [one.wait(LIMIT_S) for one in tasks]
    finally:
        for one in tasks:
            one.kill()
    for task in range(int(asked[1]), int(asked[2]) + 1):
        with open(f"slurm-1_{task}.out") as said:
            sys.stderr.write(said.read())
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
