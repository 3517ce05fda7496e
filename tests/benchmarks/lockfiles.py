"""A lockfile of a million objects: `python -m tests.benchmarks.lockfiles [OBJECTS]`.

Writes it, plain and gzipped, in processes of their own whose peak memory is told; mounts it over a server that is not
there (no request is made), and stats names all over (WALK=1: lists all of them, too). The keys are those of a BIDS tree
with twenty files a directory; version ids and ETags are random, as real ones are.
"""

from __future__ import annotations

import base64
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mountnd.lockfile.header import Header
from mountnd.lockfile.record import Locked
from mountnd.lockfile.writing import write

from ..support import cli
from ..support.cli import run_mountnd

HEADER = Header(
    source="s3://openneuro.org/ds000001", root="ds000001/", name="ds000001", endpoint_url="http://127.0.0.1:9",
    region="us-east-1", anonymous=True, created="2026-01-01T00:00:00Z",
)  # fmt: skip


def paths(count: int) -> Iterator[str]:
    for n in range(count):
        sub, run = divmod(n, 40)
        name = f"sub-{sub:05d}_ses-{run // 20 + 1}_task-rest_run-{run % 20 + 1:02d}_bold.nii.gz"
        yield f"sub-{sub:05d}/ses-{run // 20 + 1}/func/{name}"


def records(count: int) -> Iterator[Locked]:
    dice = random.Random(1)
    for n, path in enumerate(paths(count)):
        version = base64.b64encode(dice.randbytes(24), b"._").decode()
        etag = f'"{dice.randbytes(16).hex()}"'
        yield Locked(path, f"ds000001/{path}", version, dice.randrange(10**8), etag, (1_531_877_694 + n // 7) * 10**9)


def written(target: str, count: int) -> None:
    """In a process of its own: writes, and tells seconds and MiB."""
    begun, cpu = time.monotonic(), time.process_time()
    for _ in records(count):
        pass
    made, made_cpu = time.monotonic() - begun, time.process_time() - cpu
    begun, cpu = time.monotonic(), time.process_time()
    write(Path(target), HEADER, records(count))
    seconds, cpu = time.monotonic() - begun - made, time.process_time() - cpu - made_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{Path(target).name}: written in {seconds:.1f} s ({cpu:.1f} s of processor time), {peak} MiB at most, "
          f"{os.path.getsize(target) / count:.0f} bytes an object")  # fmt: skip


def mounted(lockfile: Path, where: Path, count: int) -> None:
    """Mounts it, looks at 1,000 files all over, and lists all."""
    with cli.mountpoint(where) as path:
        begun = time.monotonic()
        done = run_mountnd(lockfile, path, "--cache-dir", where.parent / "cache")
        assert done.returncode == 0, done.stderr
        took, cpu = time.monotonic() - begun, _cpu_seconds(cli.daemon_record(path).pid)
        chosen = random.Random(2).sample(list(paths(count)), 1000)
        begun = time.monotonic()
        for one in chosen:
            os.stat(path / one)
        each = (time.monotonic() - begun) / len(chosen)
        begun, names = time.monotonic(), count
        if os.environ.get("WALK"):
            names = sum(len(files) for _, _, files in os.walk(path))
        walk = time.monotonic() - begun
        pid = cli.daemon_record(path).pid
        status = Path(f"/proc/{pid}/status").read_text()
        peak, now = (int(status.split(f"{name}:")[1].split()[0]) >> 10 for name in ("VmHWM", "VmRSS"))
        total = json.loads(run_mountnd("stats", path, "--json").stdout)["total"]
        asked = {name: total.get(name, 0) for name in ("lists", "heads", "gets")}
        assert names == count
        print(f"{lockfile.name}: mounted in {took:.1f} s, stat of one of a thousand files {each * 1e3:.2f} ms, "
              f"a walk {walk:.0f} s, daemon {peak} MiB at most, {now} MiB afterwards; {asked}; "
              f"processor time until it was mounted {cpu:.1f} s")  # fmt: skip
        assert run_mountnd("umount", path).returncode == 0


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="mountnd-lockfiles-") as temporary:
        where = Path(temporary).resolve()
        os.environ["MOUNTND_RUN_DIR"] = str(where / "run")
        (where / "run").mkdir(mode=0o700)
        for name in ("million.lock", "million.lock.gz"):
            code = f"from tests.benchmarks.lockfiles import written; written({str(where / name)!r}, {count})"
            subprocess.run([sys.executable, "-c", code], check=True)
        for name in ("million.lock", "million.lock.gz"):
            mounted(where / name, where / "mnt", count)


if __name__ == "__main__":
    main()
