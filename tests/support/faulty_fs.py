"""A file system of a test's own that fails or hangs on demand (`server_scripts/faulty_fs.py`), in another process."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .servers import SCRIPTS, script_server


class FaultyFs:
    """One that is mounted. `path`: where; `root`: the directory that it shows."""

    def __init__(self, path: Path, root: Path, control: Path) -> None:
        self.path, self.root, self._control = path, root, control

    def do(self, what: str) -> None:
        """From now on: "" for all is well, the name of an errno, "hang" or "hang write"."""
        new = self._control.with_suffix(".new")
        new.write_text(what)
        new.rename(self._control)


@contextlib.contextmanager
def faulty_fs(where: Path) -> Iterator[FaultyFs]:
    """`where`/root, shown at `where`/shared. It answers again, and is unmounted, at the end."""
    root, path, control = where / "root", where / "shared", where / "control"
    root.mkdir()
    root.chmod(0o2770)
    path.mkdir()
    fs = FaultyFs(path, root, control)
    fs.do("")
    try:
        with script_server(SCRIPTS / "faulty_fs.py", str(root), str(path), str(control)) as line:
            assert line == "mounted"
            try:
                yield fs
            finally:
                fs.do("")  # whoever waits in it can end
    finally:
        subprocess.run(["fusermount3", "-uzq", str(path)], check=False, timeout=20)
