"""Options that were typed and would have no effect on what they were typed for."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError
from .layers import RawValues
from .options import OPTIONS
from .source_spec import ParsedSource


def _takes(option: str, sources: Sequence[ParsedSource]) -> bool:
    """Whether a source that is not on S3 takes an option of those that are: DANDI's API may be that of a mirror."""
    return option == "endpoint_url" and any(source.url.startswith("dandi://") for source in sources)


def check_used(typed: RawValues, sources: Sequence[ParsedSource]) -> None:
    """Refuse what was typed but would have no effect. Raises UsageError."""
    if "urls" in typed and all(source.url for source in sources):
        raise UsageError(f"{typed['urls'].origin}: only a dataset of signed links, such as fastmri, takes it")
    for name in ("ttl", "probe"):
        if name in typed and all(source.lockfile or source.snapshot for source in sources):
            what = "a lockfile" if any(source.lockfile for source in sources) else "a snapshot"
            raise UsageError(f"{typed[name].origin}: {what} says which names there are; nothing is listed or asked")
    on_s3 = [source for source in sources if source.is_s3]
    for option in OPTIONS:
        if option.s3_only and option.name in typed and not on_s3 and not _takes(option.name, sources):
            raise UsageError(f"{typed[option.name].origin}: only sources on S3 take it, not {sources[0].label}")
    if "profile" in typed and all(source.preset and source.preset.anonymous for source in on_s3):
        raise UsageError(f"{typed['profile'].origin}: all of these sources are public and are always read unsigned")
