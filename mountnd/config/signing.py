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
from .options import BY_NAME, Layer, Setting, read
from .parsers import did_you_mean
from .presets import Preset

# Numbers of the layers, as `config.Layers.source` stacks them.
_TYPED, _ENVIRONMENT, _MOUNT, _SOURCE, _DEFAULTS = range(5)


def never_signed(preset: Preset, layers: list[Layer], *, single: bool) -> tuple[list[Layer], list[str]]:
    """Keep a public preset from being signed with the user's keys.

    What was written for this source alone is refused (UsageError). What may be meant for other sources
    (of a mount of several, or set for every mount) is taken out; the second result says so.
    """
    notices, kept = [], []
    for number, layer in enumerate(layers):
        asking = [name for name in ("profile", "anonymous") if name in layer and _signs(name, layer)]
        if number <= _DEFAULTS and asking:
            origin = layer[asking[0]].origin
            if number == _SOURCE or (single and number in (_TYPED, _MOUNT)):
                raise UsageError(
                    f"{origin}: {preset.name} is public and is always read unsigned; leave it out"
                    + (f", or sign by mounting {preset.url} itself" if preset.url else "")
                )
            if number in (_ENVIRONMENT, _DEFAULTS):
                notices.append(f"{preset.name} is public and is read unsigned: {origin} is not used for it")
            layer = {name: given for name, given in layer.items() if name not in asking}
        kept.append(layer)
    return kept, notices


def _signs(name: str, layer: Layer) -> bool:
    return name == "profile" or read(BY_NAME[name], layer[name]) is False


def one_way(anonymous: Setting, profile: Setting, profiles: Callable[[], Collection[str]]) -> tuple[Setting, Setting]:
    """`anonymous` and `profile` so that at most one is set: the stronger layer's.

    A profile that the AWS files do not have is an error, except one that a preset names: then the usual
    AWS chain decides. Raises UsageError.
    """
    if anonymous.value and profile.value is not None:
        if anonymous.layer == profile.layer:
            raise UsageError(f"{anonymous.origin} and {profile.origin} exclude each other: sign, or do not")
        if anonymous.layer < profile.layer:
            return anonymous, replace(profile, value=None, origin=f"not used: {anonymous.origin}")
        anonymous = replace(anonymous, value=None, origin=f"not used: {profile.origin}")
    if profile.value is not None and profile.value not in (known := profiles()):
        if not profile.origin.startswith("preset "):
            hint = did_you_mean(profile.value, known) or f"; to make it: aws configure --profile {profile.value}"
            raise UsageError(f"{profile.origin}: the AWS files have no profile {profile.value}{hint}")
        profile = replace(profile, value=None, origin=f"usual AWS chain, for lack of a profile {profile.value}")
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
