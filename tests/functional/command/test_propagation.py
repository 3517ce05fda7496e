"""A mount that one container makes for its node and others see, as in mountnd/help/k8s/daemonset.yaml.

Mount namespaces play the node, the container that mounts (shared propagation: Bidirectional) and one that reads (slave:
HostToContainer).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.children import killed_after
from tests.support.cli import COMMAND_S, MOUNTND, ROOT, environment
from tests.support.namespaces import LEAVE_OTHERS
from tests.support.tree import Bucket
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to make namespaces"),
]

# The directory of the node's that is a volume of both.
_NODE = LEAVE_OTHERS + 'mount --bind "$1" "$1" && mount --make-rshared "$1" && echo ready && exec sleep 600'
# Lists a directory for each line that comes: what is in it, or the number of the error.
_READER = """
import os, sys
for line in sys.stdin:
    try:
        print(*sorted(os.listdir(line.strip())), flush=True)
    except OSError as e:
        print("error", e.errno, flush=True)
"""


@contextlib.contextmanager
def process(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    one = subprocess.Popen(
        [str(word) for word in words],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield one
    finally:
        one.kill()
        one.communicate(timeout=20)


def container(node: int, propagation: str) -> list[str]:
    """What starts a program in a mount namespace of its own, made from the node's."""
    return ["nsenter", f"--target={node}", "--mount", "unshare", "--mount", f"--propagation={propagation}"]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The process whose namespace is the node's, and the directory that containers share."""
    volume = tmp_path.resolve() / "node"
    volume.mkdir()
    with process("unshare", "--mount", "--propagation=private", "sh", "-c", _NODE, "sh", volume) as one:
        assert one.stdout is not None
        with killed_after(COMMAND_S, one):
            assert one.stdout.readline() == "ready\n"
        yield one.pid, volume


class Reader:
    """A container that reads."""

    def __init__(self, one: subprocess.Popen[str]) -> None:
        self._process = one

    def sees(self, path: Path) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        with killed_after(COMMAND_S, self._process):
            return self._process.stdout.readline().strip()


def test_it_appears_goes_and_comes_back(node: tuple[int, Path], dataset: Bucket, tmp_path: Path) -> None:
    """Also after a crash: the dead mount in the volume is removed by the next start."""
    pid, volume = node
    where = volume / "ds"
    words = [
        *MOUNTND,
        "mount",
        f"s3://{dataset.name}",
        where,
        "--endpoint-url",
        dataset.url,
        "--anonymous",
        "--foreground",
    ]
    words += ["--region", "us-east-1", "--allow-other", "--cache-dir", tmp_path / "cache"]
    with process(*container(pid, "slave"), sys.executable, "-c", _READER) as started:
        reader = Reader(started)
        assert reader.sees(volume) == ""
        with process(*container(pid, "unchanged"), *words) as first:
            wait_until(lambda: "sub-01" in reader.sees(where), "the mount in the container that reads", COMMAND_S)
            first.send_signal(signal.SIGKILL)
            first.wait(20)
            wait_until(lambda: reader.sees(where) == f"error {errno.ENOTCONN}", "a dead mount", COMMAND_S)
        with process(*container(pid, "unchanged"), *words) as second:
            wait_until(lambda: "sub-01" in reader.sees(where), "a mount in its place", COMMAND_S)
            second.send_signal(signal.SIGTERM)
            assert second.wait(COMMAND_S) == 128 + signal.SIGTERM or second.returncode == 0
        assert reader.sees(volume) == "", "the mount is gone, and its directory with it"
