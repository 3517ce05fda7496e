"""`mountnd demo`: everything once, on this machine, without a network."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from ...daemon import mounts, rundir, signals
from ...demo import processes
from ...errors import MountError, UsageError
from ...foreign_text import line

_NEEDED = ("moto", "flask", "boto3", "nibabel", "numpy", "PIL")
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
        raise UsageError(f"The demo needs {', '.join(missing)}. Type: pip install 'mountnd[demo]'")
    picture = Path.cwd() / _PICTURE
    try:
        with tempfile.TemporaryFile(dir=picture.parent):  # for root, access(2) says yes even where writing fails
            pass
    except OSError as e:
        raise MountError(f"{picture} cannot be written ({e.strerror}); run the demo in a directory of yours.") from e
    with signals.raised():
        _run(picture, keep, Console(highlight=False))


def _run(picture: Path, keep: bool, console: Console) -> None:
    with ExitStack() as stack:
        console.print("[bold]1.[/] An S3 server on this machine gets a BIDS dataset of two subjects ...")
        start = time.perf_counter()
        server = processes.start_server(stack)
        console.print(f"   s3://mountnd-demo at {server.url}: {server.objects} objects, {_mib(server.bytes)}")
        directory = processes.scratch(stack) / "dataset"
        typed = processes.mount(stack, "s3://mountnd-demo", directory, server.url)
        console.print("\n[bold]2.[/] It is mounted by the command that you would type:")
        console.print(f"   [cyan]{_plain(shlex.join(typed))}[/]", soft_wrap=True)
        console.print("\n[bold]3.[/] Its files are there, though no byte of them was fetched yet:")
        console.print(_tree(directory))
        console.print("[bold]4.[/] nibabel, in a process of its own, reads a header and one slice:")
        done = processes.read(directory, picture)
        _report(done, console)
        requests, fetched = server.counts()
        console.print(_table(server.bytes, fetched, requests, time.perf_counter() - start))
        console.print(f"The slice is drawn in {_plain(picture)}", soft_wrap=True)
        if keep:
            _leave_running(directory, server, stack, console)
            return
    console.print("Unmounted; the server has ended.")


def _tree(directory: Path) -> Tree:
    """What `ls -R` would print, drawn."""
    drawn = Tree(f"[cyan]{_plain(directory)}[/]")
    branches = {directory: drawn}
    for parent, below, files in os.walk(directory):
        below.sort()
        for name in below:
            branches[Path(parent, name)] = branches[Path(parent)].add(f"[cyan]{_plain(name)}[/]")
        for name in sorted(files):
            size = os.stat(os.path.join(parent, name)).st_size
            branches[Path(parent)].add(f"{_plain(name)}  [dim]{_mib(size) if size >= 1 << 20 else f'{size} B'}[/]")
    return drawn


def _report(done: dict[str, Any], console: Console) -> None:
    shape = " x ".join(map(str, done["shape"]))
    header, drawn = _plain(done["header_file"]), _plain(done["slice_file"])
    zooms = " x ".join(map(str, done["zooms"][:3]))
    console.print(
        f"   header of {header}:\n      {shape} voxels, {zooms} mm, {done['zooms'][3]} s",
        soft_wrap=True,
    )
    size = " x ".join(map(str, done["slice_shape"]))
    console.print(f"   slice of {drawn}:\n      {size} voxels in {done['seconds'] * 1000:.0f} ms\n")


def _table(stored: int, fetched: int, requests: int, seconds: float) -> Table:
    table = Table(title="What it took", title_justify="left", show_header=False, min_width=44)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("in the bucket", _mib(stored))
    table.add_row("fetched", f"{_mib(fetched)} ({fetched / stored:.0%})")
    table.add_row("requests", str(requests))
    table.add_row("total time", f"{seconds:.1f} s")
    return table


def _plain(text: object) -> str:
    """A path as it is, in rich's markup."""
    return escape(line(text))


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def _leave_running(directory: Path, server: processes.Server, stack: ExitStack, console: Console) -> None:
    record = rundir.find(mounts.resolve(directory))
    if record is None:
        raise MountError(f"{directory} no longer has a daemon.")
    server.outlive(record.pid, directory.parent)
    stack.pop_all()  # from now on others end it
    console.print(f"\nLeft running. Look at [cyan]{_plain(directory)}[/]; to end the mount and the server, type:")
    console.print(f"   [cyan]mountnd umount {_plain(shlex.quote(str(directory)))}[/]", soft_wrap=True)
