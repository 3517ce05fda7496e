"""`mountnd ls`: the mounts that run."""

from __future__ import annotations

import click

from .. import running, streams
from ..flags import json_option


@click.command()
@json_option("A list, one object a mount.")
def ls(as_json: bool) -> None:
    """List your mounts: where, what, since when, how much was read and fetched, and whether each answers.

    Those whose daemon died or hangs are named with the command that ends them. Files of a dataset are listed by
    plain `ls DIR`.
    """
    found = running.running()
    if as_json:
        streams.show_json([mount.as_json() for mount in found], indent=2)
    else:
        running.show(found)
