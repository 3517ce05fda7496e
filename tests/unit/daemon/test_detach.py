"""Into the background with the three streams closed, as `>&- 2>&- <&-` leaves them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PROGRAM = """
import os, sys
for fd in map(int, sys.argv[2].split(",")):
    os.close(fd)
sys.stdin = sys.stdout = sys.stderr = None
from mountnd.daemon import detach
def work(report):
    report.say(" ".join(os.readlink(f"/proc/self/fd/{fd}") + str(os.get_inheritable(fd)) for fd in range(3)))
    report.ready()
    return 0
child = detach.detach(work)
said = []
detach.await_ready(child, 30, "log", said.append)
os.waitpid(child.pid, 0)
open(sys.argv[1], "w").write("\\n".join(said))
"""


@pytest.mark.parametrize("closed", ["0", "1", "2", "0,1", "1,2", "0,2", "0,1,2"])
def test_the_childs_streams_are_the_null_device_whatever_the_parents_are(tmp_path: Path, closed: str) -> None:
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", PROGRAM, str(out), closed], cwd=ROOT, timeout=60, check=True)
    assert out.read_text() == " ".join(["/dev/nullTrue"] * 3)
