"""Who signs requests, and with what: a public preset never, a profile or `anonymous` but not both.

Pure but for `aws_profiles`, which reads the two files of AWS. Whether credentials exist at all is the
store's question, because only its library knows the whole chain.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from .layers import Layer, Layers, RawValues, ResolvedOption
from .option_types import named, parse
from .options import BY_NAME
from .parsers import did_you_mean
from .presets import Preset

_CHOICES = ("profile", "anonymous")


def never_sign(preset: Preset, layers: Layers, *, single: bool) -> tuple[Layers, list[str]]:
    """Keep a public preset from being signed with the user's keys.

    What was written for this source alone is refused (UsageError). What may be for other sources (of a mount of
    several, or set for every mount) is left out of the layers returned; the list of notices says so.

    Args:
        single: the mount shows this source only.
    """
    notices: list[str] = []
    kept: dict[Layer, RawValues] = {}
    for layer, values in layers.items():
        signs = [] if layer is Layer.PRESET else [name for name in _CHOICES if name in values and _signs(name, values)]
        if signs:
            origin = named(values[signs[0]].origin, signs[0])
            if layer is Layer.SOURCE_ENTRY or (single and layer in (Layer.TYPED, Layer.MOUNT_ENTRY)):
                raise UsageError(
                    f"{origin}: {preset.name} is public and is always read unsigned; leave it out"
                    + (f", or sign by mounting {preset.url} itself" if preset.url else "")
                )
            if layer in (Layer.ENVIRONMENT, Layer.FILE_DEFAULTS):
                notices.append(f"{preset.name} is public and is read unsigned: {origin} is not used for it")
        kept[layer] = {name: value for name, value in values.items() if name not in signs}
    return kept, notices


def _signs(name: str, values: RawValues) -> bool:
    return name == "profile" or parse(BY_NAME[name], values[name]) is False


def anonymous_or_profile(
    anonymous: ResolvedOption, profile: ResolvedOption, aws_profiles: Callable[[], Collection[str]]
) -> tuple[ResolvedOption, ResolvedOption]:
    """Both options so that at most one is set: the one of the stronger layer.

    A profile that the AWS files do not have is an error, except one that a preset names: then the usual
    AWS chain decides. Raises UsageError.
    """
    if anonymous.value and profile.value is not None:
        if anonymous.layer == profile.layer:
            both = f"{named(anonymous.origin, 'anonymous')} and {named(profile.origin, 'profile')}"
            raise UsageError(f"{both} exclude each other: sign, or do not")
        if anonymous.layer < profile.layer:
            return anonymous, replace(profile, value=None, origin=f"not used: {anonymous.origin}")
        anonymous = replace(anonymous, value=None, origin=f"not used: {profile.origin}")
    if profile.value is not None and profile.value not in (known := aws_profiles()):
        if profile.layer is not Layer.PRESET:
            hint = (
                did_you_mean(profile.value, known)
                or f"; to make it: aws configure --profile {shlex.quote(profile.value)}"
            )
            raise UsageError(f"{named(profile.origin, 'profile')}: the AWS files have no profile {profile.value}{hint}")
        profile = replace(
            profile, value=None, origin=f"default AWS credential chain, for lack of a profile {profile.value}"
        )
    return anonymous, profile


def aws_profiles(environ: Mapping[str, str]) -> list[str]:
    """The profiles in the AWS config and credentials files, which need not exist.

    Read here and not through botocore, whose import takes longer than everything else the command line
    does. Format: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
    """
    found: dict[str, None] = {}
    for variable, default, prefix in (
        ("AWS_CONFIG_FILE", "~/.aws/config", "profile"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", ""),
    ):
        path = Path(os.path.expanduser(environ.get(variable) or default))
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for header in re.findall(r"^[ \t]*\[([^\]\n]+)\]", text, re.MULTILINE):
            name = _profile_name(header.strip(), prefix)
            if name:
                found[name] = None
    return list(found)


def _profile_name(header: str, prefix: str) -> str:
    if not prefix or header == "default":
        return header
    try:
        words = shlex.split(header)
    except ValueError:
        return ""
    return words[1] if len(words) == 2 and words[0] == prefix else ""
