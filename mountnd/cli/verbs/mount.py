"""`mountnd [SOURCE] MOUNTPOINT`: resolve the configuration, introduce the sources, and start the daemon."""

from __future__ import annotations

import shlex

import click

from ...config import presets
from ...config.resolve import ConfigInputs, resolve_mount
from ...errors import UsageError
from ..flags import TableCommand, complete_word, with_options
from ..mounting import introduction, serve
from ..streams import remark, waiting
from . import near_verbs


class _MountCommand(TableCommand):
    """`mount`, which also gets whatever begins with no verb."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [arg for arg in args if not arg.startswith("-")]
        try:
            return super().parse_args(ctx, args)
        except click.UsageError:
            if words and not presets.find(words[0]) and (hint := near_verbs(words[0])):
                raise UsageError(f"{words[0]}: no such verb: {hint}") from None
            raise


@click.command(cls=_MountCommand)
@click.argument("words", nargs=-1, metavar="[SOURCE...] MOUNTPOINT", shell_complete=complete_word)
@with_options("mount")
def mount(inputs: ConfigInputs, words: tuple[str, ...]) -> int:
    """Mount SOURCE at MOUNTPOINT, in the background, until `mountnd umount`.

    SOURCE is a preset (`mountnd presets`), a name of the config file,
    s3://BUCKET/PREFIX, any URL fsspec reads (gs://, https://, file://), or what
    the registry or the browser shows: ds000001, a DOI, a page of OpenNeuro, the
    URL of a bucket. Several sources are a directory each. Without SOURCE, the
    config file or the mountpoint's name tells what to mount:

    \b
      mountnd ~/openneuro
      mountnd openneuro/ds000001 ./here
      mountnd openneuro indi s3://our-bucket/lab ~/brains
      mountnd s3://lab DIR --endpoint-url http://minio:9000
    """
    try:
        resolved = resolve_mount(words, inputs)
    except UsageError as e:
        raise _no_verb(words, inputs) or e from None
    from ...daemon.run import run_mount

    if (report := resolved.config.report) is not None:
        from ...report import formats

        formats.check(report, resolved.config.mountpoint)

    def introduce() -> None:
        for line in introduction(resolved):
            remark(line)

    asked = ", ".join(source.config.url or source.config.name for source in resolved.sources)
    code = run_mount(
        resolved.config,
        serve=serve,
        say=remark,
        introduce=introduce,
        connecting=lambda: waiting(f"Connecting to {asked}"),
    )
    if code == 0 and not resolved.config.foreground:
        where = shlex.quote(str(resolved.config.mountpoint))
        remark(f"{resolved.config.mountpoint} is ready. To end it: mountnd umount {where}")
    return code


def _no_verb(words: tuple[str, ...], inputs: ConfigInputs) -> UsageError | None:
    """What to say where the first word is no source, but may have been meant as a verb."""
    first = words[0] if words else ""
    if first in inputs.file.sources or presets.find(first) or not (hint := near_verbs(first)):
        return None
    return UsageError(f"{first}: no such verb or source: {hint}")
