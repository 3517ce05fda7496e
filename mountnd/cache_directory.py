"""The cache directory of a mount: where in it what lies, and whether it may be used."""

from __future__ import annotations

import logging
from pathlib import Path

from .config.options import MountConfig
from .private_directory import PrivatePath
from .regular_file import UntrustedDirectory

log = logging.getLogger(__name__)


def blocks_dir(cache_dir: Path) -> PrivatePath:
    """Where a cache directory holds blocks."""
    return PrivatePath(cache_dir) / "blocks"


def names_dir_of(cache_dir: Path) -> PrivatePath:
    """Where a cache directory holds names, and what was learnt of their servers."""
    return PrivatePath(cache_dir) / "names"


def views_dir_of(cache_dir: Path) -> PrivatePath:
    """Where a cache directory holds what views have learnt of files."""
    return PrivatePath(cache_dir) / "views"


def kept_in(config: MountConfig) -> Path | None:
    """The cache directory; None where nothing is to be kept on disk, neither bytes nor names."""
    return None if config.cache_size == 0 else config.cache_dir


def usable(place: PrivatePath) -> PrivatePath | None:
    """`place`, or None where others may write it: said here, and not for each file that could lie there."""
    try:
        place.open()
    except UntrustedDirectory as e:
        log.warning("%s is not used as a cache: %s", e.filename, e.strerror)
        return None
    except OSError:
        pass  # not there yet; or whoever is to write there says why it cannot
    return place
