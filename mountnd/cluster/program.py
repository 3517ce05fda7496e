"""Which nginx is there, and what it can: by what `nginx -V` says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import NamedTuple

from ..errors import MountError
from .nginx_config import Features

# Debian's lies where an ordinary user's PATH does not lead.
_PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin")
_INSTALL = "Debian and Ubuntu: sudo apt-get install nginx-light; Fedora: sudo dnf install nginx"
# Modules that its configuration needs; those in the first line must be asked for when nginx is built, the others are
# there unless they are left out.
_ADDED = ("http_slice_module", "http_ssl_module")
_USUAL = (
    "http_proxy_module",
    "http_map_module",
    "http_rewrite_module",
    "http_access_module",
    "http_upstream_keepalive_module",
)
_ANSWER_S = 10.0


class Nginx(NamedTuple):
    """A program that can be a node."""

    path: str
    features: Features


def find() -> Nginx:
    """The nginx on PATH, or where systems put it. Raises MountError, which says what to install."""
    path = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_PLACES]))
    if path is None:
        raise MountError(f"nginx is not installed. {_INSTALL}")
    try:
        told = subprocess.run(
            [path, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise MountError(f"{path} cannot be run: {getattr(e, 'strerror', None) or 'it does not answer'}") from e
    return Nginx(path, features(path, told.stderr + told.stdout))


def features(path: str, told: str) -> Features:
    """What `nginx -V` has `told`. Raises MountError for one that cannot be a node. Pure."""
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", told)
    if not found:
        raise MountError(f"{path}: this is not nginx, or does not say its version. {_INSTALL}")
    if missing := [name for name in _ADDED if not re.search(rf"--with-{name}\b(?!=dynamic)", told)]:
        raise MountError(f"{path} was built without {' and '.join(missing)} (nginx -V). {_INSTALL}")
    without = set(re.findall(r"--without-(\w+)", told))
    if missing := [name for name in _USUAL if name in without]:
        raise MountError(f"{path} was built without {' and '.join(missing)} (nginx -V). {_INSTALL}")
    version = tuple(int(number) for number in found.groups())
    return Features(version, frozenset(without), "--with-threads" in told)
