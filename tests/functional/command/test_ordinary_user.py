"""An ordinary user, which is what most are, mounts, reads and unmounts through fusermount3."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tree

from .user_machine import UID, UserMachine, user_machine

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become an ordinary user"),
]

KEY = "sub-01/anat/sub-01_T1w.nii"
BODY = tree.content("t1w", 300_000)


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    """What a user types to name the source."""
    tree.Bucket(server, "users").put(KEY, BODY)
    return ["s3://users", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


@pytest.fixture(scope="module")
def shared() -> Iterator[UserMachine]:
    with user_machine() as machine:
        yield machine


@pytest.fixture
def user(shared: UserMachine) -> Iterator[UserMachine]:
    """The user's machine, with nothing mounted in it before and after."""
    yield shared
    shared.set_device_mode(0o666)
    shared.write_fuse_conf("")
    shared.name_user(True)
    shared.run("sh", "-c", "for m in $(grep -o '[^ ]*/home/[^ ]*' /proc/mounts); do umount -l $m; done", root=True)


def test_mounts_reads_and_unmounts(user: UserMachine, source: list[str]) -> None:
    where = user.home / "brains"
    done = user.mountnd(*source, where)
    assert done.code == 0, done.err
    assert "no other user" not in done.err
    mount = user.run("grep", str(where), "/proc/self/mountinfo").out
    assert "fuse.mountnd s3://users" in mount
    assert f"user_id={UID},group_id={UID}" in mount
    assert user.run("find", where, "-type", "f").out.split() == [str(where / KEY)]
    code = "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())"
    assert user.run("python", "-c", code, where / KEY).out.strip() == _sha256()
    assert user.run("stat", "-c", "%u:%g %A", where / KEY).out.strip() == f"{UID}:{UID} -r--r--r--"
    # Not even root looks into it: that is FUSE's rule, and what --allow-other is for.
    assert "Permission denied" in user.run("ls", where, root=True).err
    done = user.mountnd("umount", where)
    assert (done.code, done.err) == (0, "")
    _nothing_left(user, where)


def _sha256() -> str:
    return hashlib.sha256(BODY).hexdigest()


def _nothing_left(user: UserMachine, where: Path) -> None:
    assert user.run("grep", "-F", f" {where} ", "/proc/self/mountinfo").out == ""
    assert not where.exists()
    assert list((user.home / "run" / "mountnd").glob("*.json")) == []


def test_fusermount3_by_hand(user: UserMachine, source: list[str]) -> None:
    where = user.home / "brains"
    assert user.mountnd(*source, where).code == 0
    assert user.run("fusermount3", "-u", where).code == 0
    # The daemon takes the directory away a moment later.
    assert user.run("timeout", "40", "sh", "-c", f"while [ -e {where} ]; do sleep 0.05; done").code == 0
    _nothing_left(user, where)


def test_a_busy_mount_and_lazy_umount(user: UserMachine, source: list[str]) -> None:
    where = user.home / "brains"
    assert user.mountnd(*source, where).code == 0
    script = f"cd {where}/sub-01; sleep 600 </dev/null >/dev/null 2>&1 & echo $!"
    pid = user.run("sh", "-c", script).out.strip()
    done = user.mountnd("umount", where)
    assert done.code == 1
    assert f"sleep (pid {pid}, working directory)" in done.err
    assert user.mountnd("umount", "--lazy", where).code == 0
    assert user.run("kill", pid).code == 0
    _nothing_left(user, where)


def test_a_dead_mount_is_replaced(user: UserMachine, source: list[str]) -> None:
    where = user.home / "brains"
    assert user.mountnd(*source, where).code == 0
    record = next((user.home / "run" / "mountnd").glob("*.json")).read_text()
    pid = record.partition('"pid": ')[2].partition(",")[0]
    assert user.run("kill", "-9", pid).code == 0
    done = user.mountnd(*source, where)
    assert done.code == 0, done.err
    assert "left behind by a mountnd that died" in done.err
    assert user.run("sha256sum", where / KEY).out.split()[0] == _sha256()
    assert user.mountnd("umount", where).code == 0
    _nothing_left(user, where)


def test_root_unmounts_for_a_user(user: UserMachine, source: list[str]) -> None:
    where = user.home / "brains"
    assert user.mountnd(*source, where).code == 0
    done = user.run("python", "-m", "mountnd", "umount", where, root=True)
    assert done.code == 0, done.err
    assert user.run("timeout", "40", "sh", "-c", f"while [ -e {where} ]; do sleep 0.05; done").code == 0


def test_a_mountpoint_that_belongs_to_root(user: UserMachine, source: list[str]) -> None:
    done = user.mountnd(*source, "/usr/brains")
    assert done.code == 1
    assert "sudo install -d -o $USER /usr/brains" in done.err
    assert "mountnd ~/brains" in done.err
    done = user.mountnd(*source, "/opt")
    assert done.code == 1
    assert "not" in done.err


def test_allow_other_needs_root_to_allow_it(user: UserMachine, source: list[str]) -> None:
    where = user.home / "brains"
    done = user.mountnd(*source, where, "--allow-other")
    assert done.code == 1
    assert "/etc/fuse.conf has no user_allow_other" in done.err
    assert "echo user_allow_other | sudo tee -a /etc/fuse.conf" in done.err
    assert not where.exists()
    user.write_fuse_conf("user_allow_other\n")
    done = user.mountnd(*source, where, "--allow-other")
    assert done.code == 0, done.err
    assert user.run("sha256sum", where / KEY, root=True).out.split()[0] == _sha256()
    assert user.mountnd("umount", where).code == 0


def test_a_device_that_only_root_may_open(user: UserMachine, source: list[str]) -> None:
    user.set_device_mode(0o600)
    where = user.home / "brains"
    done = user.mountnd(*source, where)
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        "mountnd: /dev/fuse (mode 0600) is not open to this user. To fix it: sudo chmod 0666 /dev/fuse"
    )
    assert not where.exists()
    done = user.mountnd("doctor")
    assert done.code == 1
    assert "/dev/fuse (mode 0600) is not open to this user\n      sudo chmod 0666 /dev/fuse\n" in done.out


def test_a_user_without_a_name(user: UserMachine, source: list[str]) -> None:
    """As in containers that are started with any number: fusermount3 then refuses to mount."""
    user.name_user(False)
    done = user.mountnd(*source, user.home / "brains")
    assert done.code == 1
    assert f"user {UID} has no name" in done.err
    assert "/etc/passwd" in done.err


def test_doctor_is_content_with_a_machine_where_it_works(user: UserMachine) -> None:
    done = user.mountnd("doctor")
    assert done.code == 0, done.out + done.err
    assert "bad" not in done.out
