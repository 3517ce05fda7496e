"""Called by mount(8) as /sbin/mount.fuse.mountnd: its letters mean something else there.

See mount(8), "EXTERNAL HELPERS": /sbin/mount.SUFFIX spec dir [-sfnv] [-N namespace] [-o options] [-t type.subtype]
"""

from __future__ import annotations

from collections.abc import Sequence


def translate(args: Sequence[str]) -> list[str]:
    """Arguments for mountnd of those that mount(8) gives its helpers. `-f` is "fake" there: only the check is left."""
    out: list[str] = ["mount"]
    rest = iter(args)
    for arg in rest:
        if arg in ("-t", "-N"):
            next(rest, None)
        elif arg == "-o":
            out += ["-o", next(rest, "")]
        elif len(arg) > 1 and arg.startswith("-") and not arg.startswith("--") and not arg[1:].strip("sfnv"):
            out += ["-v"] * arg.count("v")
            if "f" in arg:
                return ["--version"]
        else:
            out.append(arg)
    return out
