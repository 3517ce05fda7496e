"""An ordinary user's machine, on one where the tests run as root: namespaces of its own, and a user's shell in them.

Its mount namespace has a FUSE device node of its own bound over /dev/fuse, a fuse.conf and a passwd of its own,
and this checkout, this Python and its packages bound to places that every user may read (they may lie below a
directory of mode 0700). Its process namespace ends with it, and so does every daemon in it.

Run as a program it is the first process in there: it obeys JSON lines on its standard input.
"""

from __future__ import annotations

import ctypes
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

UID = 65_001  # nobody's on a usual system, so that nothing is shared with anybody
COMMAND_S = 60.0
FUSE_DEVICE = os.makedev(10, 229)  # linux/miscdevice.h
_BIND, _DETACH = 4096, 2  # MS_BIND of linux/mount.h, MNT_DETACH of sys/mount.h


class Done(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


class World:
    """`home` is the user's, as seen from inside and outside."""

    def __init__(self, process: subprocess.Popen[str], home: Path, place: Path) -> None:
        self._process, self.home, self._place = process, home, place

    def _ask(self, **what: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the user's world ended with {self._process.wait(10)}")
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

    def device(self, mode: int) -> None:
        """Give /dev/fuse this mode."""
        (self._place / "fuse").chmod(mode)

    def named(self, named: bool) -> None:
        """Whether the user has a name."""
        line = f"reader:x:{UID}:{UID}::{self.home}:/bin/sh\n" if named else ""
        (self._place / "passwd").write_text(f"root:x:0:0::/root:/bin/sh\n{line}")

    def conf(self, text: str) -> None:
        """What /etc/fuse.conf says."""
        (self._place / "fuse.conf").write_text(text)


@contextmanager
def world() -> Iterator[World]:
    """Needs root, for mounting and for becoming somebody else."""
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
                *(sys.executable, __file__, str(place), sys.base_prefix, packages),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        made = World(process, home, place)
        made.named(True)
        yield made
    finally:
        if process is not None:
            process.kill()
            process.communicate()
        shutil.rmtree(place)


# ---- inside


def _bind(source: str | Path, target: str | Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(os.fsencode(source), os.fsencode(target), None, _BIND, None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def _let_go() -> None:
    """Drop the copies of others' FUSE mounts that this namespace began with: they would keep their daemons alive."""
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, path, fstype = line.split(" ")[:3]
        if fstype.startswith("fuse."):
            libc.umount2(os.fsencode(path.encode().decode("unicode_escape")), _DETACH)


def _inside(place: Path, base: str, packages: str) -> None:
    _let_go()
    checkout = Path(__file__).parents[2]
    for source, target in (
        (place / "fuse", "/dev/fuse"),
        (place / "fuse.conf", "/etc/fuse.conf"),
        (place / "passwd", "/etc/passwd"),
        (checkout, place / "checkout"),
        (base, place / "base"),
        (packages, place / "packages"),
    ):
        _bind(source, target)
    python = place / "base" / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    environ = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(place / "home"),
        "XDG_RUNTIME_DIR": str(place / "home" / "run"),
        "PATH": os.defpath + ":/usr/sbin:/sbin",
        "PYTHONPATH": f"{place / 'checkout'}:{place / 'packages'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_LIBRARY_PATH": str(place / "base" / "lib"),  # a Python built with --enable-shared
        "LC_ALL": "C.UTF-8",
    }
    for line in sys.stdin:
        asked = json.loads(line)
        argv = [str(python) if word == "python" else word for word in asked["argv"]]
        who: dict[str, Any] = {} if asked["root"] else {"user": UID, "group": UID, "extra_groups": []}
        try:
            done = subprocess.run(
                argv,
                cwd=place / "home",
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_S,
                check=False,
                **who,
            )
            answer: Any = [done.returncode, done.stdout, done.stderr]
        except (OSError, subprocess.TimeoutExpired) as e:
            answer = f"{argv}: {e}"
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _inside(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
