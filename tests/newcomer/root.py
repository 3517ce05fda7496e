"""A bare Debian with make and python3 in a directory, and a shell in it with processes and mounts of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_PACKAGES = "make,python3"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine reaches its mirror and its package index: no part of what a newcomer installs.
_NETWORK = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d",
    "/etc/hosts",
    "/etc/pip.conf",
    "/etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt",
    "/usr/local/share/ca-certificates",
)
# $1: the root. What is mounted and started ends with the namespaces.
_ENTER = """
set -e
mount -t proc proc "$1/proc"
mount -t tmpfs -o mode=0755 tmpfs "$1/dev"
for name in null zero full random urandom tty fuse; do
    : > "$1/dev/$name"
    mount --bind "/dev/$name" "$1/dev/$name"
done
mkdir -m 1777 "$1/dev/shm" "$1/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
ln -s /proc/self/fd "$1/dev/fd"
root=$1
shift
exec chroot "$root" env -i "$@"
"""


def mirror() -> tuple[str, str]:
    """(URL, release) of the Debian mirror that apt uses on this machine. Raises RuntimeError."""
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages", "Component: main"]
    for line in subprocess.run(ask, capture_output=True, text=True, check=True).stdout.splitlines():
        url, _, release = line.partition(" ")
        if "-" not in release:  # -updates, -security: not whole
            return url, release
    raise RuntimeError("apt knows no mirror here; see /etc/apt/sources.list")


def debian(root: Path, packages: str) -> None:
    """Make a bare Debian with these packages (commas between) in `root`, which reaches what this machine reaches."""
    url, release = mirror()
    command = ["debootstrap", "--variant=minbase", f"--include={packages}", release, str(root), url]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError("debootstrap failed:\n" + "\n".join(done.stdout.splitlines()[-10:]))
    (root / "etc/apt/sources.list").write_text("")  # debootstrap's line; this machine's follow
    for path in map(Path, _NETWORK):
        target = root / path.relative_to("/")
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        elif path.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def build(root: Path, checkout: Path) -> None:
    """Make a bare Debian in `root`, with the files that git knows of `checkout` in /root/mountnd."""
    debian(root, _PACKAGES)
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=checkout, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        target = root / "root/mountnd" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (checkout / name).is_file():
            shutil.copy(checkout / name, target)


def shell(root: Path, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    """A shell in `root` that reads commands from its stdin. All it has started and mounted goes when it ends."""
    variables = {"HOME": "/root", "PATH": _PATH, "TERM": "dumb", "LANG": "C.UTF-8", **environ}
    enter = ["sh", "-c", _ENTER, "sh", str(root), *(f"{name}={value}" for name, value in variables.items()), "sh"]
    return subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", *enter],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
