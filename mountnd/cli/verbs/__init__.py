"""The verbs: one module each, which holds a click command of the same name.

A new verb is a new module here and a line in `VERBS`. Words that are no verbs, but meant as such, are in `_SOUGHT`.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module

import click

# Verb -> its line in `mountnd --help`, in that order.
VERBS: Mapping[str, str] = {
    "mount": "mount a source (this verb may be left out)",
    "exec": "run a command with a source mounted, then unmount it",
    "umount": "unmount directories (also: unmount)",
    "ls": "list your mounts, and what is wrong with them",
    "presets": "list the datasets known by name, or search them",
    "config": "show the settings in effect, and where each comes from",
    "prefetch": "fetch what will be read into the disk cache, and keep it there",
    "verify": "read files and compare their bytes with what is known of them",
    "stats": "what a mount read, from where, and what it fetched",
    "explain": "what is behind a path, and what reading it would do now",
    "report": "what was read, in one page: maps, waits, price, provenance",
    "lock": "pin each object's version in a file, to mount just these later",
    "logs": "what a mount has to say: each file that could not be read",
    "refresh": "have a mount forget the names below a path",
    "cache": "list, check or clear the disk cache",
    "doctor": "find out what is wrong, and the command that fixes it",
    "systemd": "print a unit by which systemd mounts a source",
    "demo": "try it: a small dataset, a mount and a picture, without a network",
    "help": "read the manual, page by page",
    "completion": "what makes Tab complete all of this in your shell",
}

# Other words for a verb, which work as it does.
ALIASES: Mapping[str, str] = {"unmount": "umount"}

# Words that people look for -> what to type instead.
_SOUGHT: Mapping[str, tuple[str, ...]] = {
    "log": ("logs",), "journal": ("logs",), "errors": ("logs",),
    "list": ("ls", "presets"), "mounts": ("ls",), "ps": ("ls",), "status": ("ls", "stats DIR"),
    "show": ("ls", "config"), "df": ("ls",), "du": ("stats DIR",), "usage": ("stats DIR",),
    "info": ("explain PATH", "presets NAME", "stats DIR"), "why": ("explain PATH",), "what": ("explain PATH",),
    "stat": ("explain PATH", "stats DIR"), "file": ("explain PATH",),
    "find": ("presets WORDS",), "search": ("presets WORDS",), "datasets": ("presets",), "sources": ("presets",),
    "version": ("--version",), "man": ("help",), "docs": ("help",), "manual": ("help",),
    "stop": ("umount DIR",), "eject": ("umount DIR",), "kill": ("umount DIR",), "end": ("umount DIR",),
    "detach": ("umount --lazy DIR",), "start": ("mount SOURCE DIR",), "attach": ("mount SOURCE DIR",),
    "check": ("doctor", "verify PATH"), "diagnose": ("doctor",), "test": ("doctor", "demo"), "settings": ("config",),
    "options": ("config", "mount --help"), "configure": ("config",), "update": ("refresh PATH",),
    "reload": ("refresh PATH",), "sync": ("refresh PATH",), "clear": ("cache clear",), "clean": ("cache clear",),
    "checksum": ("verify PATH",), "fsck": ("verify PATH", "cache verify"), "sha256sum": ("verify PATH",),
    "completions": ("completion",), "autocomplete": ("completion",),
    "run": ("exec SOURCE -- COMMAND",), "with": ("exec SOURCE -- COMMAND",), "service": ("systemd SOURCE DIR",),
    "warm": ("prefetch PATH",), "preload": ("prefetch PATH",), "download": ("prefetch PATH",),
    "fetch": ("prefetch PATH",), "get": ("prefetch PATH",), "pin": ("prefetch PATH --pin NAME",),
    "unpin": ("cache unpin NAME",),
    "freeze": ("lock SOURCE -o FILE",), "lockfile": ("lock SOURCE -o FILE",), "snapshot": ("lock SOURCE -o FILE",),
    "diff": ("lock --diff OLD NEW",), "compare": ("lock --diff OLD NEW",), "import": ("lock --import FILE SOURCE",),
    "example": ("demo",), "tutorial": ("demo",), "top": ("stats DIR --watch",), "tail": ("logs -f DIR",),
}  # fmt: skip
# How like a verb a word must be to be taken for a slip of one.
_LIKE = 0.75


def near_verbs(word: str) -> str:
    """`did you mean ...?` for a word that is meant as a verb: sought as one, or a slip of one; "" for others. Pure."""
    folded = word.casefold()
    found = _SOUGHT.get(folded)
    if not found:
        like = get_close_matches(folded, [*VERBS, *ALIASES], n=2, cutoff=_LIKE)
        found = tuple(dict.fromkeys(ALIASES.get(verb, verb) for verb in like))
    return f"did you mean {' or '.join(f'`mountnd {typed}`' for typed in found)}?" if found else ""


def load(verb: str) -> click.Command:
    """The command of a verb. Imported only now, so that no verb pays for another's libraries."""
    command: click.Command = getattr(import_module(f"{__name__}.{verb}"), verb)
    return command
