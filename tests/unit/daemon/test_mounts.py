"""What mountinfo says, and how to ask a mount for an answer."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from mountnd.daemon import mounts

TEXT = r"""22 1 0:21 / / rw,relatime - ext4 /dev/root rw
47 22 0:41 / /mnt/with\040space rw,nosuid,nodev,relatime shared:7 master:2 - fuse.mountnd s3://a\134b rw,user_id=1000
48 22 0:42 / /mnt/x rw - fuse.rclone remote: rw,user_id=0,group_id=0
49 22 0:43 / /mnt/x rw - tmpfs tmpfs rw
not a line of it
"""


def test_lines_are_parsed_with_and_without_optional_fields():
    root, spaced, rclone, tmpfs = mounts.parse(TEXT)
    assert (root.path, root.fstype, root.user_id) == (Path("/"), "ext4", None)
    assert (spaced.path, spaced.source, spaced.fstype) == (Path("/mnt/with space"), "s3://a\\b", mounts.FSTYPE)
    assert (spaced.user_id, rclone.user_id, tmpfs.device) == (1000, 0, "0:43")


def test_names_that_are_not_utf8_and_newlines_come_back():
    (mount,) = mounts.parse("1 1 0:1 / /m\\012\udcff rw - fuse x rw\n")
    assert os.fsencode(mount.path) == b"/m\n\xff"


def test_the_topmost_mount_counts(monkeypatch, tmp_path):
    (tmp_path / "info").write_text(TEXT)
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "info")
    found = mounts.mount_at(Path("/mnt/x"))
    assert found is not None
    assert found.fstype == "tmpfs"
    assert mounts.mount_at(Path("/mnt")) is None


def test_resolve_follows_links_to_a_mountpoint_but_not_into_it(monkeypatch, tmp_path):
    tmp_path = tmp_path.resolve()
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "link2").symlink_to(tmp_path / "link")
    assert mounts.resolve(tmp_path / "link2") == real
    assert mounts.resolve(tmp_path / "link" / ".." / "real" / "new") == real / "new"
    info = f"1 1 0:1 / {tmp_path}/link rw - fuse.mountnd x rw\n"
    (tmp_path / "info").write_text(info)
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "info")
    assert mounts.resolve(tmp_path / "link") == tmp_path / "link"
    assert mounts.resolve(tmp_path / "link" / "below") == tmp_path / "link" / "below"


def test_resolve_ends_on_a_loop_of_links(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert mounts.resolve(tmp_path / "a").name in ("a", "b")


def test_a_question_is_answered_by_its_errno(tmp_path):
    assert mounts.probe(tmp_path, 10) == 0
    assert mounts.probe(tmp_path / "none", 10) == errno.ENOENT


def test_a_question_without_an_answer_ends_in_time_and_its_process_too():
    before = set(os.listdir("/proc"))
    assert mounts.call_in_child(lambda: time.sleep(600), 0.05) is None
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not set(children) - before


def test_wait_exit_sees_a_zombie_and_an_unknown_pid():
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    assert mounts.wait_exit(pid, 10)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert mounts.wait_exit(pid, 10)
    assert not mounts.wait_exit(os.getpid(), 0)


LOOP = "1 0 0:1 / / rw - ext4 d rw\n2 1 0:40 / /T/mnt ro - fuse.mountnd s ro,user_id=0\n"


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("mnt", "mnt"),
        ("mnt/a/b", "mnt/a/b"),
        ("link", "mnt"),
        ("link/a", "mnt/a"),
        ("inside", "mnt/sub"),
        ("inside/../x", "x"),  # as the shell means it: `..` is taken before links, as when it was mounted
        ("up", "."),
        ("up/mnt/a", "mnt/a"),
        ("far", "mnt/sub/deep"),
        ("circle/x", "circle/x"),
    ],
)
def test_resolve_never_looks_into_a_mount(tmp_path, monkeypatch, typed, found):
    """The table says that something is mounted at `mnt`, and whatever looks there fails the test."""
    tmp_path = tmp_path.resolve()
    table = tmp_path / "mountinfo"
    table.write_text(LOOP.replace("/T", str(tmp_path)))
    monkeypatch.setattr(mounts, "MOUNTINFO", table)
    for name, target in {
        "link": "mnt",
        "inside": str(tmp_path / "mnt" / "sub"),
        "up": "mnt/..",
        "far": "inside/deep",
        "circle": "circle",
    }.items():
        (tmp_path / name).symlink_to(target)
    looked = []

    def readlink(path, real=os.readlink):
        looked.append(str(path))
        return real(path)

    monkeypatch.setattr(os, "readlink", readlink)
    assert mounts.resolve(tmp_path / typed) == Path(os.path.normpath(tmp_path / found))
    assert not [path for path in looked if Path(path).is_relative_to(tmp_path / "mnt")]
