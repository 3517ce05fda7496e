"""`mountnd doctor [SOURCE]`: what is wrong, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from ...config.resolve import ConfigInputs, resolve_source
from ...daemon.host import Finding
from ...errors import UsageError
from .. import install_helper as helper
from .. import tables
from ..diagnose_machine import diagnose_machine
from ..diagnose_source import DIRECTORIES_MAX, diagnose_source, hidden_keys
from ..diagnose_via import diagnose_via
from ..flags import TableCommand, json_option, with_options
from ..streams import show, show_json, waiting

# A source answers one small question within a second or two, or something is wrong.
_PROBE_S = 15.0
# What stands before a finding's further lines, below its level.
_INDENT = " " * 6


@click.command(cls=TableCommand)
@click.argument("source", required=False)
@click.option("--keys", metavar="PREFIX", help="also list the keys below PREFIX that the tree cannot show")
@click.option("--install-helper", is_flag=True, help="have mount(8) and /etc/fstab find mountnd (as root); no checks")
@json_option("The findings, and what --keys lists.")
@with_options("doctor")
def doctor(inputs: ConfigInputs, source: str | None, keys: str | None, install_helper: bool, as_json: bool) -> int:
    """Check what mounting needs; say what is wrong and the command that fixes it.

    Checks the FUSE device, libfuse, fusermount3, the cache directories and your mounts. With SOURCE (a preset, a
    name of the config file, or a URL) also whether it can be reached and listed, and how its requests are
    signed; with --via what its caching proxies do. Exit code 1 when something is bad.
    """
    if install_helper:
        if source is not None or keys is not None:
            raise UsageError("--install-helper goes alone: mountnd doctor --install-helper")
        show(helper.install_helper())
        return 0
    if "via" in inputs.typed and source is None:
        raise UsageError("--via needs a source to try it with: mountnd doctor SOURCE --via URL")
    if keys is not None and source is None:
        raise UsageError("--keys needs a source: mountnd doctor SOURCE --keys PREFIX")
    resolved = resolve_source(source, inputs) if source else None
    options = inputs.all_options()
    caches = ("cache_dir", "cache_size", "shared_cache", "shared_mode")
    findings = list(diagnose_machine(*(options[name].value for name in caches)))
    if resolved:
        probe_s = min(_PROBE_S, options["timeout"].value)
        with waiting(f"Asking {resolved.config.url or resolved.config.name}"):
            findings += diagnose_source(resolved.config, resolved.preset, probe_s, options["cache_dir"].value)
        if resolved.config.via and not any(finding.level == "bad" for finding in findings):
            with waiting("Trying the caching proxies"):
                findings += diagnose_via(resolved.config, options["timeout"].value)
    bad = any(finding.level == "bad" for finding in findings)
    listed = None
    if resolved and keys is not None and not bad:
        listed = hidden_keys(resolved.config, keys, options["timeout"].value)
    if as_json:
        show_json(_told(findings, listed), indent=2)
    else:
        _print(findings)
        if listed is not None:
            _print_keys(*listed)
    return 1 if bad else 0


def _told(findings: list[Finding], listed: tuple[list[tuple[str, str]], bool] | None) -> dict[str, Any]:
    """The keys of `--json`; they stand in help/commands.md."""
    told: dict[str, Any] = {"findings": [finding._asdict() for finding in findings]}
    if listed is not None:
        told["keys"] = [{"key": _printable(key), "reason": reason} for key, reason in listed[0]]
        told["complete"] = listed[1]
    return told


def _print(findings: Iterable[Finding]) -> None:
    """Each finding once, with what mends it on the next line, to be copied."""
    for finding in findings:
        tables.item(tables.Cell(finding.level, finding.level), finding.what, _INDENT)
        if finding.level != "ok" and finding.fix:
            tables.advice(finding.fix, _INDENT, tables.Cell("fix"))


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
