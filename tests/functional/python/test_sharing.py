"""`SharedMount`: processes of a node share a mount, which ends with the last of them, however that ends."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import mountnd
from mountnd.api import SharedMount
from mountnd.daemon import mounts, rundir
from mountnd.errors import MountError, UsageError
from tests.support import cli, tree
from tests.support.children import killed_after
from tests.support.cli import ROOT, environment, is_mounted
from tests.support.tree import Bucket
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kernel

LIMIT_S = 90.0
# Holds a mount until it is told to leave (a line), and tells where it is; or what was wrong.
HOLDER = """
import json, sys
from mountnd.api import SharedMount
from mountnd.errors import MountndError
shared = SharedMount(**json.loads(sys.argv[1]))
try:
    root = shared.hold()
except MountndError as e:
    print(json.dumps({"error": str(e)}), flush=True)
    sys.exit()
print(json.dumps({"root": str(root), "names": sorted(path.name for path in root.iterdir())}), flush=True)
if sys.stdin.readline():
    shared.leave()
    print("left", flush=True)
"""


@pytest.fixture
def given(dataset: Bucket, tmp_path: Path) -> dict[str, Any]:
    """What names the source, and options."""
    return {
        "source": f"s3://{dataset.name}", "endpoint_url": dataset.url, "anonymous": True, "region": "us-east-1",
        "cache_dir": str(tmp_path / "cache"),
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = {record.mountpoint for record in rundir.records()}
    yield
    left = [record for record in rundir.records() if record.mountpoint not in before]
    for record in left:
        subprocess.run(["fusermount3", "-u", "-z", record.mountpoint], check=False, capture_output=True, timeout=20)
    assert left == []


class Held:
    """A process that holds a mount."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def told(self) -> Any:
        """What it says next."""
        assert self.process.stdout is not None
        with killed_after(LIMIT_S, self.process):
            return json.loads(self.process.stdout.readline())

    def leave(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        with killed_after(LIMIT_S, self.process):
            assert self.process.stdout.readline() == "left\n"


@contextmanager
def holding(*asked: dict[str, Any]) -> Iterator[list[Held]]:
    """A process for each of `asked`, all started at once."""
    started = []
    try:
        for one in asked:
            process = subprocess.Popen(
                [sys.executable, "-c", HOLDER, json.dumps(one)], cwd=ROOT, env=environment(), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            started.append(Held(process))
        yield started
    finally:
        for held in started:
            held.process.kill()
            held.process.communicate(timeout=20)


def ended(path: Path) -> None:
    wait_until(lambda: rundir.find(path) is None and not is_mounted(path), f"the end of the mount at {path}", 60.0)


def test_many_that_begin_at_once_share_one_mount(given: dict[str, Any], tmp_path: Path) -> None:
    at = tmp_path / "shared"
    with holding(*[{**given, "at": str(at)}] * 5) as held:
        assert [one.told() for one in held] == [{"root": str(at), "names": sorted(tree.DIRECTORIES[""])}] * 5
        record = cli.daemon_record(at)
        stands = [one for one in mounts.mounts() if one.path == at]
        assert len(stands) == 1
        for one in held[:4]:
            one.leave()
            assert is_mounted(at)
        held[4].leave()
        assert not is_mounted(at) and not record.alive()
    assert at.is_dir() and not list(at.iterdir()), "a directory that was named stays"


def test_whoever_mounted_may_be_killed(given: dict[str, Any], tmp_path: Path) -> None:
    at = tmp_path / "shared"
    with holding({**given, "at": str(at)}) as first:
        first[0].told()
        with holding({**given, "at": str(at)}) as second:
            assert "names" in second[0].told()
            first[0].process.kill()
            first[0].process.wait(20)
            assert is_mounted(at) and (at / tree.BIG).read_bytes() == tree.content(tree.BIG, tree.BIG_SIZE)
            second[0].process.send_signal(signal.SIGKILL)
            second[0].process.wait(20)
            ended(at)


def running() -> set[str]:
    """Where mounts are; those of other tests of this process's among them."""
    return {one["mountpoint"] for one in mountnd.mounts() if one["state"] == "ok"}


def test_a_private_directory_is_shared_by_copies(given: dict[str, Any]) -> None:
    before = running()
    shared = SharedMount(**given)
    copy = pickle.loads(pickle.dumps(shared))
    with pytest.raises(MountError, match="choose the directory"):
        _ = copy.path
    with shared as root:
        assert copy.path == root == Path(shared) and (copy / "sub-01").is_dir() and f"at {root}" in repr(shared)
        with copy as again:
            assert again == root
        assert is_mounted(root), "who entered first has not left"
        with SharedMount(**given) as other:
            assert other != root, "which is no copy"
        assert running() - before == {str(root)}
    assert not root.exists() and "not held here" in repr(shared)
    with shared as root:  # again
        assert (root / "sub-01").is_dir()


def test_the_end_of_an_interpreter_and_a_fork(given: dict[str, Any], tmp_path: Path) -> None:
    """A forked child's end is not its parent's; one that never says that it leaves leaves at its end."""
    code = """
    import json, os, sys
    from mountnd.api import SharedMount
    shared = SharedMount(**json.loads(sys.argv[1]))
    root = shared.hold()
    if (pid := os.fork()) == 0:
        assert (root / "sub-01").is_dir()
        sys.exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    print(root, (root / "sub-01").is_dir())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), json.dumps(given)], cwd=ROOT, env=environment(),
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    root, stood = done.stdout.split()
    assert stood == "True" and not Path(root).exists()


def test_a_daemon_that_is_killed_is_replaced(given: dict[str, Any], tmp_path: Path) -> None:
    at = tmp_path / "shared"
    with holding(*[{**given, "at": str(at)}] * 2) as held:
        for one in held:
            one.told()
        first = cli.daemon_record(at)
        os.kill(first.pid, signal.SIGKILL)

        def is_there_again() -> bool:
            record = rundir.find(at)
            return record is not None and record.pid != first.pid and record.alive() and bool(record.device)

        wait_until(is_there_again, "a mount in place of the one that was killed", 60.0)
        assert (at / "sub-01").is_dir()
        for one in held:
            one.leave()
        assert not is_mounted(at)


def test_what_is_mounted_there_otherwise(given: dict[str, Any], tmp_path: Path) -> None:
    """The same source by hand is used, and stays; another one is in the way, and what shared mounts show, too."""
    at = tmp_path / "there"
    options = {name: value for name, value in given.items() if name != "source"}
    with mountnd.mount(given["source"], at, **options):
        with SharedMount(**given, at=at) as root:
            assert root == at and (root / "sub-01").is_dir()
        assert is_mounted(at)
        with pytest.raises(MountError, match=r"there shows s3://dataset already; choose another directory \(at=...\)"):
            SharedMount(**{**given, "source": f"{given['source']}/sub-01"}, at=at).hold()
    with SharedMount(**given, at=at):
        elsewhere = SharedMount(**{**given, "source": f"{given['source']}/sub-01"}, at=at)
        with pytest.raises(MountError, match="shows s3://dataset already"):
            elsewhere.hold()


def test_what_is_open_when_the_last_one_leaves_can_be_read_on(given: dict[str, Any]) -> None:
    with ExitStack() as stack:
        with SharedMount(**given) as root:
            file = stack.enter_context((root / tree.BIG).open("rb"))
            file.read(10)
        assert not is_mounted(root)
        assert file.read() == tree.content(tree.BIG, tree.BIG_SIZE)[10:]
    ended(root)


def test_what_is_wrong_is_said(given: dict[str, Any], tmp_path: Path) -> None:
    def of(**more: Any) -> SharedMount:
        return SharedMount(**{**given, **more})

    for wrong, said in (
        ({"source": ""}, "say what to mount"),
        ({"source": []}, "say what to mount"),
        ({"at": "here"}, "name an absolute path"),
        ({"memry": "2G"}, "memry: no such option: did you mean memory"),
        ({"foreground": True}, "always in the background"),
    ):
        with pytest.raises(UsageError, match=said):
            of(**wrong)
    with pytest.raises(UsageError, match="memory: 'a lot' is not a size"):
        of(memory="a lot").hold()
    with pytest.raises(UsageError, match="no-such-source"):
        of(source="no-such-source").hold()
    with pytest.raises(MountError, match="no such bucket"):
        of(source="s3://no-such-bucket").hold()
    with pytest.raises(MountError, match="is missing"):
        of(at=tmp_path / "missing/too").hold()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(MountError, match="is not empty"):
        of(at=tmp_path / "full").hold()
