"""An ordinary user, which is what most are, mounts, reads and unmounts through fusermount3."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.support import caches, tree
from tests.support.servers import free_port

from .user_machine import UID, UserMachine

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
    assert user.run("stat", "-c", "%u:%g %A", where / KEY).out.strip() == f"{UID}:{UID} -rw-r--r--"
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
    assert "/dev/fuse (mode 0600) is not open to this user\nfix   sudo chmod 0666 /dev/fuse\n" in done.out


def test_a_user_without_a_name(user: UserMachine, source: list[str]) -> None:
    """As in containers that are started with any number: fusermount3 then refuses to mount."""
    user.name_user(False)
    done = user.mountnd(*source, user.home / "brains")
    assert done.code == 1
    assert f"user {UID} has no name" in done.err
    assert "/etc/passwd" in done.err


WITHOUT_HOME = ("env", "-u", "HOME", "-u", "XDG_RUNTIME_DIR")


@pytest.mark.parametrize("home", ["none", "root's", "relative"])
def test_commands_of_a_user_without_a_name_and_a_home(user: UserMachine, home: str) -> None:
    """Nothing is made below a directory called `~`, and nothing is looked for in somebody else's home."""
    user.name_user(False)
    env = [*WITHOUT_HOME, *{"none": (), "root's": ("HOME=/root",), "relative": ("HOME=home",)}[home]]
    for verb, code, said in (
        (["config"], 0, "this user has no home directory"),
        (["config", "openneuro", "/mnt/x"], 0, "Nothing is cached on disk: this user has no home directory"),
        (["presets"], 0, "openneuro"),
        (["cache"], 2, "name one with --cache-dir DIR"),
        (["cache", "--cache-dir", user.home / "cache"], 0, "empty"),
        (["doctor"], 1, f"run directory /tmp/mountnd-{UID}"),
        (["umount", user.home / "none"], 1, "is not mounted"),
        (["openneuro", user.home / "brains"], 1, f"user {UID} has no name"),
        (["config", "--cache-dir", "~/cache"], 2, "write it without ~, or set HOME"),
    ):
        done = user.run(*env, "python", "-m", "mountnd", *verb)
        assert done.code == code, (verb, done)
        assert said in " ".join((done.out + done.err).split()), (verb, done)
        assert "internal error" not in done.err
    assert user.run("test", "-e", user.home / "~").code == 1


def test_a_mount_without_home(user: UserMachine, source: list[str]) -> None:
    """A user who is named has the home of the user database; one whose HOME is root's has it, too."""
    where = user.home / "brains"
    for env in (WITHOUT_HOME, (*WITHOUT_HOME, "HOME=/root")):
        done = user.run(*env, "python", "-m", "mountnd", *source, where)
        assert done.code == 0, done.err
        assert user.run("sha256sum", where / KEY).out.split()[0] == _sha256()
        assert user.run(*env, "python", "-m", "mountnd", "stats", where).code == 0
        done = user.run(*env, "python", "-m", "mountnd", "umount", where)
        assert (done.code, done.err) == (0, "")
        assert user.run("ls", user.home / ".cache" / "mountnd").out.split() == ["blocks", "names"]


def test_a_cache_that_may_not_be_written(user: UserMachine, source: list[str]) -> None:
    """It goes on in memory; of names and of data it says so once."""
    where, cache = user.home / "brains", user.home / "closed"
    user.run("install", "-d", "-m", "0700", cache, root=True)
    for size in ((), ("--cache-size", "1G")):
        done = user.mountnd(*source, where, "--cache-dir", cache, *size)
        assert done.code == 0, done.err
        for _ in range(3):
            assert user.run("sha256sum", where / KEY).out.split()[0] == _sha256()
        assert user.mountnd("umount", where).code == 0
    log = next((user.home / "run" / "mountnd").glob("*.log")).read_text()
    said = [line for line in log.splitlines() if "Permission denied" in line]
    assert 1 <= len(said) <= 3, log
    assert all("WARNING" in line for line in said)


def test_a_config_that_may_not_be_read(user: UserMachine, source: list[str]) -> None:
    folder = user.home / ".config" / "mountnd"
    user.run("install", "-D", "-m", "0600", "/dev/null", folder / "config.toml", root=True)
    for path, mode, line in (
        (folder / "config.toml", "0600", "cannot read the config file: Permission denied"),
        (folder, "0700", "cannot look for the config file: Permission denied; name another with --config"),
    ):
        user.run("chmod", mode, path, root=True)
        for verb in (["config"], [*source, user.home / "brains"]):
            done = user.mountnd(*verb)
            assert done.code == 2
            assert done.err == f"mountnd: {folder / 'config.toml'}: {line}\n"
    user.run("rm", "-r", folder, root=True)


