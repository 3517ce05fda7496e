"""JuiceFS for the nodes of `cluster`: a volume that holds the same files, and how it is mounted.

JuiceFS keeps files as blocks of 4 MiB in a format of its own, and their names in a database. Its community edition has
no command that takes over objects which are there (`juicefs --help` of 1.4), so `make` writes the files into a volume:
the blocks into the directory from which the server of all others serves them, so that its log counts them too, and the
names into a file of SQLite, which all nodes of this host can open. Nodes mount the volume read-only, over S3.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from . import data
from .peers import KEYS, Peer
from .place import DATA, program

PROGRAM = program("juicefs")
BUCKET, VOLUME = "juicefs", "volume"
NAMES = f"sqlite3://{DATA / BUCKET}.db"
MAKE_S = 300

# Nothing is written to the server, and nobody else is asked.
MOUNT = (
    PROGRAM + f" --no-agent mount {NAMES} {{mnt}} --read-only --storage s3 --bucket {{url}}/{BUCKET} --backup-meta 0 "
    "--no-bgjob --no-usage-report --attr-cache 1h --entry-cache 1h --dir-entry-cache 1h --cache-dir "
)
# A mount lists its cache directory at its start and once an hour, and sees nothing that others put there meanwhile,
# unless it is told to keep no list: then it tries to open each block.
LOOKS_EACH_TIME = "--cache-scan-interval=-1"


def available() -> bool:
    return shutil.which(PROGRAM) is not None


def peer(cache: Path | str = "{cache}", options: str = "") -> Peer:
    """The volume, mounted with this cache directory; by default with one of its own."""
    return Peer(name="JuiceFS", command=f"{MOUNT}{cache} {options}", env=KEYS, judged=False)


def make(source: Path) -> None:
    """Write the files of a directory into a new volume. Raises CalledProcessError."""
    shutil.rmtree(DATA / BUCKET, ignore_errors=True)
    for left in DATA.glob(f"{BUCKET}.*"):  # SQLite may have left a log
        left.unlink()
    (DATA / BUCKET).mkdir()
    _run("format", NAMES, VOLUME, "--storage", "file", "--bucket", f"{DATA / BUCKET}/")
    _run("sync", f"{source}/", f"jfs://{VOLUME}/")
    (DATA / f"{BUCKET}.index").write_text(data.indexed(DATA / BUCKET))


def _run(*words: str) -> None:
    env = {**os.environ, VOLUME: NAMES}  # where `sync` looks for what `jfs://NAME/` is
    subprocess.run([PROGRAM, "--quiet", "--no-agent", *words], env=env, check=True, timeout=MAKE_S)
