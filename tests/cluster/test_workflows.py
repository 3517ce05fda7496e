"""The help's page on workflow engines: its files, run by those engines that are installed (they are many megabytes)."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.daemon import rundir
from mountnd.demo import dataset
from tests.promises.blocks import SAVED, blocks
from tests.support import cli
from tests.support.local_openneuro import local_openneuro
from tests.support.sessions import mounted_below
from tests.support.waiting import wait_until

from .slurm import Slurm

pytestmark = [pytest.mark.cluster, pytest.mark.kernel]

PAGE = (cli.ROOT / "mountnd/help/workflows.md").read_text()
LIMIT_S = 300.0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with local_openneuro() as url:
        yield url


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A directory with the files that the page shows."""
    where = tmp_path.resolve()
    for block in blocks(PAGE):
        if saved := SAVED.fullmatch(block.mark):
            (where / saved[1]).write_text(block.text)
    before = {record.mountpoint for record in rundir.records()}
    yield where
    wait_until(lambda: {r.mountpoint for r in rundir.records() if r.alive()} <= before, "the end of all mounts", 60.0)
    assert mounted_below(where) == []


def installed(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


def run(home: Path, server: str, *words: str, **environ: str) -> str:
    """What a command prints, altogether. `python`: this one."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    # What this process can import, others can, too.
    imports = os.pathsep.join([str(cli.ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PATH": path, "PYTHONPATH": imports, "HOME": str(home), "MOUNTND_ANONYMOUS": "1"}
    env |= {"MOUNTND_ENDPOINT_URL": server, "MOUNTND_REGION": "us-east-1", **environ}
    done = subprocess.run(words, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def sums(home: Path) -> dict[str, str]:
    """The checksum of each subject's image, as a workflow has found it."""
    return {path.stem: path.read_text().split()[0] for path in sorted((home / "results").iterdir())}


def expected() -> dict[str, str]:
    files = dict(dataset.files())
    names = ("sub-01", "sub-02")
    return {name: hashlib.md5(files[f"{name}/anat/{name}_T1w.nii.gz"]).hexdigest() for name in names}


SNAKEMAKE = (sys.executable, "-m", "snakemake", "--cores", "2")


def test_snakemake_sees_the_same_files_in_the_next_run(home: Path, server: str) -> None:
    installed("snakemake")
    words = ("mountnd", "exec", "-q", "openneuro/ds000001", "./data", "--", *SNAKEMAKE)
    assert "measure" in run(home, server, *words)
    assert sums(home) == expected()
    assert "Nothing to be done" in run(home, server, *words)


def test_snakemake_whose_jobs_mount_by_themselves(home: Path, server: str) -> None:
    installed("snakemake")
    run(home, server, *SNAKEMAKE, "--snakefile", "Snakefile.cluster")
    assert sums(home) == expected()


def test_nipype(home: Path, server: str) -> None:
    """The second run finds all results in its cache."""
    installed("nipype")
    words = ("mountnd", "exec", "-q", "openneuro/ds000001", "./data", "--", sys.executable, "flow.py")
    first, second = run(home, server, *words), run(home, server, *words)
    assert "['(160, 192, 160)', '(160, 192, 160)']" in first and "['(160, 192, 160)', '(160, 192, 160)']" in second
    assert 'Executing "shape"' in first and 'Executing "shape"' not in second


def test_ray(home: Path, server: str) -> None:
    installed("ray")
    assert "[(160, 192, 160), (160, 192, 160)]" in run(home, server, sys.executable, "with_ray.py")


# A user's own: the launcher keeps the program below it.
NXF_HOME = os.environ.get("NXF_HOME", os.path.expanduser("~/.nextflow"))


def nextflow(home: Path, server: str, *words: str, **environ: str) -> str:
    if shutil.which("nextflow") is None:
        pytest.skip("nextflow is not installed")
    return run(home, server, *words, NXF_HOME=NXF_HOME, NXF_OFFLINE="true", NXF_ANSI_LOG="false", **environ)


def test_nextflow_sees_the_same_files_in_the_next_run(home: Path, server: str) -> None:
    """`-resume` through another mount at the same path finds all of what was done."""
    words = ("mountnd", "exec", "-q", "openneuro/ds000001", "./data", "--", "nextflow", "run", "main.nf")
    first = nextflow(home, server, *words)
    assert first.count("Submitted process") == 2, first
    assert sums(home) == expected()
    inputs = list(home.glob("work/*/*/*_T1w.nii.gz"))
    assert len(inputs) == 2 and all(path.is_symlink() for path in inputs)  # nothing was copied
    second = nextflow(home, server, *words, "-resume")
    assert second.count("Cached process") == 2 and "Submitted process" not in second, second


def test_nextflow_whose_jobs_mount_by_themselves(home: Path, server: str, cluster: Slurm) -> None:
    """Each task is a job of a real Slurm."""
    words = ("nextflow", "run", "cluster.nf", "-process.executor=slurm")
    told = nextflow(home, server, *words, SLURM_CONF=cluster.environ["SLURM_CONF"])
    assert sums(home) == expected(), told
    jobs = [job for job in cluster.call("scontrol", "--oneliner", "show", "job").splitlines() if "=nf-measure" in job]
    assert len(jobs) == 2 and all("JobState=COMPLETED" in job for job in jobs), jobs
