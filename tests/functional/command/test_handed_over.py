"""`/dev/fd/N` as a mountpoint: a host has opened /dev/fuse and mounted it, and hands over the descriptor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tree
from tests.support.cli import COMMAND_S, MOUNTND, ROOT, environment, run_mountnd

from .fuse_host import GROUP

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to play the host"),
]

KEY = "sub-01/anat/sub-01_T1w.nii"
BODY = b"sixteen letters." + tree.content("handed over", 300_000)
# In a mount namespace of its own: whatever goes wrong, nothing is mounted over this machine's /dev/fuse.
HOST = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.functional.command.fuse_host"]
READS = {"list": ["sub-01_T1w.nii"], "read": "sixteen letters.", "chdir": None, "access r": True}
CHANGES = {
    *("write", "append", "truncate at open", "truncate", "create", "create to read", "mkdir", "mknod", "symlink"),
    *("link", "rename", "unlink", "rmdir", "chmod", "chown", "utime", "setxattr"),
}


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    """What a user types to name the source."""
    tree.Bucket(server, "handed").put(KEY, BODY)
    return ["s3://handed", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


@pytest.fixture
def where() -> Iterator[Path]:
    """A directory that everybody may reach."""
    with tempfile.TemporaryDirectory(prefix="mountnd-host-") as place:
        (path := Path(place) / "mnt").mkdir()
        path.parent.chmod(0o755)
        yield path


def hosted(where: Path, how: str, *words: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """What the host has seen, how it ended, and what the program has said."""
    done = subprocess.run(
        [*HOST, str(where), how, *MOUNTND, *words, "--cache-size", "0"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=2 * COMMAND_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    seen, end = map(json.loads, done.stdout.splitlines())
    return seen, end, done.stderr


@pytest.mark.parametrize("how", ["term", "unmount", "late", "keep"])
def test_it_is_served_and_ends(source: list[str], where: Path, how: str) -> None:
    """At SIGTERM, and when the host unmounts it; nothing else is mounted, and /dev/fuse is what it was."""
    seen, end, said = hosted(where, how, *source, "{}")
    assert seen["files"] == [KEY]
    assert end["code"] == 0, said
    assert end["mounts"] == ([] if how == "unmount" else [str(where)])
    assert "is served, until it is unmounted or SIGTERM comes" in said
    assert "Traceback" not in said
    for user in ("root", "stranger", "member"):
        assert seen[user].items() >= READS.items(), seen[user]


def test_what_would_change_something_is_refused_as_on_a_read_only_file_system(source: list[str], where: Path) -> None:
    """For root, too, of whom the kernel asks nothing."""
    seen, _, _ = hosted(where, "term", *source, "{}", "-f")
    for user in ("root", "stranger"):
        got = {name: seen[user][name] for name in CHANGES}
        assert set(got.values()) == {"EROFS"}, got
        assert not seen[user]["access w"] and not seen[user]["access top w"] and not seen[user]["access x"]


SHUT_OUT = {"list": "EACCES", "read": "EACCES", "chdir": "EACCES", "access r": False}


@pytest.mark.parametrize(
    ("modes", "stranger", "member"),
    [
        (["--file-mode", "0600"], {**READS, "read": "EACCES", "access r": False}, None),
        (["--file-mode", "0640", "--gid", str(GROUP)], {**READS, "read": "EACCES", "access r": False}, READS),
        (["--dir-mode", "0700"], SHUT_OUT, None),
        (["--dir-mode", "0750", "--gid", str(GROUP)], SHUT_OUT, READS),
        (["--dir-mode", "0711"], {**READS, "list": "EACCES"}, None),
        (["--dir-mode", "0755", "--file-mode", "0604", "--gid", str(GROUP)], READS,
         {**READS, "read": "EACCES", "access r": False}),
    ],
)  # fmt: skip
def test_modes_are_checked(
    source: list[str], where: Path, modes: list[str], stranger: dict[str, Any], member: dict[str, Any] | None
) -> None:
    """The kernel was not told to. `member`: None where it is as for any stranger."""
    seen, _, _ = hosted(where, "term", *source, "{}", *modes)
    assert seen["root"].items() >= READS.items()
    assert seen["stranger"].items() >= stranger.items(), seen["stranger"]
    assert seen["member"].items() >= (stranger if member is None else member).items(), seen["member"]


@pytest.mark.parametrize(("fd", "said"), [("77", "/dev/fd/77 is not open"), ("0", "/dev/fd/0 is not the FUSE device")])
def test_a_descriptor_that_is_none(source: list[str], fd: str, said: str) -> None:
    done = run_mountnd(*source, f"/dev/fd/{fd}")
    assert done.returncode == 1
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_a_device_that_nobody_mounts(source: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fd = os.open("/dev/fuse", os.O_RDWR)
    argv = [*MOUNTND, *source, f"/dev/fd/{fd}"]
    try:
        done = subprocess.run(argv, env=environment(), pass_fds=(fd,), capture_output=True, text=True,
                              timeout=COMMAND_S, check=False)  # fmt: skip
    finally:
        os.close(fd)
    assert done.returncode == 1
    assert f"/dev/fd/{fd}: nothing is mounted with it" in done.stderr


def test_exec_takes_none(source: list[str]) -> None:
    done = run_mountnd("exec", *source, "/dev/fd/3", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (2, "")
    assert "leave out `exec`" in done.stderr
