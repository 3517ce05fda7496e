"""An ordinary user's machine, on one where the tests run as root: namespaces of its own, and commands run in them.

Its mount namespace has a FUSE device node of its own bound over /dev/fuse, a fuse.conf and a passwd of its own,
and this checkout, this Python and its packages bound to places that every user may read (they may lie below a
directory of mode 0700). Its process namespace ends with it, and so does every daemon in it.

`user_machine_init.py` is the first process in there and runs the commands.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.children import killed_after

from . import user_machine_init
from .user_machine_init import COMMAND_S

# Nobody's on a usual system, and no other worker's: /tmp, where a user's run directory may be, is everybody's.
UID = 64_000 + os.getpid() % 1000
ANSWER_S = 30.0  # what the start and the answer of a command may take beside the command
FUSE_DEVICE = os.makedev(10, 229)  # linux/miscdevice.h


class Done(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


class UserMachine:
    """A machine with one ordinary user.

    Attributes:
        home: the user's home directory, the same path from inside and from outside.
    """

    def __init__(self, process: subprocess.Popen[str], home: Path, place: Path) -> None:
        self._process, self.home, self._place = process, home, place

    def _ask(self, **what: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        with killed_after(COMMAND_S + ANSWER_S, self._process):
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the user's machine ended with {self._process.wait(10)}")
        answer = json.loads(line)
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer

    def run(self, *argv: str | Path, root: bool = False) -> Done:
        """Run a command to its end, as the user or as root."""
        return Done(*self._ask(verb="run", argv=[str(a) for a in argv], root=root))

    def mountnd(self, *args: str | Path) -> Done:
        """The real command, as the user."""
        return self.run("python", "-m", "mountnd", *args)

    def set_device_mode(self, mode: int) -> None:
        """Give /dev/fuse this mode."""
        (self._place / "fuse").chmod(mode)

    def name_user(self, named: bool) -> None:
        """Give the user a name in /etc/passwd, or none."""
        line = f"reader:x:{UID}:{UID}::{self.home}:/bin/sh\n" if named else ""
        (self._place / "passwd").write_text(f"root:x:0:0::/root:/bin/sh\n{line}")

    def write_fuse_conf(self, text: str) -> None:
        """Replace the content of /etc/fuse.conf."""
        (self._place / "fuse.conf").write_text(text)


@contextmanager
def user_machine() -> Iterator[UserMachine]:
    """A machine, ended with all its processes. Needs root, for mounting and for becoming somebody else."""
    place = Path(tempfile.mkdtemp(prefix="mountnd-user-"))
    process: subprocess.Popen[str] | None = None
    try:
        place.chmod(0o755)
        home = place / "home"
        home.mkdir(0o755)
        (home / "run").mkdir(0o700)
        for path in (home, home / "run"):
            os.chown(path, UID, UID)
        os.mknod(place / "fuse", stat.S_IFCHR | 0o600, FUSE_DEVICE)
        (place / "fuse").chmod(0o666)
        for name in ("fuse.conf", "passwd"):
            (place / name).touch(0o644)
        for name in ("checkout", "base", "packages"):
            (place / name).mkdir()
        packages = sysconfig.get_path("purelib")
        process = subprocess.Popen(
            [
                *["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"],
                *(sys.executable, user_machine_init.__file__, str(place), sys.base_prefix, packages),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        machine = UserMachine(process, home, place)
        machine.name_user(True)
        yield machine
    finally:
        if process is not None:
            process.kill()
            process.communicate(timeout=ANSWER_S)
        shutil.rmtree(place)
