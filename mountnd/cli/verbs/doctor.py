"""`mountnd doctor [SOURCE]`: what is wrong, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Iterable

import click

from ...config.resolve import ConfigInputs, resolve_source
from ...daemon.host import Finding
from ...errors import UsageError
from .. import tables
from ..diagnose_machine import diagnose_machine
from ..diagnose_source import DIRECTORIES_MAX, diagnose_source, hidden_keys
from ..flags import TableCommand, with_options
from ..streams import show, waiting

# A source answers one small question within a second or two, or something is wrong.
_PROBE_S = 15.0


@click.command(cls=TableCommand)
@click.argument("source", required=False)
@click.option("--keys", metavar="PREFIX", help="also list the keys below PREFIX that the tree cannot show")
@with_options("doctor")
def doctor(inputs: ConfigInputs, source: str | None, keys: str | None) -> int:
    """Check what mounting needs; say what is wrong and the command that fixes it.

    Checks the FUSE device, libfuse, fusermount3, the cache directory and your mounts. With SOURCE (a preset, a
    name of the config file, or a URL) also whether it can be reached and listed, and how its requests are
    signed. Exit code 1 when something is bad.
    """
    if keys is not None and source is None:
        raise UsageError("--keys needs a source: mountnd doctor SOURCE --keys PREFIX")
    resolved = resolve_source(source, inputs) if source else None
    options = inputs.all_options()
    findings = list(diagnose_machine(options["cache_dir"].value, options["cache_size"].value))
    if resolved:
        probe_s = min(_PROBE_S, options["timeout"].value)
        with waiting(f"Asking {resolved.config.url or resolved.config.name}"):
            findings += diagnose_source(resolved.config, resolved.preset, probe_s, options["cache_dir"].value)
    _print(findings)
    bad = any(finding.level == "bad" for finding in findings)
    if resolved and keys is not None and not bad:
        _print_keys(*hidden_keys(resolved.config, keys, options["timeout"].value))
    return 1 if bad else 0


def _print(findings: Iterable[Finding]) -> None:
    found = list(findings)
    tables.show(["", "Finding"], [[tables.Cell(f.level, f.level), f.what] for f in found])
    wrong = [f for f in found if f.level != "ok" and f.fix]
    if wrong:
        show("", "To fix it:")
    for finding in wrong:
        show(f"  {finding.what}")
        tables.advice(finding.fix, indent="      ")  # not in the table: it is there to be copied


def _print_keys(keys: list[tuple[str, str]], complete: bool) -> None:
    show("")
    if keys:
        tables.show(["Key", "Why it is not shown"], [[_printable(key), reason] for key, reason in keys])
    else:
        show("Every key is shown under its own name.")
    if not complete:
        show(f"Stopped after {DIRECTORIES_MAX} directories; name a longer PREFIX for the others.")


def _printable(key: str) -> str:
    """A key on one line of a terminal; what cannot be printed as Python would write it."""
    return key if key.isprintable() and key == key.strip() else repr(key)
