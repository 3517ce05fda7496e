"""What a store learnt of its server, in a small file that outlives the mount."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping

from ..private_directory import PrivatePath

log = logging.getLogger(__name__)

# Short texts, and a thousand samples of objects (`http/etag_samples.py`) by their keys; a larger file is none of ours.
_LARGEST = 2 << 20


class FileNotes:
    """Notes in a JSON file of texts. One that is damaged, or that others may write, holds nothing and is warned of, as
    is one that cannot be written.

    Args:
        path: of the file, in a directory that is made (0700) when needed.
    """

    def __init__(self, path: PrivatePath | os.PathLike[str]) -> None:
        if isinstance(path, PrivatePath):
            *above, self._name = path.below
            self._directory = PrivatePath(path.top, tuple(above))
        else:
            parent, self._name = os.path.split(os.fspath(path))
            self._directory = PrivatePath.of(parent)
        self._path, self._said = str(path), False

    def read(self) -> dict[str, str]:
        """What stands there; nothing where there is no such file."""
        try:
            directory = self._directory.open()
        except OSError:
            return {}  # whoever keeps listings there says why
        try:
            said = json.loads(directory.read(self._name, _LARGEST))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as e:
            why = e.strerror if isinstance(e, OSError) else "it is damaged"
            self._say(f"what was learnt of the server is not used: {why}")
            return {}
        return {k: v for k, v in said.items() if isinstance(v, str)} if isinstance(said, dict) else {}

    def write(self, notes: Mapping[str, str]) -> None:
        """Keep `notes` instead of what stood there. The file is whole at every moment."""
        try:
            directory = self._directory.open(make=True)
        except OSError:
            return  # whoever keeps listings there says why
        try:
            directory.write(self._name, json.dumps(dict(notes)).encode())
        except OSError as e:
            self._say(f"what is learnt of the server is not kept: {e.strerror or e}")

    def _say(self, what: str) -> None:
        """Once: it is tried again whenever something is learnt."""
        if not self._said:
            self._said = True
            log.warning("%s: %s", self._path, what)
