"""`mountnd exec` by an ordinary user: through fusermount3 where that works, in a namespace of his own where not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest

from tests.support import tree

from .user_machine import UID, Done, UserMachine

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become an ordinary user"),
]

KEY = "sub-01/anat/sub-01_T1w.nii"
BODY = tree.content("t1w", 300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
LOOK = f"""
sha256sum <{{}}/{KEY}
stat -c %u:%g:%A {{}}/{KEY}
id -u
grep -c " {{}} .* fuse.mountnd " /proc/self/mountinfo
grep CapEff /proc/self/status
touch {{}}/new
exit 5
"""
NO_FUSERMOUNT = "Without fusermount3 a user mounts in a namespace of his own, and this kernel allows none"
MOST, ALLOWED = "/proc/sys/user/max_user_namespaces", "user.max_user_namespaces=15000"


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    """What a user types to name the source."""
    tree.Bucket(server, "exec-users").put(KEY, BODY)
    return ["s3://exec-users", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


@pytest.fixture
def without_fusermount3(user: UserMachine) -> Iterator[None]:
    """An empty file, which is no program, stands in its place."""
    path = user.run("sh", "-c", "command -v fusermount3").out.strip()
    bound = user.run("sh", "-c", f"touch {user.home}/nothing && mount --bind {user.home}/nothing {path}", root=True)
    assert bound.code == 0, bound.err
    yield
    assert user.run("umount", path, root=True).code == 0


def looked(done: Done) -> list[str]:
    """What LOOK has printed, after the bytes and the owner were right."""
    assert done.code == 5, done.err
    digest, owner, uid, *rest = done.out.splitlines()
    assert digest.split()[0] == SHA256
    assert (owner, uid) == (f"{UID}:{UID}:-rw-r--r--", str(UID))
    assert "Read-only file system" in done.err
    return rest


def nothing_left(user: UserMachine) -> None:
    assert user.run("grep", "-c", "fuse.mountnd", "/proc/self/mountinfo").out.strip() == "0"
    assert user.run("sh", "-c", "ls -d /tmp/mountnd-exec-users-*").out == ""
    assert list((user.home / "run" / "mountnd").glob("*.json")) == []


def test_through_fusermount3(user: UserMachine, source: list[str]) -> None:
    done = user.mountnd("exec", *source, "--", "sh", "-c", LOOK)
    assert looked(done) == ["1", "CapEff:\t0000000000000000"]
    nothing_left(user)


@pytest.mark.usefixtures("without_fusermount3")
def test_in_a_namespace_of_his_own(user: UserMachine, source: list[str]) -> None:
    """It is the same user, without any right more, and nobody else sees the mount."""
    assert "bad" in user.mountnd("doctor").out
    done = user.mountnd("exec", *source, "--", "sh", "-c", LOOK)
    assert looked(done) == ["1", "CapEff:\t0000000000000000"]
    assert "exit code 5" in done.err
    nothing_left(user)
    script = "grep -c fuse.mountnd /proc/self/mountinfo; grep -c fuse.mountnd /proc/1/mountinfo"
    done = user.mountnd("exec", "-q", *source, user.home / "brains", "--", "sh", "-c", script)
    assert done.out.split() == ["1", "0"], done.err
    assert not (user.home / "brains").exists()


@pytest.mark.usefixtures("without_fusermount3")
def test_everything_works_in_the_namespace(user: UserMachine, source: list[str]) -> None:
    """Verbs that look at the mount, a second one inside, and one that is left behind."""
    user.write_fuse_conf("")
    script = f"""
    python -m mountnd stats {{}} >/dev/null && python -m mountnd ls && python -m mountnd refresh {{}} &&
    python -m mountnd exec -q {" ".join(source)} -- sha256sum {{}}/{KEY} </dev/null
    """.replace("python", user.run("python", "-c", "import sys; print(sys.executable)").out.strip())
    done = user.mountnd("exec", "-q", "--allow-other", *source, "--", "sh", "-c", script.replace("{}/", "{}/", 1))
    assert done.code == 0, done.out + done.err
    assert "ok" in done.out and SHA256 in done.out
    left = "exec 5<{}/" + KEY + "; sleep 600 </dev/null >/dev/null 2>&1 & sleep 0.2; echo $!"
    done = user.mountnd("exec", *source, "--", "sh", "-c", left)
    assert done.code == 0, done.err
    pid = done.out.split()[-1]
    assert f"(pid {pid}, open file)" in done.err
    assert user.run("kill", pid).code == 0
    nothing_left(user)


def test_without_new_privileges(user: UserMachine, source: list[str]) -> None:
    """As in Apptainer, fusermount3 is there and of no use."""
    done = user.run("setpriv", "--no-new-privs", "python", "-m", "mountnd", "exec", *source, "--", "sh", "-c", LOOK)
    looked(done)


def test_a_user_without_a_name(user: UserMachine, source: list[str]) -> None:
    """As in containers that are started with any number: fusermount3 refuses him, the kernel does not."""
    user.name_user(False)
    looked(user.mountnd("exec", *source, "--", "sh", "-c", LOOK))


@pytest.mark.usefixtures("without_fusermount3")
def test_a_kernel_that_allows_no_namespace(user: UserMachine, source: list[str]) -> None:
    """It is said, with the setting that is to be changed where one is known; the command does not run.

    Who lives in another root directory may make none (user_namespaces(7)); the setting is only shown.
    """
    root, zero = user.home / "root", user.home / "zero"
    script = f"mkdir {root} && mount --rbind --make-rslave / {root} && echo 0 > {zero}"
    assert user.run("sh", "-c", script, root=True).code == 0
    inside = ["chroot", f"--userspec={UID}:{UID}", "--groups=", str(root), "python", "-m", "mountnd", "exec"]
    try:
        for setting, why, fix in (
            ("", "Operation not permitted; in a container its seccomp profile may forbid it", "dnf install fuse3)"),
            (f"mount --bind {zero} {root}{MOST}", "user.max_user_namespaces is 0", f"sudo sysctl -w {ALLOWED}"),
        ):
            assert user.run("sh", "-c", setting, root=True).code == 0
            done = user.run(*inside, *source, "--", "echo", "ran", root=True)
            assert (done.code, done.out) == (1, "")
            assert f"{NO_FUSERMOUNT} ({why}). To fix it: sudo apt-get install fuse3" in done.err
            assert done.err.rstrip().endswith(fix)
    finally:
        user.run("sh", "-c", f"umount -l {root} && rm -r {root} {zero}", root=True)
    nothing_left(user)


def test_a_mount_that_only_root_could_make(user: UserMachine, source: list[str]) -> None:
    user.set_device_mode(0o600)
    done = user.mountnd("exec", *source, "--", "echo", "ran")
    assert (done.code, done.out) == (1, "")
    assert "/dev/fuse (mode 0600) is not open to this user" in done.err
    nothing_left(user)
