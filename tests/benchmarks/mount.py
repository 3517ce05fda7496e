"""A running peer: mounted, measured, and unmounted again whatever happens."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

from .peers import Peer
from .place import REPOSITORY
from .processes import cpu_seconds, peak_mb, reset_peak, tree
from .world import World

MOUNT_LIMIT_S = 30


def mounted(mnt: Path) -> bool:
    with open("/proc/self/mounts") as mounts:
        return any(row.split()[1] == str(mnt) and row.split()[2].startswith("fuse") for row in mounts)


class LocalCopy:
    """Stands for a mount where the files are read where they lie."""

    seconds = 0.0

    def __init__(self, mnt: Path) -> None:
        self.mnt = mnt

    def cpu(self) -> float:
        return 0

    def peak(self) -> int:
        return 0

    def reset_peak(self) -> None:
        pass

    def close(self) -> None:
        pass


class Mount:
    """`peer` mounted at `mnt`. Raises RuntimeError when that did not happen within `MOUNT_LIMIT_S`.

    Attributes: seconds: what mounting took, as the kernel's table of mounts saw it.
    """

    def __init__(self, peer: Peer, world: World, bucket: str, mnt: Path, cache: Path, log: Path) -> None:
        self.peer, self.mnt = peer, mnt
        mnt.mkdir(parents=True, exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        command = peer.command + (f" {peer.tls}" if world.ca else "")
        command = command.format(url=world.url, bucket=bucket, mnt=mnt, cache=cache, ca=world.ca)
        env = {**os.environ, **world.env, **peer.env}
        env.pop("MOUNTND_BENCH", None)  # a setting of this harness, not of mountnd
        begun = time.perf_counter()
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [*world.client, *shlex.split(command)],
            env=env,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        while not mounted(mnt):
            ended = self.process.poll() is not None and not mounted(mnt)
            if ended or time.perf_counter() - begun > MOUNT_LIMIT_S:
                self.close()
                raise RuntimeError(f"{peer.name} {'ended' if ended else 'did not mount'}: see {log}")
            time.sleep(0.005)
        self.seconds = time.perf_counter() - begun

    def cpu(self) -> float:
        return cpu_seconds(tree(self.process.pid))

    def peak(self) -> int:
        return peak_mb(tree(self.process.pid))

    def reset_peak(self) -> None:
        reset_peak(tree(self.process.pid))

    def close(self) -> None:
        below = tree(self.process.pid)[1:]
        if mounted(self.mnt):
            for _ in range(20):
                if subprocess.run(["fusermount3", "-u", self.mnt], capture_output=True, check=False).returncode == 0:
                    break
                time.sleep(0.25)
            else:
                subprocess.run(["fusermount3", "-uz", self.mnt], check=False)
        try:
            self.process.wait(20 if self.process.poll() is None else 0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in below:  # what a wrapper left behind
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._log.close()
