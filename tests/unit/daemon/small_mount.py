"""A program that mounts through `run_mount` with a small file system of its own in place of the real one.

    python -m tests.unit.daemon.small_mount HOW MOUNTPOINT [foreground | LOGFILE]

HOW: ok; refuse (an error before ready); noise (prints on stderr, then refuses); crash (an exception nobody
expects); die (ends without a word); hang (never gets ready); late (mounts, then never gets ready); slow (mounts
when there is a file "go" in the runtime directory). "long" grants a hanging one its full time.
"""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mountnd.config.options import MountConfig, SourceConfig
from mountnd.daemon import run
from mountnd.errors import MountndError, NoSuchBucket

os.environ["FUSE_LIBRARY_NAME"] = "fuse3"

CONTENT = b"A brain, in a file.\n"


def _mount(config: MountConfig, ready: Callable[[], None]) -> None:
    import mfusepy

    class Small(mfusepy.Operations):
        use_ns = True

        def init(self, path: str) -> None:
            ready()

        def statfs(self, path: str) -> dict[str, int]:
            return {}

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o555, "st_nlink": 2, "st_uid": os.getuid()}
            return {"st_mode": stat.S_IFREG | 0o444, "st_nlink": 1, "st_size": len(CONTENT)}

        def readdir(self, path: str, fh: int) -> Any:
            return [".", "..", "file"]

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return CONTENT[offset : offset + size]

    def stop(number: int, frame: object) -> None:
        subprocess.run(["fusermount3", "-u", "-z", "-q", str(config.mountpoint)], check=False)

    def loop() -> None:
        mfusepy.FUSE(
            Small(), str(config.mountpoint), foreground=True, nothreads=True, subtype="mountnd", fsname="small"
        )

    signal.signal(signal.SIGTERM, stop)
    thread = threading.Thread(target=loop)  # the main thread must stay in Python, to handle signals
    thread.start()
    while thread.is_alive():
        thread.join(0.1)


def serve(how: str, config: MountConfig, ready: Callable[[], None]) -> None:
    log = logging.getLogger("mountnd.small")
    if how == "noise":
        os.write(2, b"fusermount3: not today\n")
    if how in ("refuse", "noise"):
        raise NoSuchBucket("s3://nowhere: no such bucket.")
    if how == "crash":
        raise ZeroDivisionError("unheard of")
    if how == "die":
        os._exit(3)
    if how == "hang":
        time.sleep(600)
    while how == "slow" and not Path(os.environ["XDG_RUNTIME_DIR"], "go").exists():
        time.sleep(0.01)
    log.warning("read unsigned")
    log.info("not for the terminal")
    _mount(config, (lambda: None) if how == "late" else ready)


def main(how: str, mountpoint: str, *rest: str) -> int:
    config = MountConfig(
        mountpoint=Path(mountpoint),
        sources=(SourceConfig(name="small", url="memory://small"),),
        foreground="foreground" in rest,
        log_file=next((Path(r) for r in rest if r not in ("foreground", "long")), None),
    )
    if how in ("hang", "late") and "long" not in rest:
        run.READY_S = 1.5
    try:
        return run.run_mount(
            config, serve=lambda c, ready: serve(how, c, ready), say=lambda line: print(line, file=sys.stderr)
        )
    except MountndError as e:
        print(f"mountnd: {e}", file=sys.stderr)
        return e.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
