"""How packages are added to this installation of mountnd: the command that works here. Pure, but for `here`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path


def command(packages: Sequence[str], *, prefix: str, python: str) -> str:
    """The command that adds `packages` to the environment at `prefix`, whose interpreter is `python`."""
    wanted = shlex.join(packages)
    parts = Path(prefix).parts
    if "pipx" in parts:  # ~/.local/pipx/venvs/mountnd, ~/.local/share/pipx/venvs/mountnd
        return f"pipx inject {shlex.quote(parts[-1])} {wanted}"
    if parts[-3:-1] == ("uv", "tools"):  # ~/.local/share/uv/tools/mountnd
        return f"uv tool install {' '.join(f'--with {shlex.quote(p)}' for p in packages)} {shlex.quote(parts[-1])}"
    return f"{shlex.quote(python)} -m pip install {wanted}"


def here(packages: Sequence[str]) -> str:
    """The command for this process's installation."""
    return command(packages, prefix=sys.prefix, python=sys.executable)
