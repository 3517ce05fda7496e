"""`mountnd [SOURCE] MOUNTPOINT`: resolve the configuration, introduce the sources, and start the daemon."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator

import click

from ...config import presets
from ...config.options import MountConfig, SourceConfig
from ...config.resolve import ConfigInputs, ResolvedMount, resolve_mount
from ...errors import Forbidden, StoreError, UsageError
from ..flags import TableCommand, complete_word, with_options
from ..remedies import next_step
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


def introduction(resolved: ResolvedMount) -> Iterator[str]:
    """What is mounted, how it is read, and what the owners of the data ask of its readers."""
    for source in resolved.sources:
        where, preset = resolved.config.mountpoint, source.preset
        if len(resolved.sources) > 1:
            where /= source.config.name
        yield f"{where}: {_described(source.config)}"
        if preset is None:
            continue
        conditions = [f"Licence: {preset.licence}." if preset.licence else "", preset.terms if preset.accept else ""]
        if any(conditions):
            yield f"  {' '.join([*filter(None, conditions), preset.terms_url if preset.accept else ''])}".rstrip()
        if preset.citation:
            yield f"  Please cite: {preset.citation}"
    yield from resolved.notices
    if os.getuid() == 0 and not resolved.config.allow_other:
        yield "Mounted as root without --allow-other: no other user will see the files."


def _described(source: SourceConfig) -> str:
    signing = ""
    if source.anonymous:
        signing = ", read unsigned"
    elif source.profile:
        signing = f", signed with profile {source.profile}"
    at = f" at {source.endpoint_url}" if source.endpoint_url else ""
    return f"{source.url or f'links in {source.urls}'}{at}{signing if source.url else ''}"


def serve(config: MountConfig, ready: Callable[[], None]) -> None:
    """Serve the mount, in the process that the daemon room made for it. Raises what `mountnd.serve.serve` raises."""
    from ...serve import serve as serve_mount

    try:
        serve_mount(config, ready)
    except StoreError as e:
        if hint := keys_hint(config.sources, str(e)) if isinstance(e, Forbidden) else "":
            raise type(e)(f"{e}. {hint}", code=e.code) from e
        if step := next_step(e, _source_of(config.sources, str(e))):
            raise type(e)(f"{e}. Next: {step}", code=e.code) from e
        raise


def _source_of(sources: tuple[SourceConfig, ...], message: str) -> SourceConfig:
    """The source that an error of ours is about; the first where it names none."""
    return next((source for source in sources if source.url and source.url.rstrip("/") in message), sources[0])


def keys_hint(sources: tuple[SourceConfig, ...], message: str) -> str:
    """How to get the keys for the preset that `message`, an error of ours, is about; "" when it is about no preset."""
    for source in sources:
        preset = presets.find(source.preset) if source.preset else None
        if preset is not None and preset.keys and source.anonymous is not True and source.url in message:
            return f"To get keys for {source.name}: {preset.keys}"
    return ""
