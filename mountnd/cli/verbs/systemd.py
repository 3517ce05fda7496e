"""`mountnd systemd SOURCE DIR`: print a unit by which systemd mounts it."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ...config.option_types import DIR, FILE, parse
from ...config.options import OPTIONS
from ...config.resolve import ConfigInputs, ResolvedMount, resolve_mount
from ...daemon import handed_over
from ...errors import MountError, UsageError
from ...redaction import redacted
from ..flags import TableCommand, complete_word, with_options
from ..install_helper import installed_command
from ..streams import remark, show_as_it_is
from ..unit import Unit, unit_name, unit_text

# Variables by which a mount finds keys and servers, and which a unit does not inherit.
_KEYS = ("AWS_", "GOOGLE_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_RUN_DIR = "MOUNTND_RUN_DIR"


@click.command(cls=TableCommand, short_help="Print a systemd unit that mounts a source.")
@click.argument("words", nargs=-1, metavar="[SOURCE...] MOUNTPOINT", shell_complete=complete_word)
@click.option("--system", is_flag=True, help="For the machine, from its start on; else for you, from your login on.")
@with_options("mount")
def systemd(inputs: ConfigInputs, words: tuple[str, ...], system: bool) -> None:
    """Print a systemd unit that mounts SOURCE at MOUNTPOINT, with these options.

    systemd then mounts it at each start, waits until it can be read, ends it
    as `mountnd umount` does, and mounts it again should it fail.

    \b
      mountnd systemd openneuro ~/openneuro > \\
          ~/.config/systemd/user/mountnd-openneuro.service
      systemctl --user enable --now mountnd-openneuro.service
    """
    resolved = resolve_mount(words, inputs)
    where = os.fspath(resolved.config.mountpoint)
    if handed_over.descriptor(resolved.config.mountpoint) is not None:
        raise UsageError(f"{where}: a mount that somebody else makes needs no unit")
    options = list(_options(inputs))
    argv = [*_program(), "mount", *_sources(words, resolved), where, *options, "--foreground"]
    if any(redacted(word) != word for word in argv):
        raise UsageError(
            "a unit can be read by everybody, and this one would hold a secret: keep keys in ~/.aws (--profile NAME), "
            "and a URL with a password in the config file"
        )
    asked = ", ".join(source.config.url or source.config.name for source in resolved.sources)
    unit = Unit(
        name=unit_name(where),
        description=f"mountnd: {asked} at {where}",
        start=argv,
        stop=[*_program(), "umount", where],
        system=system,
        user=pwd.getpwuid(os.getuid()).pw_name if system and os.getuid() != 0 else "",
        environment=[f"{_RUN_DIR}={os.environ[_RUN_DIR]}"] if os.environ.get(_RUN_DIR) else [],
    )
    show_as_it_is(unit_text(unit))
    if left_out := sorted(name for name in os.environ if name.startswith(_KEYS)):
        remark(f"Set here, and not in the unit: {', '.join(left_out)}. Where the mount needs them: systemctl edit")


def _program() -> list[str]:
    """This installation's command."""
    try:
        return [os.fspath(installed_command())]
    except MountError:
        return [os.path.abspath(sys.executable), "-P", "-m", "mountnd"]


def _sources(words: Sequence[str], resolved: ResolvedMount) -> list[str]:
    """The sources as they were typed, but for paths, which start from here."""
    urls = [source.config.url for source in resolved.sources]
    return [url if url.startswith("file://") else word for word, url in zip(words[:-1], urls, strict=False)]


def _options(inputs: ConfigInputs) -> Iterator[str]:
    """The options that were typed, and those of variables, as flags; paths absolute."""
    given = {**inputs.environment, **inputs.typed}
    for option in OPTIONS:
        if option.name not in given or option.name == "foreground":
            continue
        value = parse(option, given[option.name])
        if option.kind.counts:
            yield from [option.flag] * value
        elif not option.kind.metavar:
            yield option.flag if value else option.negated_flag
        else:
            path = option.kind in (DIR, FILE)
            yield from (option.flag, os.fspath(Path(value)) if path else str(given[option.name].raw))
