"""A missing package is named with the command that adds it to this installation."""

from __future__ import annotations

import sys

import pytest

from mountnd import installation


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("/home/me/.local/share/pipx/venvs/mountnd", "pipx inject mountnd gcsfs"),
        ("/home/me/.local/pipx/venvs/mountnd", "pipx inject mountnd gcsfs"),
        ("/home/me/.local/share/uv/tools/mountnd", "uv tool install --with gcsfs mountnd"),
        ("/home/me/my tools/.venv", "'/home/me/my tools/.venv/bin/python' -m pip install gcsfs"),
        ("/usr", "/usr/bin/python -m pip install gcsfs"),
    ],
)
def test_the_command_is_for_this_installation(prefix: str, said: str) -> None:
    assert installation.command(["gcsfs"], prefix=prefix, python=f"{prefix}/bin/python") == said


def test_several_packages_and_this_process() -> None:
    assert installation.here(["moto[server]", "nibabel"]).endswith("'moto[server]' nibabel")
    assert sys.executable in installation.here(["x"]) or "inject" in installation.here(["x"])
