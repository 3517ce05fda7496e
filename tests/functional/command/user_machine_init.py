"""The first process on an ordinary user's machine (`user_machine.py`): sets it up, then obeys lines of JSON on stdin.

    python user_machine_init.py PLACE BASE PACKAGES

PLACE holds the machine's files, `home` among them, whose owner is the user; BASE is this Python's installation,
PACKAGES its site-packages. A line asks for a command `argv` to be run, as the user or as `root`; the answer is a line
[exit code, stdout, stderr], or an error's text.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND_S = 120.0  # the most that one command may take
CHECKOUT = Path(__file__).parents[3]
_BIND, _DETACH = 4096, 2  # MS_BIND of linux/mount.h, MNT_DETACH of sys/mount.h


def _bind(source: str | Path, target: str | Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(os.fsencode(source), os.fsencode(target), None, _BIND, None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def _detach_other_mounts() -> None:
    """Drop the copies of others' FUSE mounts that this namespace began with: they would keep their daemons alive."""
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, path, fstype = line.split(" ")[:3]
        if fstype.startswith("fuse."):
            libc.umount2(os.fsencode(path.encode().decode("unicode_escape")), _DETACH)


def main(place: Path, base: str, packages: str) -> None:
    _detach_other_mounts()
    for source, target in (
        (place / "fuse", "/dev/fuse"),
        (place / "fuse.conf", "/etc/fuse.conf"),
        (place / "passwd", "/etc/passwd"),
        (CHECKOUT, place / "checkout"),
        (base, place / "base"),
        (packages, place / "packages"),
    ):
        _bind(source, target)
    uid = os.stat(place / "home").st_uid
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
        who: dict[str, Any] = {} if asked["root"] else {"user": uid, "group": uid, "extra_groups": []}
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
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