def test_a_runtime_directory_that_may_not_be_written(user: UserMachine, source: list[str]) -> None:
    """The next place is taken; and where no place is left, each is named with what is wrong with it."""
    where, run = user.home / "brains", user.home / "closed-run"
    user.run("install", "-d", "-m", "0500", run)
    env = ("env", f"XDG_RUNTIME_DIR={run}", "python", "-m", "mountnd")
    done = user.run(*env, *source, where)
    assert done.code == 0, done.err
    assert user.run(*env, "stats", where).code == 0
    assert user.run(*env, "umount", where).code == 0
    user.run("sh", "-c", f"rm -r /tmp/mountnd-{UID}; install -d -m 0755 /tmp/mountnd-{UID}", root=True)
    done = user.run(*env, *source, where)
    assert done.code == 1
    assert f"{run}/mountnd: Permission denied" in done.err
    assert f"/tmp/mountnd-{UID} is not a directory of user {UID} with mode 0700" in done.err
    assert not where.exists()
    user.run("rm", "-r", f"/tmp/mountnd-{UID}", root=True)


def test_doctor_is_content_with_a_machine_where_it_works(user: UserMachine) -> None:
    done = user.mountnd("doctor")
    assert done.code == 0, done.out + done.err
    assert "bad" not in done.out


@pytest.mark.parametrize("hidden", [False, True])
def test_a_daemon_that_hangs_is_ended_by_its_user(user: UserMachine, source: list[str], hidden: bool) -> None:
    """Its memory is closed to its user, and with hidepid=2 all of /proc/PID; it can be ended all the same."""
    where = user.home / "brains"
    if hidden:
        assert user.run("mount", "-o", "remount,hidepid=2", "/proc", root=True).code == 0
    try:
        assert user.mountnd(*source, where).code == 0
        pid = user.run("sh", "-c", f"cat {user.home}/run/mountnd/*.json").out.split('"pid": ')[1].split(",")[0]
        assert user.run("cat", f"/proc/{pid}/environ").code != 0  # where a child's keys would stand
        assert user.mountnd("stats", where).code == 0
        assert user.mountnd("doctor").out.count(str(where)) >= 1
        assert user.run("sh", "-c", f"kill -STOP {pid}").code == 0
        done = user.mountnd("umount", "--lazy", where)
        assert done.code == 0
        assert user.run("grep", "-F", f" {where} ", "/proc/self/mountinfo").out == ""
        if hidden:
            # Whether the number is still the same process cannot be seen; then nothing is killed on suspicion.
            assert f"kill -9 {pid}" in done.err
            user.run("kill", "-9", pid, root=True)
        else:
            assert "was stopped and was killed" in done.err
            _nothing_left(user, where)
    finally:
        if hidden:
            user.run("mount", "-o", "remount,hidepid=0", "/proc", root=True)


# Runs a cache-server, reads ten bytes through it, and ends it: URL HOST ETAG LOG OPTION...
CACHE = """
import subprocess, sys, time, urllib.request
url, host, etag, log, *options = sys.argv[1:]
with open(log, "w") as out:
    command = [sys.executable, "-m", "mountnd", "cache-server", *options]
    process = subprocess.Popen(command, stdout=out, stderr=out)
for _ in range(600):
    if "--via" in open(log).read() or process.poll() is not None:
        break
    time.sleep(0.1)
headers = {"Host": host, "If-Match": etag, "Range": "bytes=0-9"}
try:
    print(urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30).read().hex())
finally:
    process.terminate()
    print("ended with", process.wait(30), open(log).read())
"""


def test_runs_a_cache(user: UserMachine, server: str, source: list[str]) -> None:
    """nginx needs no rights for it: `mountnd cache-server`, read once through it, and ended."""
    caches.needs("nginx")
    port, etag = free_port(), f'"{hashlib.md5(BODY).hexdigest()}"'
    asked = (f"http://127.0.0.1:{port}/users/{KEY}", server.removeprefix("http://"), etag, user.home / "log")
    options = [word for word in source if word != "--anonymous"]
    done = user.run("python", "-c", CACHE, *asked, *options, "--listen", str(port), "--dir", user.home / "ring")
    read, ended, *_ = [*done.out.splitlines(), "", ""]
    assert (read, ended[:12]) == (BODY[:10].hex(), "ended with 0"), (done.out, done.err)
