"""`mountnd demo`: the picture, the table, and nothing left running, however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.daemon import mounts, rundir
from tests.support import cli
from tests.support.children import read_until

pytestmark = pytest.mark.kernel

# Images are made and served, and two Pythons with numpy start: some ten seconds on two cores.
DEMO_S = 240.0
GONE_S = 60.0


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory to run the demo in; its temporary files lie in it too."""
    scratch = tmp_path.resolve() / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    yield tmp_path
    for mount in mounts.mounts():
        if mount.path.is_relative_to(scratch):
            subprocess.run(["fusermount3", "-u", "-z", str(mount.path)], check=False, timeout=20)
    for pid in processes(scratch):
        os.kill(pid, signal.SIGKILL)


def processes(scratch: Path) -> set[int]:
    """What the demo started and what still runs: whose TMPDIR is ours."""
    wanted = b"TMPDIR=" + os.fsencode(scratch)
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                environ = Path("/proc", name, "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in environ and rundir.started(int(name)) is not None:
                found.add(int(name))
    return found


def await_none_left(where: Path) -> None:
    end = time.monotonic() + GONE_S
    while left := processes(where / "tmp"):
        assert time.monotonic() < end, [Path("/proc", str(p), "cmdline").read_bytes() for p in left]
        time.sleep(0.05)
    assert not [m.path for m in mounts.mounts() if m.path.is_relative_to(where.resolve())]
    # Not everything: Python's tempfile tries the directory with a file, which a process killed just then leaves.
    assert [name for name in os.listdir(where / "tmp") if name.startswith("mountnd")] == []


def start(where: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["env", "--default-signal=INT", *cli.MOUNTND, "demo", *args],
        cwd=where,
        env=cli.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def row(said: str, name: str) -> str:
    found = re.search(rf"^{name}\s+(.*)$", said, re.MULTILINE)
    assert found, said
    return found[1]


def test_the_demo_draws_a_slice_and_leaves_nothing_behind(where: Path) -> None:
    process = start(where)
    said, err = process.communicate(timeout=DEMO_S)
    assert process.returncode == 0, err
    for name in ("dataset_description.json", "sub-02_task-rest_run-2_bold.nii.gz", "64 x 76 x 40 x 40"):
        assert name in said
    assert f"drawn in {where.resolve()}/mountnd-demo.png" in said
    assert "synthetic" in said and re.search(r"mountnd ds000001 ~/ds000001$", said, re.MULTILINE)
    stored, fetched = float(row(said, "in the bucket").split()[0]), float(row(said, "fetched").split()[0])
    assert stored > 50
    assert 0 < fetched < stored / 4  # one header and a part of one image
    assert 5 <= int(row(said, "requests")) < 100
    check_picture(where / "mountnd-demo.png")
    await_none_left(where)


def check_picture(path: Path) -> None:
    """It is a head and not noise, nothing or a frame: dark around, several tissues inside, nearly symmetric."""
    numpy = pytest.importorskip("numpy")
    image = pytest.importorskip("PIL.Image").open(path)
    grey = numpy.asarray(image.convert("L")).astype(int)
    height, width = grey.shape
    assert height > 500
    assert grey[:10].mean() < 20
    assert grey[:, :10].mean() < 20
    middle = grey[height // 4 : -height // 4, width // 4 : -width // 4]
    assert middle.mean() > 80
    assert len(numpy.flatnonzero(numpy.histogram(middle, 8, (0, 256))[0] > middle.size / 200)) >= 4
    assert abs(grey - grey[:, ::-1]).mean() < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["gets a BIDS dataset", "objects,", "3."])
def test_a_signal_ends_everything(where: Path, number: int, moment: str) -> None:
    process = start(where)
    try:
        read_until(moment, process, process.stdout, DEMO_S)
        process.send_signal(number)
        process.communicate(timeout=DEMO_S)
        assert process.returncode == 128 + number
    finally:
        process.kill()
        process.communicate(timeout=DEMO_S)
    await_none_left(where)


def test_ctrl_c_for_all_of_its_processes(where: Path) -> None:
    """As a terminal sends it: to the whole group, also to the reader and to a command that is mounting."""
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *cli.MOUNTND, "demo"],
        cwd=where,
        env=cli.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        read_until("objects", process, process.stdout, DEMO_S)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=DEMO_S)
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate(timeout=DEMO_S)
    await_none_left(where)


def test_a_failure_ends_everything(where: Path) -> None:
    process = start(where)
    try:
        read_until("3. ", process, process.stdout, DEMO_S)
        (where / "mountnd-demo.png").mkdir()  # now it cannot be drawn
        _, err = process.communicate(timeout=DEMO_S)
        assert process.returncode == 1
        assert err.startswith("mountnd: ")
        assert err.count("\n") == 1
    finally:
        process.kill()
        process.communicate(timeout=DEMO_S)
    await_none_left(where)


def test_keep_leaves_it_until_umount(where: Path) -> None:
    process = start(where, "--keep")
    said, err = process.communicate(timeout=DEMO_S)
    assert process.returncode == 0, err
    command = next(line.strip() for line in said.splitlines() if "mountnd umount" in line)
    path = Path(command.removeprefix("mountnd umount "))
    assert "dataset_description.json" in os.listdir(path)
    assert len(processes(where / "tmp")) == 2  # the daemon and the server
    assert (path / "participants.tsv").read_bytes().startswith(b"participant_id\t")
    done = cli.run_mountnd("umount", path)
    assert done.returncode == 0, done.stderr
    await_none_left(where)


def test_the_demo_without_its_extra_says_what_to_install(where: Path) -> None:
    code = (
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('moto', 'nibabel') else real(name, *a)\n"
        "from mountnd.cli.main import main; main(['demo'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=where,
        env=cli.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("mountnd: The demo needs moto, nibabel. Type: ")
    assert done.stderr.endswith("-m pip install 'moto[server]' nibabel\n")


def test_where_the_picture_cannot_be_saved(where: Path) -> None:
    done = subprocess.run(
        [*cli.MOUNTND, "demo"],
        cwd="/proc",
        env=cli.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "run the demo in a directory of yours" in done.stderr
