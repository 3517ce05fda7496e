"""Measures a mount of a bucket too large to hold: seconds, and CPU and memory of the daemon.

python -m tests.model.computed_bucket_mount studies-1000000     find over a million keys, twice
python -m tests.model.computed_bucket_mount flat-5000000        first entry, one stat, then all names of one directory
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers import module_server

ROOT = Path(__file__).parents[2]
MOUNT_S = 30


@contextmanager
def server() -> Iterator[str]:
    """A computed bucket server's URL."""
    with module_server("tests.model.computed_bucket_server") as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def mount(url: str, bucket: str, home: Path) -> Iterator[tuple[Path, int]]:
    """A mountpoint and its daemon's pid."""
    at = home / "mnt"
    at.mkdir()
    own = {name: str(home) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "MOUNTND_RUN_DIR")}
    command = [sys.executable, "-m", "mountnd", f"s3://{bucket}", str(at), "-f", "--anonymous"]
    command += ["--endpoint-url", url, "--ttl", "indefinite", "--cache-dir", str(home / "cache")]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | own)
    try:
        for _ in range(MOUNT_S * 10):
            if at.is_mount():
                break
            if process.poll() is not None:
                raise SystemExit(process.returncode)
            time.sleep(0.1)
        yield at, process.pid
    finally:
        subprocess.run(["fusermount3", "-u", str(at)], check=False)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()


def measure(what: str, command: str, pid: int) -> None:
    """Run a shell command and say what it cost the daemon."""

    def cpu() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    begun, used = time.monotonic(), cpu()
    out = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout.split()
    took, used = time.monotonic() - begun, cpu() - used
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) >> 10
    print(f"{what}: {' '.join(out)} in {took:.2f} s; daemon: {used:.1f} s CPU, {peak} MiB at most", flush=True)


def main(bucket: str) -> None:
    with tempfile.TemporaryDirectory() as home, server() as url, mount(url, bucket, Path(home)) as (at, pid):
        if bucket.startswith("flat-"):
            measure("first entry", f"ls -U {at}/image | head -1", pid)
            measure("one stat", f"stat -c %s {at}/image/0000321", pid)
            measure("all names", f"find {at} -type f | wc -l", pid)
        else:
            measure("find", f"find {at} -type f | wc -l", pid)
            measure("find again", f"find {at} -type f | wc -l", pid)


if __name__ == "__main__":
    main(sys.argv[1])
