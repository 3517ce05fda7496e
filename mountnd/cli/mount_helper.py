"""The arguments that mount(8) gives to /sbin/mount.fuse.mountnd, where the letters mean something else.

See mount(8), "EXTERNAL HELPERS": /sbin/mount.SUFFIX spec dir [-sfnv] [-N namespace] [-o options] [-t type.subtype]
"""

from __future__ import annotations

from collections.abc import Sequence


def mountnd_arguments(args: Sequence[str]) -> list[str]:
    """mount(8)'s arguments for its helpers, as arguments for mountnd. `-f` is "fake" there: nothing is mounted."""
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
