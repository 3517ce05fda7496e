"""The processes behind a mount from Python: the command that mounts, and one that unmounts when this process is killed.

A mount forks, which a process with threads (a notebook) must not. So the command is run, in an interpreter of its own.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import MountError, UsageError

# The command itself gives up sooner: it waits 20 s for a tree, after 15 for the probe.
COMMAND_S = 120.0
# A command that is terminated undoes what it did.
END_S = 20.0

# $1: the daemon's process; $2: the private directory, or ""; the rest: the command that unmounts. A line is written
# when there is nothing left to do. Else the pipe ends when this process does, however that was.
_GUARD = """
dir=$2 pid=$1; shift 2
read line && exit
kill -0 "$pid" 2>/dev/null && "$@"
[ -z "$dir" ] || rmdir "$dir"/* "$dir"
"""


def mountnd(*args: str, module: str = "mountnd") -> list[str]:
    """The mountnd command of this installation, or another module of it. Raises MountError where there is no
    interpreter to run it."""
    if not sys.executable:
        raise MountError("this Python does not know its own program (sys.executable), which a mount needs")
    # Not what lies in the working directory: `-m` would look there first.
    return [sys.executable, "-P", "-m", module, *args]


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of a process that imports the mountnd that runs here, also one that only this process's sys.path knows."""
    env = dict(os.environ if environ is None else environ)
    home = str(Path(__file__).resolve().parents[2])
    if home not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [home, env.get("PYTHONPATH", "")]))
    return env


def run(args: Sequence[str], *, module: str = "mountnd", given: str = "", more_s: float = 0.0) -> list[str]:
    """Run the command to its end; the remarks that it made. Raises UsageError and MountError with its message.

    Args:
        module: another module that makes remarks and errors as the command does; given: what it reads from its stdin.
        more_s: seconds that it may take beside `COMMAND_S`.
    """
    seconds = COMMAND_S + more_s
    process = subprocess.Popen(
        mountnd(*args, module=module),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        said = process.communicate(given, timeout=seconds)[1].splitlines()
    except BaseException as e:
        _end(process)
        if isinstance(e, subprocess.TimeoutExpired):
            raise MountError(f"no answer within {seconds:.0f} s from: {shlex.join(['mountnd', *args])}") from None
        raise
    if process.returncode:
        errors = [line.removeprefix("mountnd: ") for line in said if line.startswith("mountnd: ")]
        message = errors[-1] if errors else (said or [f"mountnd ended with {process.returncode}"])[-1]
        raise (UsageError if process.returncode == 2 else MountError)(message)
    return said


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


class Guard:
    """Unmounts when this process ends without having done so, even killed. In a session of its own, so that a signal
    from the terminal is not for it.

    Args:
        path: the mountpoint; pid: the daemon's process; private: the directory that was made for it, "" for none.
    """

    def __init__(self, path: Path, pid: int, private: str) -> None:
        unmount = mountnd("umount", "--quiet", "--lazy", "--", str(path))
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(pid), private, *unmount],
            env=environment(),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """There is nothing left to do."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"done\n")
            self._process.stdin.close()
        except OSError:
            pass  # somebody has killed it
        self._process.wait()

    def forget(self) -> None:
        """In a forked process: it is the parent's end that counts."""
        if self._process.stdin is not None:
            os.close(self._process.stdin.fileno())
