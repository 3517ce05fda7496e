"""The Python code of the help and of README, run as it stands there, against a server on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.promises.blocks import blocks
from tests.support import cli
from tests.support.local_openneuro import local_openneuro

PAGES = [(cli.ROOT / page).read_text() for page in ("mountnd/help/python.md", "README.md")]
BLOCKS = [block for page in PAGES for block in blocks(page) if block.language == "python"]
# What it prints, by words of the block.
SAYS = {
    "register_plugin": "[(160, 192, 160), (160, 192, 160)]",
    "nibabel.load": "(160, 192, 160)",
    "fsspec.filesystem": "openneuro/ds000001/sub-01/anat/sub-01_T1w.nii.gz",
    "root.iterdir": "'participants.tsv', 'sub-01'",
    "SharedMount": "True",
}


@pytest.mark.kernel
def test_each_block_runs(tmp_path: Path) -> None:
    assert len(BLOCKS) == len(SAYS)
    with local_openneuro() as url:
        env = {**cli.environment(), "HOME": str(tmp_path), "MOUNTND_ENDPOINT_URL": url, "MOUNTND_REGION": "us-east-1"}
        for block in BLOCKS:
            done = subprocess.run(
                [sys.executable, "-c", block.text], cwd=tmp_path, env=env, capture_output=True, text=True,
                timeout=cli.COMMAND_S, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert next(text for words, text in SAYS.items() if words in block.text) in done.stdout
            assert "Traceback" not in done.stderr
