"""Many programs that wait, each a process of its own, forked from this one: KIND PATH PATH ..., one for each path.

Prints "begun" when all have been started. Then each line on stdin is a command: "signal N" sends signal N to all of
them, waits until they are gone, and prints how many seconds that took (up to 60); "ended" prints how many have ended
by themselves. All are killed when stdin closes.

KIND: stat, open, list, read, pread (past the first pages), mmap; threads (reads in one of several threads).
"""

import contextlib
import mmap
import os
import signal
import sys
import threading
import time


def wait(kind: str, path: str) -> None:
    """Do what never ends."""
    if kind == "stat":
        os.stat(path)
    elif kind == "list":
        os.listdir(path)
    else:
        fd = os.open(path, os.O_RDONLY)
        if kind == "read":
            os.read(fd, 4096)
        elif kind == "pread":
            os.pread(fd, 65536, 150_000)
        elif kind == "mmap":
            mmap.mmap(fd, 0, prot=mmap.PROT_READ)[100]
        elif kind == "threads":
            threads = [threading.Thread(target=os.pread, args=(fd, 4096, i << 16)) for i in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


def ended(pids: set[int]) -> int:
    """Take those off `pids` that have ended; how many."""
    gone = 0
    for pid in list(pids):
        if os.waitpid(pid, os.WNOHANG)[0]:
            pids.discard(pid)
            gone += 1
    return gone


def main(kind: str, paths: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    pids: set[int] = set()
    for path in paths:
        pid = os.fork()
        if not pid:
            with contextlib.suppress(OSError):
                wait(kind, path)
            os._exit(0)
        pids.add(pid)
    try:
        print("begun", flush=True)
        for line in sys.stdin:
            words = line.split()
            if words[0] == "ended":
                print(ended(pids), flush=True)
                continue
            start = time.monotonic()
            for pid in pids:
                os.kill(pid, int(words[1]))
            while pids and time.monotonic() - start < 60:
                if not ended(pids):
                    time.sleep(0.005)
            print(time.monotonic() - start if not pids else 60.0, flush=True)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
