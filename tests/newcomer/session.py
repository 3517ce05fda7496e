"""What a newcomer types, in one shell, and what must then stand on the screen."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.promises.blocks import Block

_MARK = "@@newcomer@@"
# All of it. `make setup` downloads, everything else takes seconds.
SESSION_S = 1800.0

# beginning of a command -> what it must print (a regular expression)
SAYS = {
    "mountnd ~/openneuro": r"is ready|mounted|shows",
    "ls ~/openneuro/ds000001/sub-01/anat": r"sub-01_T1w\.nii\.gz",
    "python -c": r"\(160, 192, 160\)",
    "mountnd stats": r"requests?",
    "mountnd presets openneuro": r"OpenNeuro",
    "make demo": r"picture|mountnd-demo\.png",
    "mount -t fuse.mountnd": "",
    "ls /mnt/openneuro": "ds000001",
}


class Step(NamedTuple):
    """One command: what was typed, its exit code (None: it did not end), what it printed, how long it took in seconds,
    and whether that is right."""

    command: str
    code: int | None
    output: str
    seconds: float
    right: bool


def commands(blocks: Iterable[Block]) -> Iterator[str]:
    """The commands of these blocks of a page, without their comments."""
    for block in blocks:
        for line in block.text.splitlines():
            if typed := re.sub(r"\s+#.*", "", line).strip():
                yield typed


def play(shell: subprocess.Popen[str], typed: Iterable[str]) -> Iterator[Step]:
    """Type commands into `shell`, one after the other; what became of each. Ends with the first that is wrong."""
    assert shell.stdin is not None and shell.stdout is not None
    for command in typed:
        start = time.monotonic()
        shell.stdin.write(f"{command}\necho {_MARK} $?\n")
        shell.stdin.flush()
        code, lines = None, []
        for line in shell.stdout:
            before, mark, after = line.partition(_MARK)
            lines.append(before)
            if mark:
                code = int(after)
                break
        output = "".join(lines)
        wanted = next((says for begin, says in SAYS.items() if command.startswith(begin)), "")
        right = code == 0 and re.search(wanted, output) is not None
        yield Step(command, code, output, time.monotonic() - start, right)
        if not right:
            return
