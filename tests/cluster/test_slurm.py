"""Job scripts of the help on a real Slurm: an array on one node, tasks of a step, and jobs that are cancelled."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mountnd.daemon import rundir
from tests.promises.blocks import SAVED, blocks
from tests.support import cli
from tests.support.proxy import Proxy, proxied
from tests.support.servers import moto_server
from tests.support.sessions import mounted_below
from tests.support.tree import MIB, Bucket, content
from tests.support.waiting import wait_until

from .slurm import Slurm

pytestmark = [pytest.mark.cluster, pytest.mark.kernel, pytest.mark.root]

PAGE = (cli.ROOT / "mountnd/help/batch.md").read_text()
SUBJECTS = [f"sub-{number:02d}" for number in range(1, 9)]
SIZE = 3 * MIB + 77
# What all tasks of an array read, beside what each reads alone.
ATLAS = "derivatives/atlas.nii"
ATLAS_SIZE = 12 * MIB + 5


def image(subject: str) -> str:
    return f"{subject}/anat/{subject}_T1w.nii.gz"


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """A server that plays OpenNeuro's, behind one that counts."""
    with moto_server() as url, proxied(url) as one:
        bucket = Bucket(url, "openneuro.org")
        bucket.put_all((f"ds000001/{image(subject)}", content(subject, SIZE)) for subject in SUBJECTS)
        bucket.put(f"ds000001/{ATLAS}", content("atlas", ATLAS_SIZE))
        yield one


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where a user works, with the page's scripts; nothing is mounted below it at the end, and no daemon is left."""
    where = tmp_path.resolve()
    for block in blocks(PAGE):
        if saved := SAVED.fullmatch(block.mark):
            with (where / saved[1]).open("a") as file:
                file.write(block.text)
    (where / "tmp").mkdir()
    (where / "subjects.txt").write_text("\n".join(SUBJECTS) + "\n")
    before = {record.pid for record in rundir.records()}
    yield where
    left = mounted_below(where)
    for path in left:
        with cli.mountpoint(path):
            pass
    assert left == []
    wait_until(lambda: {r.pid for r in rundir.records() if r.alive()} <= before, "the end of all daemons")


def environ(home: Path, proxy: Proxy) -> dict[str, str]:
    """A user's: sbatch hands it on to jobs."""
    return {
        **cli.environment(),
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "MOUNTND_ENDPOINT_URL": proxy.url,
        "MOUNTND_REGION": "us-east-1",
        "MOUNTND_ANONYMOUS": "1",
    }


def said(home: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in sorted(home.glob("slurm-*.out")))


def sent(proxy: Proxy) -> int:
    """Bytes of objects that have left the server."""
    return sum(request.sent for request in proxy.settled() if request.method == "GET" and not request.is_list)


def test_an_array_of_eight_on_one_node_fetches_a_byte_once(cluster: Slurm, home: Path, proxy: Proxy) -> None:
    """Each task its own image, and all of them the same atlas: counted at the server."""
    proxy.clear()
    with (home / "analyse.sh").open("a") as file:
        file.write(f'md5sum < "$1/{ATLAS}" > "results/atlas-$2.txt"\n')
    job = cluster.submit("--array=1-8", "array.sh", cwd=home, environ=environ(home, proxy))
    states = cluster.wait(job)
    assert len(states) == 8 and set(states.values()) == {"COMPLETED"}, (states, said(home))
    atlas = hashlib.md5(content("atlas", ATLAS_SIZE)).hexdigest()
    for subject in SUBJECTS:
        result = (home / f"results/{subject}.txt").read_text()
        assert result.split()[0] == hashlib.md5(content(subject, SIZE)).hexdigest()
        assert (home / f"results/atlas-{subject}.txt").read_text().split()[0] == atlas
    whole = 8 * SIZE + ATLAS_SIZE
    assert whole <= sent(proxy) <= 1.02 * whole
    assert said(home).count("mountnd exec: exit code 0 after") == 8
    assert list((home / "tmp").iterdir()) == []


def test_the_exit_code_of_a_task_is_its_commands(cluster: Slurm, home: Path, proxy: Proxy) -> None:
    (home / "subjects.txt").write_text("sub-99\n")
    job = cluster.submit("--array=1", "array.sh", cwd=home, environ=environ(home, proxy))
    assert cluster.wait(job) == {"1": "FAILED"}
    assert cluster.exit_codes(job) == {"1:0"}, said(home)


