"""`mountnd doctor --install-helper`: tell mount(8), and with it /etc/fstab, where mountnd is.

For the type `fuse.mountnd` mount(8) runs `/sbin/mount.fuse.mountnd` (see mount(8), "EXTERNAL HELPERS"), with a bare
environment: neither a person's PATH nor an activated .venv is there. A link from there to this installation's command
is enough: `main` knows the arguments of mount(8) by the name it is called by.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from pathlib import Path

from ..errors import MountError

HELPER = Path("/sbin/mount.fuse.mountnd")


def installed_command() -> Path:
    """The `mountnd` beside the Python that runs. Raises MountError where there is none."""
    path = Path(sys.executable).parent / "mountnd"
    if not os.access(path, os.X_OK):
        raise MountError(f"There is no {path} to link to; install mountnd with pip (or make setup) first.")
    return path


def install_helper(helper: Path = HELPER) -> str:
    """Make `helper` a link to this installation's command, and say so in a line. Raises MountError."""
    target = installed_command()
    by_hand = f"sudo ln -sfn {shlex.quote(str(target))} {helper}"
    try:
        if not stat.S_ISLNK(os.lstat(helper).st_mode):
            raise MountError(f"{helper} is there and is no link, so it is left alone; remove it first.")
        if os.readlink(helper) == str(target):
            return f"{helper} leads to {target} already."
    except FileNotFoundError:
        pass
    temporary = helper.with_name(f".{helper.name}.{os.getpid()}")
    try:
        os.symlink(target, temporary)
        os.replace(temporary, helper)
    except OSError as e:
        temporary.unlink(missing_ok=True)
        raise MountError(f"{helper} cannot be made ({e.strerror}); type: {by_hand}") from e
    return f"{helper} leads to {target} now: lines of type fuse.mountnd in /etc/fstab work."
