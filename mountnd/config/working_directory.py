"""The directory in which the command was called: relative paths start there, also when a daemon has left it.

What is written in options is made absolute when it is read. But libraries read variables and the AWS files at any time
while a mount lives. This module is as much a process's own as its working directory is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

# Read by botocore, OpenSSL, gcsfs and the programs that `credential_process` starts, at any time while a mount lives.
FILES = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_LOGIN_CACHE_DIRECTORY",
    "AWS_CREDENTIAL_FILE",
    "BOTO_CONFIG",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "HOME",
    "TMPDIR",
)
LISTS = ("AWS_DATA_PATH", "SSL_CERT_DIR", "PATH", "PYTHONPATH")

_left = ""


def absolute_paths(environ: Mapping[str, str], directory: str) -> dict[str, str]:
    """The variables among `FILES` and `LISTS` that are relative, with the paths they mean in `directory`. Pure."""
    found = {name: _absolute(environ[name], directory) for name in FILES if environ.get(name)}
    for name in LISTS:
        if environ.get(name):
            found[name] = os.pathsep.join(_absolute(path, directory) for path in environ[name].split(os.pathsep))
    return {name: value for name, value in found.items() if value != environ[name]}


def leave() -> None:
    """Change to "/", so that no file system is kept busy, with the variables meaning what they meant."""
    global _left
    _left = called_in()
    if _left:
        os.environ.update(absolute_paths(os.environ, _left))
    os.chdir("/")


def called_in() -> str:
    """Where relative paths start: the directory that was left, else the working directory; "" when it was removed."""
    try:
        return _left or os.getcwd()
    except OSError:
        return ""


def _absolute(path: str, directory: str) -> str:
    # An empty part of a list has meanings of its own, and "~" and "$" are expanded by whoever reads them.
    return path if not path or path.startswith(("~", "$")) else os.path.join(directory, path)
