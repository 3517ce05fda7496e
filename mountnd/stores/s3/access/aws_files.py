"""The AWS files, as botocore reads them: what a profile says, and where relative paths in it begin."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

# Options of a profile that hold the path of a file.
_PATHS = ("ca_bundle", "web_identity_token_file")

_FILES = (
    ("AWS_CONFIG_FILE", "~/.aws/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
)


class AwsProfile(NamedTuple):
    """One profile of the AWS files.

    Attributes:
        name: "default" where none is named.
        values: its options, of both files; nested ones (`s3`) are mappings.
        services: options of the section that its `services` names.
        files: paths that variables name, but for the usual ones; "" where they name none.
        sound: False where the files cannot be read, or have no such profile: botocore has the words for that.
    """

    name: str
    values: Mapping[str, Any]
    services: Mapping[str, Any]
    files: str = ""
    sound: bool = True


def read_profile(named: str | None, environ: Mapping[str, str] = os.environ) -> AwsProfile:
    """The profile called `named`, else the one that the environment names, else the default one; reads the files.

    A profile that is not there, and files that cannot be parsed, come back empty: the first request says what is wrong.
    The files are parsed by botocore's parser, which is imported only where there are some. Its session would do
    the rest of this, and take ten times as long to import.
    """
    chosen = named or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE")
    name = chosen or "default"
    usual = [os.path.expanduser(path) for _, path in _FILES]
    paths = [os.path.abspath(_expanded(environ.get(variable) or path)) for variable, path in _FILES]
    files = ",".join(path for path, ordinary in zip(paths, usual, strict=True) if path != ordinary)
    if not any(map(os.path.exists, paths)):
        return AwsProfile(name, {}, {}, files, sound=not chosen)
    from botocore.exceptions import BotoCoreError

    try:
        config = _parsed(*(environ.get(variable, path) for variable, path in _FILES))
    except (BotoCoreError, OSError):
        return AwsProfile(name, {}, {}, files, sound=False)
    profiles = config["profiles"]
    values = profiles.get(name, {})
    section = values.get("services")
    services = config.get("services", {}).get(section, {}) if isinstance(section, str) else {}
    return AwsProfile(name, values, services, files, sound=name in profiles or not chosen)


def _parsed(config_file: str, credentials_file: str) -> dict[str, Any]:
    """Both files as one, as `full_config` of a botocore session. Raises what botocore raises."""
    from botocore.configloader import load_config, raw_config_parse
    from botocore.exceptions import ConfigNotFound

    config: dict[str, Any] = {"profiles": {}}
    try:
        config = load_config(config_file)
    except ConfigNotFound:
        pass
    try:
        for name, values in raw_config_parse(credentials_file).items():
            config["profiles"].setdefault(name, {}).update(values)
    except ConfigNotFound:
        pass
    return config


def anchor(session: Any, directory: str) -> None:
    """Have relative paths and `credential_process` of the AWS files mean what they mean in `directory`.

    botocore takes them from the working directory, which a daemon has left. Call it before credentials are looked for.

    Args:
        session: botocore's; its parsed files are changed, nothing else.
        directory: absolute.
    """
    for profile in session.full_config.get("profiles", {}).values():
        for name in _PATHS:
            if path := profile.get(name):
                profile[name] = os.path.join(directory, os.path.expanduser(path))
        if process := profile.get("credential_process"):
            move = 'cd "$0" 2>/dev/null; exec "$@"'
            profile["credential_process"] = f"sh -c {shlex.quote(move)} {shlex.quote(directory)} {process}"


def _expanded(path: str) -> str:
    return os.path.expanduser(os.path.expandvars(path))
