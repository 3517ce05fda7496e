"""`mountnd [SOURCE] MOUNTPOINT`: settle what is meant, tell it, and hand it to the daemon."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

import click

from ...config import presets
from ...config.resolve import Layers, MountConfig, Resolved, SourceConfig, resolve
from ...errors import Forbidden
from ..flags import TableCommand, complete_word, takes_options


@click.command(cls=TableCommand)
@click.argument("words", nargs=-1, metavar="[SOURCE] MOUNTPOINT", shell_complete=complete_word)
@takes_options("mount")
def mount(layers: Layers, words: tuple[str, ...]) -> int:
    """Mount SOURCE at MOUNTPOINT, in the background, until `mountnd umount`.

    SOURCE is a preset (`mountnd presets`), a name of the config file,
    s3://BUCKET/PREFIX, or any URL fsspec reads (gs://, https://, file://). Without
    SOURCE, the config file or the mountpoint's name says what is meant:

    \b
      mountnd ~/openneuro
      mountnd openneuro/ds000001 ./here
      mountnd s3://bucket/prefix DIR --endpoint-url https://s3.example.org
    """
    resolved = resolve(words, layers)
    for line in introduction(resolved):
        say(line)
    from ...daemon import run_mount

    code = run_mount(resolved.config, serve=serve, say=say)
    if code == 0 and not resolved.config.foreground:
        where = shlex.quote(str(resolved.config.mountpoint))
        say(f"{resolved.config.mountpoint} is ready. To end it: mountnd umount {where}")
    return code


def say(line: str) -> None:
    """A line for the person, on stderr: stdout stays for what scripts read."""
    click.echo(line, err=True)


def introduction(resolved: Resolved) -> Iterator[str]:
    """What is mounted, how it is read, and what its owners ask of its readers."""
    for source in resolved.config.sources:
        place = resolved.config.mountpoint
        if len(resolved.config.sources) > 1:
            place /= source.name
        yield f"{place}: {_described(source)}"
        preset = resolved.presets.get(source.name)
        if preset is None:
            continue
        asked = [f"Licence: {preset.licence}." if preset.licence else "", preset.terms if preset.accept else ""]
        if any(asked):
            yield f"  {' '.join([*filter(None, asked), preset.terms_url if preset.accept else ''])}".rstrip()
        if preset.citation:
            yield f"  Please cite: {preset.citation}"
    yield from resolved.notices


def _described(source: SourceConfig) -> str:
    signing = ""
    if source.anonymous:
        signing = ", read unsigned"
    elif source.profile:
        signing = f", signed with profile {source.profile}"
    at = f" at {source.endpoint_url}" if source.endpoint_url else ""
    return f"{source.url or f'links in {source.urls}'}{at}{signing if source.url else ''}"


def serve(config: MountConfig, ready: Callable[[], None]) -> None:
    """Serve the mount in the process the daemon room made for it. Raises what `assembly.serve` raises."""
    from ... import assembly

    try:
        assembly.serve(config, ready)
    except Forbidden as e:
        if hint := keys_hint(config.sources, str(e)):
            raise type(e)(f"{e}. {hint}", code=e.code) from e
        raise


def keys_hint(sources: tuple[SourceConfig, ...], message: str) -> str:
    """How to get the keys that a preset needs, where it is what `message`, our own, is about; else ""."""
    for source in sources:
        preset = presets.find(source.preset) if source.preset else None
        if preset is not None and preset.keys and source.anonymous is not True and source.url in message:
            return f"To get keys for {source.name}: {preset.keys}"
    return ""
