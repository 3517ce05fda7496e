"""Plays an automounter, as systemd's x-systemd.automount and autofs are: mounts when somebody looks at the directory.

    unshare --mount --propagation private python -m tests.functional.command.automounter DIR READER COMMAND...

Mounts autofs at DIR (the kernel's Documentation/filesystems/autofs.rst), starts READER, a program, in a group of
its own, runs COMMAND in this one when the kernel asks for DIR, and says to the kernel how that went. Prints a line of
JSON: the exit codes of both, and what READER has printed. Ends with 77 where this kernel has no autofs.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import struct
import subprocess
import sys

# linux/auto_fs.h, linux/auto_fs4.h
READY, FAIL, MISSING_DIRECT = 0x9360, 0x9361, 5
HEAD = struct.Struct("=iiI")  # version, type, token
PACKET_BYTES = 300
SECONDS = 90.0
DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)


def main(where: str, reader: str, *command: str) -> None:
    out, into = os.pipe()
    options = f"fd={into},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
    if libc.mount(b"automounter", os.fsencode(where), b"autofs", 0, options.encode()):
        sys.exit(77)
    os.close(into)
    control = os.open(where, os.O_RDONLY | os.O_DIRECTORY)  # this group is let through
    looking = subprocess.Popen(
        ["sh", "-c", reader], stdout=subprocess.PIPE, text=True, start_new_session=True, stdin=subprocess.DEVNULL
    )
    code = -1
    try:
        if select.select([out], [], [], SECONDS)[0]:
            _, kind, token = HEAD.unpack(os.read(out, PACKET_BYTES + 4)[: HEAD.size])
            assert kind == MISSING_DIRECT
            try:
                code = subprocess.run(command, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False).returncode
            finally:
                fcntl.ioctl(control, FAIL if code else READY, token)
        said, _ = looking.communicate(timeout=SECONDS)
    finally:
        looking.kill()
        libc.umount2(os.fsencode(where), DETACH)
        libc.umount2(os.fsencode(where), DETACH)
    print(json.dumps({"mount": code, "reader": looking.returncode, "said": said}))


if __name__ == "__main__":
    os.setpgid(0, 0)
    main(*sys.argv[1:])
