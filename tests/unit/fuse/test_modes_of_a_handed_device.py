"""Who may do what by the mode bits: as the kernel would say, for files and directories that really are there."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mountnd.fuse.permissions import Caller, groups_of, may
from mountnd.vfs.inodes import Attributes

OWNER, GROUP, MEMBER, OTHER = 65_010, 65_011, 65_012, 65_013
MODES = [0o000, 0o400, 0o040, 0o004, 0o100, 0o010, 0o001, 0o644, 0o755, 0o604, 0o074, 0o700, 0o750, 0o711]

# Prints what a user may do with paths: UID GROUPS... -- PATH...
ASK = """
import json, os, sys
at = sys.argv.index("--")
uid, *groups = map(int, sys.argv[1:at])
os.setgroups(groups)
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
wants = (os.R_OK, os.X_OK, os.R_OK | os.X_OK)
print(json.dumps([[os.access(path, wanted) for wanted in wants] for path in sys.argv[at + 1:]]))
"""


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become other users")
@pytest.mark.parametrize(("uid", "groups"), [(OWNER, []), (MEMBER, [GROUP]), (OTHER, []), (0, []), (OWNER, [GROUP])])
def test_as_the_kernel_says(uid: int, groups: list[int]) -> None:
    paths = []
    with tempfile.TemporaryDirectory() as where:  # which everybody may reach
        place = Path(where)
        place.chmod(0o755)
        for mode in MODES:
            for kind in ("file", "directory"):
                path = place / f"{kind}-{mode:o}"
                path.touch() if kind == "file" else path.mkdir()
                os.chown(path, OWNER, GROUP)
                path.chmod(mode)
                paths.append(path)
        words = [str(uid), *map(str, groups), "--", *map(str, paths)]
        done = subprocess.run(
            [sys.executable, "-c", ASK, *words], capture_output=True, text=True, check=True, timeout=60
        )
        caller = Caller(uid, uid, lambda: groups)
        for path, kernel in zip(paths, json.loads(done.stdout), strict=True):
            info = path.stat()
            of = Attributes(1, info.st_mode, 1, info.st_uid, info.st_gid, 0, 0)
            ours = [may(caller, wanted, of) for wanted in (os.R_OK, os.X_OK, os.R_OK | os.X_OK)]
            assert ours == kernel, (path.name, stat.filemode(info.st_mode))


def test_the_groups_of_a_process() -> None:
    assert groups_of(os.getpid()) == frozenset(os.getgroups())
    assert groups_of(0) == groups_of(-1) == groups_of(2**22 + 1) == frozenset()
