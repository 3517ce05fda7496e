"""Podman with a storage of its own, and a base image that is made here: no registry is asked."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.newcomer import root
from tests.support.cli import ROOT

DOCKERFILE = ROOT / "mountnd/help/docker/Dockerfile"
BASE, IMAGE = "localhost/debian-base", "localhost/mountnd"
# A build installs packages twice, and mountnd with what it needs.
BUILD_S, RUN_S = 900.0, 300.0
# What tells pip where it finds packages, as this machine is told.
_OF_PIP = ("PIP_FIND_LINKS", "PIP_DEFAULT_TIMEOUT")

# In a mount namespace of its own, so that what podman mounts goes with it; and where there are both versions of cgroups
# (which crun refuses), with the older one only.
_APART = ("unshare", "--mount", "sh", "-c", 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh")
_ENOUGH = 4096
_LIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}


class CannotRun(Exception):
    """Podman does not run here; the text says why."""


class Podman:
    """Its images and containers lie in `place`."""

    def __init__(self, place: Path) -> None:
        self._device = place / "fuse"
        self._options = [f"--root={place}/root", f"--runroot={place}/run", f"--tmpdir={place}/tmp"]
        # Without systemd, journald and cgroups of its own.
        self._options += ["--cgroup-manager=cgroupfs", "--events-backend=none", "--storage-driver=overlay"]

    def call(self, *words: str | Path, seconds: float = RUN_S) -> subprocess.CompletedProcess[str]:
        """`podman WORDS`, to its end."""
        return subprocess.run(
            [*_APART, "podman", *self._options, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=seconds, check=False, env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        )  # fmt: skip

    @property
    def may_mount(self) -> list[str]:
        """What a container needs to mount. The device is one that all users may open, as udev makes it: this host's may
        be root's alone."""
        if not self._device.exists():
            os.mknod(self._device, stat.S_IFCHR, os.makedev(10, 229))
            self._device.chmod(0o666)
        return [f"--device={self._device}:/dev/fuse", "--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined"]

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """`podman run` on the host's network, where the tests' servers are."""
        # Podman's own limits may be above this process's, which cannot raise them.
        limits = {name: resource.getrlimit(number)[1] for name, number in _LIMITS.items()}
        limits = {name: _ENOUGH if limit < 0 else min(limit, _ENOUGH) for name, limit in limits.items()}
        ours = [f"--ulimit={name}={limit}:{limit}" for name, limit in limits.items()]
        return self.call("run", "--rm", "--init", "--network=host", "--cgroups=disabled", *ours, *words)

    def build(self) -> None:
        """Build the image of the help. Raises CannotRun."""
        words = ["build", "--network=host", "--isolation=chroot", f"--build-arg=BASE={BASE}", f"--tag={IMAGE}"]
        words += [f"--env={name}={os.environ[name]}" for name in _OF_PIP if name in os.environ]
        self._must(*words, f"--file={DOCKERFILE}", str(ROOT), seconds=BUILD_S)

    def bring_in(self, directory: Path) -> None:
        """Make the base image of a directory. Raises CannotRun."""
        archive = directory.with_suffix(".tar")
        subprocess.run(
            ["tar", "--create", f"--file={archive}", f"--directory={directory}", "."], check=True, timeout=300
        )
        self._must("import", str(archive), BASE)
        archive.unlink()

    def _must(self, *words: str, seconds: float = RUN_S) -> None:
        done = self.call(*words, seconds=seconds)
        if done.returncode:
            raise CannotRun(f"podman {words[0]}: {'; '.join((done.stderr or done.stdout).splitlines()[-4:])}")


@contextmanager
def podman() -> Iterator[Podman]:
    """Podman with the image of the help. Raises CannotRun."""
    for program in ("podman", "debootstrap"):
        if not shutil.which(program):
            raise CannotRun(f"{program} is not installed")
    if os.getuid() != 0:
        raise CannotRun("debootstrap needs root")
    # Not below pytest's directory: paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix="podman-", ignore_cleanup_errors=True) as name:
        place, one = Path(name), Podman(Path(name))
        try:
            try:
                root.debian(place / "base", "ca-certificates")
            except RuntimeError as e:
                raise CannotRun(str(e)) from e
            one.bring_in(place / "base")
            shutil.rmtree(place / "base", ignore_errors=True)
            one.build()
            yield one
        finally:
            one.call("rm", "--all", "--force")
            one.call("rmi", "--all", "--force")
