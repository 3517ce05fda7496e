"""`mountnd demo`: everything once, on this machine, without a network."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from ... import installation
from ...daemon import mounts, rundir, signals
from ...demo import processes
from ...errors import MountError, UsageError
from ...report.figures import size
from .. import tables
from ..streams import show, waiting

# What is imported -> the package that has it.
_NEEDED = {
    "moto": "moto[server]", "flask": "moto[server]", "boto3": "moto[server]", "nibabel": "nibabel", "numpy": "numpy",
    "PIL": "pillow",
}  # fmt: skip
_PICTURE = "mountnd-demo.png"


@click.command(short_help="Try it here: a server, a mount and a picture, without a network.")
@click.option("--keep", is_flag=True, help="Leave the mount and its server running, to play with.")
def demo(keep: bool) -> None:
    """Start an S3 server with a small BIDS dataset on this machine, mount it, and draw a brain slice.

    The slice is read with nibabel, through the mount; ./mountnd-demo.png is the picture. No network is used,
    and nothing stays running without --keep.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        packages = list(dict.fromkeys(_NEEDED[name] for name in missing))
        raise UsageError(f"The demo needs {', '.join(missing)}. Type: {installation.here(packages)}")
    picture = Path.cwd() / _PICTURE
    try:
        with tempfile.TemporaryFile(dir=picture.parent):  # for root, access(2) says yes even where writing fails
            pass
    except OSError as e:
        raise MountError(f"{picture} cannot be written ({e.strerror}); run the demo in a directory of yours.") from e
    with signals.raised():
        _run(picture, keep)


def _run(picture: Path, keep: bool) -> None:
    with ExitStack() as stack:
        _step(1, "An S3 server on this machine gets a BIDS dataset of two subjects ...")
        start = time.perf_counter()
        with waiting("Making its images"):
            server = processes.start_server(stack)
        show(f"   s3://mountnd-demo at {server.url}: {server.objects} objects, {size(server.bytes)}")
        show("   The heads are synthetic: ellipsoids with folds and noise. No person was scanned.", "")
        directory = processes.scratch(stack) / "dataset"
        with waiting("Mounting it"):
            typed = processes.mount(stack, "s3://mountnd-demo", directory, server.url)
        _step(2, "It is mounted by the command that you would type:")
        tables.commands(shlex.join(typed), indent="   ")
        show("")
        _step(3, "Its files are there, though no byte of them was fetched yet:")
        tables.tree(directory.name, _below(directory))
        show("")
        _step(4, "nibabel, in a process of its own, reads a header and one slice:")
        with waiting("Reading"):
            done = processes.read(directory, picture)
        _report(done)
        requests, fetched = server.counts()
        show("")
        tables.details(_cost(server.bytes, fetched, requests, time.perf_counter() - start))
        show("", f"The slice of the synthetic head is drawn in {picture}")
        if keep:
            _leave_running(directory, server, stack)
        else:
            show("Unmounted; the server has ended.")
    show("", "What to type next, for real data:")
    for words, what in _NEXT:
        show(f"  {what}")
        tables.commands(words.replace("mountnd", _called(), 1), indent="      ")


def _step(number: int, what: str) -> None:
    show(f"{number}. {what}", style="head")


# A data set small enough to look around in at once.
_NEXT = (
    ("mountnd ds000001 ~/ds000001", "mount a data set of OpenNeuro (needs the network)"),
    ("ls ~/ds000001", "see what is in it"),
    ("mountnd umount ~/ds000001", "end it"),
    ("mountnd presets", "list the datasets known by name"),
)


def _called() -> str:
    """How a shell finds this command: by its name only where PATH leads to it."""
    if shutil.which("mountnd"):
        return "mountnd"
    here = Path(sys.argv[0])
    if here.name == "mountnd" and os.access(here, os.X_OK):
        return shlex.quote(min(str(here), os.path.relpath(here), key=len))
    return shlex.join([sys.executable, "-m", "mountnd"])


def _below(directory: Path) -> Iterator[tuple[int, bool, str, str]]:
    """What `tree` would show of a directory: depth, whether it is the last of its own, name, and a file's size."""

    def walk(parent: Path, depth: int) -> Iterator[tuple[int, bool, str, str]]:
        names = sorted(os.scandir(parent), key=lambda entry: (entry.is_dir(), entry.name))
        for entry in names:
            told = "" if entry.is_dir() else size(entry.stat().st_size)
            yield depth, entry is names[-1], entry.name, told
            if entry.is_dir():
                yield from walk(Path(entry.path), depth + 1)

    return walk(directory, 0)


def _report(done: dict[str, Any]) -> None:
    shape, zooms = " x ".join(map(str, done["shape"])), " x ".join(map(str, done["zooms"][:3]))
    show(f"   header of {done['header_file']}:", f"      {shape} voxels, {zooms} mm, {done['zooms'][3]} s")
    plane = " x ".join(map(str, done["slice_shape"]))
    show(f"   slice of {done['slice_file']}:", f"      {plane} voxels in {done['seconds'] * 1000:.0f} ms")


def _cost(stored: int, fetched: int, requests: int, seconds: float) -> Iterator[tuple[str, str]]:
    yield "in the bucket", size(stored)
    yield "fetched", f"{size(fetched)} ({fetched / stored:.0%})"
    yield "requests", str(requests)
    yield "total time", f"{seconds:.1f} s"


def _leave_running(directory: Path, server: processes.Server, stack: ExitStack) -> None:
    record = rundir.find(mounts.resolve(directory))
    if record is None:
        raise MountError(f"{directory} no longer has a daemon.")
    server.outlive(record.pid, directory.parent)
    stack.pop_all()  # from now on others end it
    show("", f"Left running. Look at {directory}; to end the mount and the server, type:")
    tables.commands(f"mountnd umount {shlex.quote(str(directory))}", indent="   ")
