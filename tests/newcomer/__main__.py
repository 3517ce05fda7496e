"""Run by `make newcomer`: exit code 1 when something that README tells a newcomer to type does not work."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path

from tests.promises.blocks import blocks
from tests.support.local_openneuro import local_openneuro

from . import root, session

CHECKOUT = Path(__file__).parents[2]
# The section of README that is typed as it stands, and what a newcomer tries after it.
SECTION = "First steps"
THEN = (
    "mountnd doctor",
    "mountnd presets openneuro",
    "mountnd doctor --install-helper",
    "mkdir -p /mnt/openneuro",
    "mount -t fuse.mountnd openneuro /mnt/openneuro",
    "ls /mnt/openneuro",
    "umount /mnt/openneuro",
    "make demo",
)


def main() -> int:
    """Build the root, type everything, print a transcript."""
    if os.getuid() != 0:
        print("make newcomer needs root: it makes a Debian of its own and mounts in it", file=sys.stderr)
        return 2
    readme = [block for block in blocks((CHECKOUT / "README.md").read_text()) if block.section == SECTION]
    typed = ["cd /root/mountnd", *session.commands(readme), *THEN]
    with tempfile.TemporaryDirectory(prefix="mountnd-newcomer-") as scratch, local_openneuro() as url:
        where = Path(scratch, "root")
        print("making a bare Debian with make and python3 ...", flush=True)
        root.build(where, CHECKOUT)
        shell = root.shell(where, {"MOUNTND_ENDPOINT_URL": url})
        timer = threading.Timer(session.SESSION_S, shell.kill)  # `unshare --kill-child` takes the rest along
        timer.start()
        try:
            right = True
            for step in session.play(shell, typed):
                right = step.right
                print(f"\n$ {step.command}\n{step.output.rstrip()}\n[{step.code}, {step.seconds:.1f} s]", flush=True)
        finally:
            timer.cancel()
            assert shell.stdin is not None
            shell.stdin.close()
            shell.wait(60)
    print("\nEverything works." if right else "\nThe last command is wrong.")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
