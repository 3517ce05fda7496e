"""Under an automounter (autofs, x-systemd.automount): the first look at the directory mounts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mountnd.daemon import rundir
from tests.support import tree
from tests.support.cli import COMMAND_S, MOUNTND, ROOT, environment

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to play the automounter"),
]

KEY, BODY = "sub-01/file.txt", b"mounted by a look\n"
# In namespaces of its own: who waits for an automounter that is gone is killed with the first process.
PLAYER = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
PLAYER += [sys.executable, "-m", "tests.functional.command.automounter"]


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    """What a user types to name the source."""
    tree.Bucket(server, "automount").put(KEY, BODY)
    return ["s3://automount", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


def looked_at(where: Path, reader: str, *words: str) -> dict[str, Any]:
    """How the mount and the reader ended."""
    where.mkdir()
    (run := where.parent / "run").mkdir(mode=0o700)
    done = subprocess.run(
        [*PLAYER, str(where), reader, *MOUNTND, *words], cwd=ROOT, env={**environment(), rundir.VARIABLE: str(run)},
        capture_output=True, text=True, timeout=2 * COMMAND_S, check=False,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("this kernel has no autofs")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**report, "err": done.stderr}


@pytest.mark.parametrize("options", [[], ["--allow-other", "-o", "_netdev,x-systemd.automount,nofail"]])
def test_the_first_look_mounts(source: list[str], tmp_path: Path, options: list[str]) -> None:
    where = tmp_path / "brains"
    seen = looked_at(where, f"cat {where}/{KEY}; ls {where}", *source, str(where), *options)
    assert seen["mount"] == 0, seen["err"]
    assert (seen["reader"], seen["said"]) == (0, BODY.decode() + "sub-01\n")


def test_a_source_that_is_not_there_is_an_error_and_no_wait(source: list[str], tmp_path: Path) -> None:
    where = tmp_path / "brains"
    seen = looked_at(where, f"ls {where}", "s3://no-such-bucket", *source[1:], str(where))
    assert seen["mount"] == 1
    assert "no such bucket" in seen["err"]
    assert seen["reader"] != 0
