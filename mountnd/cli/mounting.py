"""What the verbs that mount share: the introduction of the sources, and errors that say how to go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from ..config import presets
from ..config.options import MountConfig, SourceConfig
from ..config.resolve import ResolvedMount
from ..errors import Forbidden, StoreError
from .remedies import next_step


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
    objects = f", the versions that {source.lockfile} names" if source.lockfile else ""
    return f"{source.url or f'links in {source.urls}'}{at}{signing if source.url else ''}{objects}"


def serve(config: MountConfig, ready: Callable[[], None]) -> None:
    """Serve the mount, in the process that the daemon room made for it. Raises what `mountnd.serve.serve` raises."""
    from ..serve import serve as serve_mount

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
