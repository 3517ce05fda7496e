"""Where a mount cannot be made, and what to type instead."""

from __future__ import annotations

from .row import Row

_AT = "--endpoint-url {server} --anonymous --region us-east-1 --cache-size 0"


def _link(target: str) -> tuple[str, ...]:
    """A command that makes `{tmp}/link`, in the working directory, and runs the rest."""
    return ("sh", "-c", f'ln -s {target} link && exec "$@"', "sh")


def _read_only(*more: str) -> tuple[str, ...]:
    """In a namespace of its own where `data` is read-only."""
    script = 'mount --bind data data && mount -o remount,ro,bind data && exec "$@"'
    return ("unshare", "-m", "sh", "-c", script, "sh", *more)


ROWS = [
    Row(f"s3://bkt /proc/self/new {_AT}", 1, ("/proc", "read-only", "mountnd ~/new"), 2, never=("sudo",)),
    Row(f"s3://bkt /sys/new/er {_AT}", 1, ("/sys", "read-only", "mountnd ~/er"), 2, never=("sudo",)),
    Row(
        f"s3://bkt {{tmp}}/data/new {_AT}",
        1,
        ("{tmp}/data is read-only", "mountnd ~/new"),
        2,
        never=("sudo",),
        within=_read_only(),
    ),
    Row(
        f"s3://bkt {{tmp}}/data/a/new {_AT}",
        1,
        ("{tmp}/data is read-only", "mountnd ~/new"),
        2,
        never=("sudo",),
        within=_read_only(),
    ),
    Row(f"s3://bkt {{tmp}}/a/b {_AT}", 1, ("{tmp}/a is missing", "mkdir -p {tmp}/a/b"), 2),
    Row(
        f"s3://bkt {{tmp}}/link {_AT}",
        1,
        ("{tmp}/link is a link to {tmp}/no/where, which is not there", "mkdir -p"),
        2,
        within=_link("no/where"),
    ),
    Row(f"s3://bkt {{tmp}}/link {_AT}", 1, ("{tmp}/a.txt is a file",), 2, files={"a.txt": "x"}, within=_link("a.txt")),
    Row(f"s3://bkt {{tmp}}/a.txt/x {_AT}", 1, ("below a file",), 2, files={"a.txt": "x"}),
    Row(f"s3://bkt {{tmp}} {_AT}", 1, ("is not empty", "'"), 2, files={"a.txt": "x"}),
    Row(f"s3://bkt /proc {_AT}", 1, ("/proc is mounted already",), 2),
    Row("umount {mnt}", 1, ("is not mounted",), 2),
]
