"""A page of the help, typed from top to bottom in one home directory, as its marks say (`tests/promises/blocks.py`)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.promises.blocks import SAVED, Block, blocks

from . import cli

# Of a user's own, which would lead elsewhere than to the home directory.
_NOT_OURS = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


@dataclass
class Session:
    """Whoever types a page.

    Attributes:
        home: the home directory, which is also the working directory.
        environ: variables of all that is typed.
        said: what each block printed, by the line of the page.
    """

    home: Path
    environ: dict[str, str]
    said: dict[int, str] = field(default_factory=dict)
    _last: str = ""

    def play(self, page: str) -> None:
        """Type all blocks of `page` that are to be typed, in their order. Raises AssertionError."""
        for block in blocks(page):
            self.type(block)

    def type(self, block: Block) -> None:
        """One block: what it is, its mark says."""
        where = f"line {block.line}"
        if saved := SAVED.fullmatch(block.mark):
            with open(self.home / saved[1], "a") as file:
                file.write(block.text)
        elif block.mark in ("run in order", "run in order, fails"):
            done = self.run(block.language, block.text)
            self._last = self.said[block.line] = done.stdout + done.stderr
            assert (done.returncode != 0) == block.mark.endswith("fails"), f"{where}: {self._last}"
            assert "Traceback" not in self._last, f"{where}: {self._last}"
        elif block.mark == "printed":
            assert is_printed(block.text, self._last), f"{where}: {self._last}"

    def run(self, language: str, text: str) -> subprocess.CompletedProcess[str]:
        """Text of a shell ("sh") or of Python ("python"), each in a process of its own."""
        argv = {"sh": ["bash", "-e", "-o", "pipefail", "-c"], "python": [sys.executable, "-c"]}[language]
        return subprocess.run(
            [*argv, text], cwd=self.home, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=cli.COMMAND_S, check=False,
        )  # fmt: skip


@contextmanager
def session(home: Path, environ: Mapping[str, str], programs: Mapping[str, Path] | None = None) -> Iterator[Session]:
    """Somebody with an empty home directory, and `mountnd` and its Python on the PATH, as after `. .venv/bin/activate`.

    What is still mounted below it at the end is unmounted. `programs`: others, by the names that they are typed by.
    """
    places, own = home / "tmp", home / "bin"
    for directory in (places, own):
        directory.mkdir()
    for name, program in (programs or {}).items():
        (own / name).symlink_to(program)
    given = {name: value for name, value in cli.environment().items() if name not in _NOT_OURS}
    path = os.pathsep.join([str(own), str(Path(sys.executable).parent), os.environ["PATH"]])
    try:
        yield Session(home, {**given, "HOME": str(home), "TMPDIR": str(places), "PATH": path, **environ})
    finally:
        with ExitStack() as ends:
            for left in mounted_below(home):
                ends.enter_context(cli.mountpoint(left))


def mounted_below(directory: Path) -> list[Path]:
    """Mountpoints below a directory."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    found = [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]
    return [path for path in found if path.is_relative_to(directory.resolve())]


def is_printed(expected: str, printed: str) -> bool:
    """Whether lines of `expected` stand in `printed` in this order. `...` in one is any text, and alone any lines.

    Blanks count once: columns and broken lines differ with what they hold.
    """
    pattern = r"\s+".join(re.escape(word).replace(r"\.\.\.", ".*?") for word in expected.split())
    return re.search(pattern, printed, re.DOTALL) is not None
