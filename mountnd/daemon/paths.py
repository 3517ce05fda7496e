"""Variables that hold paths: a daemon leaves the directory from which relative ones start.

Pure but for the working directory.
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


def absolute_paths(environ: Mapping[str, str], directory: str) -> dict[str, str]:
    """The variables among `FILES` and `LISTS` that are relative, with the paths they mean in `directory`. Pure."""
    found = {name: _absolute(environ[name], directory) for name in FILES if environ.get(name)}
    for name in LISTS:
        if environ.get(name):
            found[name] = os.pathsep.join(_absolute(path, directory) for path in environ[name].split(os.pathsep))
    return {name: value for name, value in found.items() if value != environ[name]}


def leave_directory() -> None:
    """Change to "/", so that no file system is kept busy, with the variables meaning what they meant."""
    try:
        directory = os.getcwd()
    except OSError:
        pass  # removed: nothing relative can mean anything
    else:
        os.environ.update(absolute_paths(os.environ, directory))
    os.chdir("/")


def _absolute(path: str, directory: str) -> str:
    # An empty part of a list has meanings of its own, and "~" and "$" are expanded by whoever reads them.
    return path if not path or path.startswith(("~", "$")) else os.path.join(directory, path)