def test_a_step_with_a_mount_on_each_node(cluster: Slurm, home: Path, proxy: Proxy) -> None:
    """`srun` starts one mount a node, whose share of the subjects is read through it."""
    job = cluster.submit("--nodes=1", "nodes.sh", cwd=home, environ=environ(home, proxy))
    assert cluster.wait(job) == {"": "COMPLETED"}, said(home)
    for subject in SUBJECTS:
        result = (home / f"results/{subject}.txt").read_text()
        assert result.split()[0] == hashlib.md5(content(subject, SIZE)).hexdigest()


WAITS = """#!/bin/bash
exec mountnd exec openneuro/ds000001 --cache-dir "$HOME/scratch/mountnd" -- bash waits.sh {}
"""
# Reads a little, says so, and goes on until it is told to end.
BEGINS = f"""
head -c 100000 "$1/{image(SUBJECTS[0])}" > /dev/null
echo "$$ $1" > begun.new
mv begun.new begun
"""


@dataclass
class Job:
    """One that runs: its number, the process of its command, its mount and the record of that."""

    number: int
    pid: int
    where: Path
    daemon: rundir.Record

    def has_ended(self) -> bool:
        return not self.daemon.alive() and not Path(f"/proc/{self.pid}").exists()


def begun(cluster: Slurm, home: Path, proxy: Proxy, then: str) -> Job:
    """A job whose command reads, and then does what the shell is told."""
    (home / "job.sh").write_text(WAITS)
    (home / "waits.sh").write_text(BEGINS + then)
    number = cluster.submit("job.sh", cwd=home, environ=environ(home, proxy))
    wait_until((home / "begun").exists, f"the command of job {number}", 120.0)
    pid, where = (home / "begun").read_text().split()
    assert cli.is_mounted(Path(where))
    return Job(number, int(pid), Path(where), cli.daemon_record(Path(where)))


@pytest.mark.parametrize("deaf", [False, True], ids=["listens", "deaf"])
def test_a_cancelled_job_leaves_nothing(cluster: Slurm, home: Path, proxy: Proxy, deaf: bool) -> None:
    """No mount, no process, no directory. One that is deaf is killed by Slurm, with all of its job."""
    job = begun(cluster, home, proxy, 'trap "" TERM\nwhile :; do sleep 1; done' if deaf else "exec sleep 600")
    cluster.call("scancel", str(job.number))
    assert set(cluster.wait(job.number).values()) == {"CANCELLED"}
    wait_until(job.has_ended, "the end of the job's processes", 60.0)
    assert mounted_below(home) == [] and not job.where.exists()


def test_a_cancelled_command_reads_on(cluster: Slurm, home: Path, proxy: Proxy) -> None:
    """What stops in good order opens and reads files that it had not opened before."""
    then = f"trap 'sleep 2; md5sum < \"$1/{image(SUBJECTS[1])}\" > last; exit 7' TERM\nwhile :; do sleep 0.2; done"
    job = begun(cluster, home, proxy, then)
    cluster.call("scancel", str(job.number))
    assert set(cluster.wait(job.number).values()) == {"CANCELLED"}
    wait_until(job.has_ended, "the end of the job's processes", 60.0)
    assert (home / "last").read_text().split()[0] == hashlib.md5(content(SUBJECTS[1], SIZE)).hexdigest(), said(home)
    assert mounted_below(home) == [] and not job.where.exists()


def test_what_is_killed_at_once_leaves_a_mountpoint_that_can_be_removed(
    cluster: Slurm, home: Path, proxy: Proxy
) -> None:
    job = begun(cluster, home, proxy, "exec sleep 600")
    cluster.call("scancel", "--signal=KILL", "--full", str(job.number))
    cluster.wait(job.number)
    wait_until(job.has_ended, "the end of the job's processes", 60.0)
    if cli.is_mounted(job.where):  # unless the daemon had a moment to see its command end
        done = cli.run_mountnd("umount", job.where)
        assert done.returncode == 0, done.stderr
    assert mounted_below(home) == []
