"""`python -m mountnd.api.sharing_daemon`: the command that mounts for `sharing`. It is told what by JSON on its stdin.

Remarks, errors and exit codes are those of `mountnd mount`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..cli import mounting, streams
from ..cli.main import describe, one_line
from ..config.options import MountConfig
from ..config.resolve import resolve_mount
from ..daemon.holders import Holder, Holders
from ..daemon.run import run_mount
from ..redaction import learn_environment
from . import keywords


def mount(request: dict[str, Any]) -> None:
    """Mount in the background, until no process holds the mount.

    Args:
        request: "words" as the command takes them, "options" by name, "private" (the mountpoint is removed at the end),
            "holder": the first one. Raises MountndError.
    """
    resolved = resolve_mount(request["words"], keywords.read(request["options"], mounts=True))
    if (report := resolved.config.report) is not None:
        from ..report import formats

        formats.check(report, resolved.config.mountpoint)

    def serve(config: MountConfig, ready: Callable[[], None]) -> None:
        mounting.serve(config, ready, Holders(config, Holder(*request["holder"])))

    def introduce() -> None:
        for line in mounting.introduction(resolved):
            streams.say(line)

    # In the background, whatever the environment and the config file say of a person's terminal.
    config = replace(resolved.config, foreground=False)
    run_mount(config, serve=serve, say=streams.say, introduce=introduce, private=request["private"])


def main() -> None:
    """Read the request, mount, and exit."""
    streams.ensure_open()
    learn_environment(os.environ)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, exit codes of children are lost
    try:
        mount(json.load(sys.stdin))
    except (Exception, KeyboardInterrupt) as error:
        message, code = describe(error)
        streams.say(f"mountnd: {one_line(message or 'interrupted')}", "bad")
        sys.exit(code)


if __name__ == "__main__":
    main()
