"""The verbs: one module each, which holds a click command of the same name.

A new verb is a new module here and a line in `VERBS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

# Verb -> its line in `mountnd --help`, in that order.
VERBS: Mapping[str, str] = {
    "mount": "mount a source (this verb may be left out)",
    "umount": "unmount a directory",
    "presets": "list the datasets known by name",
    "config": "show the settings in effect, and where each comes from",
    "stats": "what a mount read, from where, and what it fetched",
    "refresh": "have a mount forget the names below a path",
    "cache": "list, check or clear the disk cache",
    "doctor": "find out what is wrong, and the command that fixes it",
    "demo": "try it: a small dataset, a mount and a picture, without a network",
}


def load(verb: str) -> click.Command:
    """The command of a verb. Imported only now, so that no verb pays for another's libraries."""
    command: click.Command = getattr(import_module(f"{__name__}.{verb}"), verb)
    return command
