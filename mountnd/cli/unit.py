"""The text of a systemd unit that mounts: pure. See systemd.service(5), "COMMAND LINES", and systemd.syntax(7)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

# What needs no quotes, wherever it stands.
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+~-]+")
# What systemd takes for a program's path (string_is_safe in src/basic/string-util.c); a shell takes any.
_PROGRAM = re.compile(r"""[^\x00-\x1f\x7f-\x9f"'\\\ud800-\udfff]+""")
# What is written otherwise between double quotes; the rest of the control characters as \xNN.
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "%": "%%"}
# Words of a name that stand for nothing in a file's name.
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class Unit(NamedTuple):
    """What a unit is made from.

    Attributes:
        name: of its file, with `.service`.
        start, stop: the commands.
        system: for the machine's manager instead of the user's.
        user: who runs it, "" for whoever the manager is.
        environment: variables to set.
    """

    name: str
    description: str
    start: Sequence[str]
    stop: Sequence[str]
    system: bool
    user: str
    environment: Sequence[str]


def unit_name(mountpoint: str) -> str:
    """A file name for the unit of a mountpoint."""
    return f"mountnd-{_NO_NAME.sub('-', mountpoint.rstrip('/').rpartition('/')[2]).strip('-.') or 'mount'}.service"


def unit_text(unit: Unit) -> str:
    """The unit, with a comment that says what to do with it."""
    place = "/etc/systemd/system" if unit.system else "~/.config/systemd/user"
    control = "sudo systemctl" if unit.system else "systemctl --user"
    lines = [
        f"# Save it as {place}/{unit.name}, then:",
        f"#   {control} daemon-reload",
        f"#   {control} enable --now {unit.name}",
    ]
    if not unit.system:
        lines.append("# To have it from the machine's start on, and not from your login: loginctl enable-linger")
    lines += [
        "[Unit]",
        f"Description={_line(unit.description)}",
        "Documentation=man:mountnd(1)",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=notify",
        *([f"User={unit.user}"] if unit.user else []),
        *(f"Environment={quoted(variable)}" for variable in unit.environment),
        f"ExecStart={command(unit.start)}",
        # Busy, it fails; then SIGTERM takes the mount away from those who use it.
        f"ExecStop=-{command(unit.stop)}",
        # Also where the network comes later than that: a user's manager knows nothing of the machine's targets.
        "Restart=on-failure",
        "RestartSec=10",
        "",
        "[Install]",
        f"WantedBy={'multi-user' if unit.system else 'default'}.target",
    ]
    return "\n".join(lines)


def command(argv: Sequence[str]) -> str:
    """A command line: in its first word, the program, `$` means nothing; in the others it begins a variable."""
    program, *words = argv if _PROGRAM.fullmatch(argv[0]) else ["/bin/sh", "-c", 'exec "$0" "$@"', *argv]
    return " ".join([quoted(program), *(quoted(word).replace("$", "$$") for word in words)])


def quoted(word: str) -> str:
    """One word, where specifiers (`%h`) are resolved and quotes taken away."""
    if _PLAIN.fullmatch(word):
        return word
    return f'"{"".join(map(_escaped, word))}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable() and not "\ud800" <= char <= "\udfff":
        return char
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))


def _line(text: str) -> str:
    """Text for people."""
    shown = "".join(char if char.isprintable() else "?" for char in os.fsencode(text).decode(errors="replace"))
    return shown.replace("%", "%%").rstrip("\\")
