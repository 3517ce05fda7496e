"""What README and the help tell to type, typed: in a shell, as it stands there, against a server on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises.blocks import Block, blocks
from tests.promises.statements import pages
from tests.support import cli
from tests.support.local_openneuro import local_openneuro

BLOCKS = [
    pytest.param(block, id=f"{page}:{block.line}")
    for page, text in pages(cli.ROOT)
    for block in blocks(text)
    if block.mark == "run"
]
# What must stand on the screen, by words of the block.
SAYS = {
    "nibabel.load": ["sub-01_T1w.nii.gz\n", "(160, 192, 160)\n"],
    "_MOUNTND_COMPLETE": [],
    "bytes.fetched": [" bytes, ", " GETs, ", " LISTs\n"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with local_openneuro() as url:
        yield url


@pytest.mark.kernel
@pytest.mark.parametrize("block", BLOCKS)
def test_what_is_to_be_typed_works(block: Block, server: str, tmp_path: Path) -> None:
    """The shell has `mountnd` and its Python on PATH, as after `. .venv/bin/activate`."""
    environ = {
        **cli.environment(),
        "HOME": str(tmp_path),
        "MOUNTND_ENDPOINT_URL": server,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    with cli.mountpoint(tmp_path / "openneuro"):
        done = subprocess.run(
            ["bash", "-e", "-c", block.text],
            cwd=tmp_path,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=cli.COMMAND_S,
            check=False,
        )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    wanted = next(texts for words, texts in SAYS.items() if words in block.text)
    for text in wanted:
        assert text in done.stdout
    assert not (tmp_path / "openneuro").exists(), "it was unmounted, and the directory made for it removed"


def test_something_is_typed() -> None:
    assert BLOCKS
