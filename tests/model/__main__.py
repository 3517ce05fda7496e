"""More of the reference model than `make test` runs: `python -m tests.model --door vfs --examples 2000`.

Prints what it found wrong, with the steps that lead there, and exits with 1; `--door mount` needs /dev/fuse.
Other examples each time, from the seed that is printed; `--seed` repeats them.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from .programs import against_a_mount, against_the_vfs

DOORS = {"vfs": (against_the_vfs, 2000), "mount": (against_a_mount, 50)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model")
    parser.add_argument("--door", choices=DOORS, default="vfs")
    parser.add_argument("--examples", type=int, help="2000 for the vfs, 50 for the mount")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--shrink", action="store_true", help="look for fewer steps that fail, too: takes minutes")
    asked = parser.parse_args()
    make, usual = DOORS[asked.door]
    examples = asked.examples or usual
    machine = make(examples, shrink=asked.shrink)
    print(f"{asked.door}: {examples} examples, --seed {asked.seed}", flush=True)
    begun = time.monotonic()
    run_state_machine_as_test(seed(asked.seed)(machine), settings=machine.TestCase.settings)
    print(f"{asked.door}: all as the model allows, in {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
