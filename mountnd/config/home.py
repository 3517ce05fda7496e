"""The user's home directory. Not every user has one: containers run as any number, and HOME may be somebody else's."""

from __future__ import annotations

import os
import pwd

NO_HOME = "this user has no home directory"


def home_directory() -> str | None:
    """$HOME, else what the user database says; None where neither names one that this user may enter.

    (`os.path.expanduser` leaves the `~` where there is none, and a directory of that name would be made.)
    """
    candidates = [os.environ.get("HOME", "")]
    try:
        candidates.append(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        pass  # a user without a name
    return next((path for path in candidates if os.path.isabs(path) and _may_enter(path)), None)


def expand_home(text: str) -> str:
    """`text` with a leading `~` or `~USER` replaced. Raises LookupError where this user's home is meant and missing."""
    if text != "~" and not text.startswith("~/"):
        return os.path.expanduser(text)
    home = home_directory()
    if home is None:
        raise LookupError(NO_HOME)
    return os.path.join(home, text[2:]) if text[2:] else home


def _may_enter(path: str) -> bool:
    try:
        os.stat(os.path.join(path, "."))
    except PermissionError:
        return False  # `setpriv`, and `sudo` without -H, keep the HOME of whoever called them
    except OSError:
        pass  # missing: it may be made
    return True
