"""A Slurm of one node on this host: munged, slurmctld and slurmd of Debian's slurm-wlm, as root, with a configuration,
a key, ports and directories of their own. Nothing of the system's is used or left.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.support.servers import free_port
from tests.support.waiting import holds_within, wait_until

# Debian's place of daemons, which is not on every PATH.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo")
START_S, COMMAND_S = 60.0, 60.0
# So many tasks run side by side, whatever the host has.
CPUS = 8
_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")

# Not what a cluster would have, but what works without cgroups, accounting and root squash; jobs get SIGTERM and, 15 s
# later, SIGKILL, as everywhere (KillWait).
_CONF = """
ClusterName=mountnd-test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
SlurmctldPort={ctld}
SlurmdPort={d}
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
KillWait=15
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class CannotStart(Exception):
    """Slurm does not run here; the text says why."""


class Slurm:
    """A cluster that runs. `environ`: what its commands need."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = {**os.environ, **environ, "PATH": _PATH}

    def call(self, *words: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
        """What a command prints. Raises AssertionError where it fails."""
        done = subprocess.run(
            words, cwd=cwd, env={**self.environ, **(environ or {})}, capture_output=True, text=True, timeout=COMMAND_S,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def submit(self, *words: str, cwd: Path, environ: Mapping[str, str] | None = None) -> int:
        """Submit a job by `sbatch WORDS`; its number."""
        return int(self.call("sbatch", "--parsable", *words, cwd=cwd, environ=environ).split(";")[0])

    def tasks(self, job: int) -> dict[str, str]:
        """The state of each task of a job, by its number in the array ("" where the job is none)."""
        told = self.call("scontrol", "--oneliner", "show", "job", str(job))
        found = {}
        for line in told.splitlines():
            if state := re.search(r"\bJobState=(\S+)", line):
                task = re.search(r"\bArrayTaskId=(\S+)", line)
                found[task[1] if task else ""] = state[1]
        return found

    def exit_codes(self, job: int) -> set[str]:
        """`CODE:SIGNAL` of its tasks."""
        return set(re.findall(r"\bExitCode=(\S+)", self.call("scontrol", "--oneliner", "show", "job", str(job))))

    def wait(self, job: int, seconds: float = 300.0) -> dict[str, str]:
        """Wait until all tasks of a job have ended; how."""
        wait_until(
            lambda: all(s in _ENDED for s in self.tasks(job).values()), f"the end of job {job}", seconds, pause=0.3
        )
        return self.tasks(job)


@contextmanager
def slurm() -> Iterator[Slurm]:
    """A Slurm of one node, with CPUS tasks at once. Raises CannotStart."""
    if missing := [name for name in _PROGRAMS if not shutil.which(name, path=_PATH)]:
        raise CannotStart(f"{missing[0]} is not installed (Debian: slurm-wlm, munge)")
    if os.getuid() != 0:
        raise CannotStart("slurmd needs root")
    host = socket.gethostname().partition(".")[0]
    # Below /tmp: a socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as name, ExitStack() as stack:
        place = Path(name)
        place.chmod(0o755)  # jobs of others have to reach the socket
        (place / "state").mkdir()
        (place / "spool").mkdir()
        key, conf = place / "munge.key", place / "slurm.conf"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        conf.write_text(_CONF.format(host=host, place=place, ctld=free_port(), d=free_port(), cpus=CPUS))
        environ = {"SLURM_CONF": str(conf)}
        munged = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={place}/munge.socket"]
        munged += [
            f"--pid-file={place}/munged.pid",
            f"--seed-file={place}/munged.seed",
            f"--log-file={place}/munged.log",
        ]
        _start(stack, munged, place, (place / "munge.socket").exists, environ)
        one = Slurm(environ)
        _start(stack, ["slurmctld", "-D", "-f", str(conf)], place, lambda: _answers(one, "scontrol", "ping"), environ)
        _start(stack, ["slurmd", "-D", "-f", str(conf)], place, lambda: _idle(one), environ)
        yield one
        with suppress(AssertionError, subprocess.TimeoutExpired):
            one.call("scancel", "--user", "root")
            holds_within(lambda: not one.call("squeue", "--noheader").strip(), 60.0, pause=0.3)


def _start(
    stack: ExitStack, words: Sequence[str], place: Path, is_up: Callable[[], bool], environ: Mapping[str, str]
) -> None:
    """Run a daemon until the stack's end. Raises CannotStart with the last lines of what it said."""
    said = place / f"{words[0]}.out"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [str(shutil.which(words[0], path=_PATH)), *words[1:]], env={**os.environ, **environ, "PATH": _PATH},
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    stack.callback(_end, process)
    if holds_within(lambda: process.poll() is not None or is_up(), START_S, pause=0.1) and process.poll() is None:
        return
    last = [text for log in (said, place / f"{words[0]}.log") if log.exists() for text in log.read_text().splitlines()]
    raise CannotStart(f"{words[0]} does not start: {'; '.join(last[-4:]) or 'it says nothing'}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)


def _answers(one: Slurm, *words: str) -> bool:
    try:
        return "is UP" in one.call(*words)
    except AssertionError:
        return False


def _idle(one: Slurm) -> bool:
    try:
        return one.call("sinfo", "--noheader", "--format=%T").strip() == "idle"
    except AssertionError:
        return False
