"""What a store learnt of its server, in a small file that outlives the mount."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)


class FileNotes:
    """Notes in a JSON file of texts. One that cannot be read holds nothing; one that cannot be written is warned of."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, str]:
        """What stands there; nothing where there is no such file."""
        try:
            said = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return {k: v for k, v in said.items() if isinstance(v, str)} if isinstance(said, dict) else {}

    def write(self, notes: Mapping[str, str]) -> None:
        """Keep `notes` instead of what stood there. The file is whole at every moment."""
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(json.dumps(dict(notes)))
            os.replace(temporary, self._path)
        except OSError as e:
            with contextlib.suppress(OSError):
                temporary.unlink()
            log.warning("%s: what is learnt of the server is not kept: %s", self._path, e.strerror or e)
