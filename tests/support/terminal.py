"""The real command line at terminals (pty) of given widths: what a person sees, with its colours.

`run` starts one process, which imports the command line once and forks for each call, so a call costs little.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mountnd.daemon import mounts

from .cli import environment

# A call may mount, wait for a server that does not answer, and the machine be busy.
CALL_S = 120.0


class Seen(NamedTuple):
    """What one call left on its terminal: its exit code, and all that was printed, lines ended by newlines."""

    code: int
    raw: str

    @property
    def text(self) -> str:
        """What stands on the terminal at the end, without colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.coloured)

    @property
    def coloured(self) -> str:
        """What stands on the terminal at the end, with colours: a line that was erased is gone."""
        return "\n".join(re.split(r"\r\x1b\[K|\r", line)[-1] for line in self.raw.split("\n"))


class Call(NamedTuple):
    """`mountnd WORDS` at a terminal of `columns`; `env`: variables to set beside this process's."""

    words: Sequence[str]
    columns: int
    env: Mapping[str, str] = {}


def run(calls: Sequence[Call], env: Mapping[str, str]) -> list[Seen]:
    """Make the calls one after the other. `env`: variables to set for all of them.

    Root's calls see no mounts of mountnd's but those below HOME: others come and go, and `doctor` tells of all.
    """
    alone = ("unshare", "--mount", "--propagation", "private") if os.getuid() == 0 else ()
    plain = {k: v for k, v in environment().items() if k not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        [*alone, sys.executable, "-m", __name__],
        input=json.dumps(calls),
        env={**plain, "TERM": "xterm-256color", **env},
        capture_output=True,
        text=True,
        timeout=CALL_S * 2,
        check=True,
    )
    return [Seen(*row) for row in json.loads(done.stdout)]


def _call(words: Sequence[str], columns: int, env: Mapping[str, str]) -> tuple[int, str]:
    from mountnd.cli.main import main

    pid, master = pty.fork()
    if not pid:
        try:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
            os.environ.update(env)
            main(list(words))
        except SystemExit as e:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(e.code if isinstance(e.code, int) else 1)
        finally:
            os._exit(70)
    printed, end = bytearray(), time.monotonic() + CALL_S
    while True:
        ready, _, _ = select.select([master], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"{words}: nothing for {CALL_S} s after {printed!r}"
        try:
            piece = os.read(master, 1 << 16)
        except OSError:  # EIO: nobody has the terminal open any more
            break
        if not piece:
            break
        printed += piece
    os.close(master)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), printed.decode(errors="backslashreplace").replace("\r\n", "\n")


def _hide_others() -> None:
    for mount in mounts.mounts():
        if mount.fstype == mounts.FSTYPE and not mount.path.is_relative_to(os.environ.get("HOME", "/")):
            subprocess.run(["umount", "--lazy", mount.path], check=False, capture_output=True, timeout=CALL_S)


def _main() -> None:
    if os.getuid() == 0:
        _hide_others()
    calls: list[Any] = json.load(sys.stdin)
    json.dump([_call(*call) for call in calls], sys.stdout)


if __name__ == "__main__":
    _main()
