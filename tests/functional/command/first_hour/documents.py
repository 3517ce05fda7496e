"""What the documents tell to type, and the run directory that a variable names."""

from __future__ import annotations

from .row import Row

_TABLE = 120
_ABSENT = {"MOUNTND_RUN_DIR": "/absent/run"}

ROWS = [
    Row("presets openneuro", 0, ("OpenNeuro", "s3://openneuro.org"), _TABLE),
    Row("presets fastmri", 0, ("fastMRI", "--urls"), _TABLE),
    Row("config lab --config {tmp}/absent.toml", 2, ("absent.toml",)),
    Row("cache ls --cache-dir {tmp}/cache", 0, (), 5),
    Row("stats {tmp}", 1, ("{tmp}",)),
    Row("refresh {tmp}", 1, ("{tmp}",)),
    Row("umount {tmp}", 1, ("is not mounted",)),
    Row("doctor openneuro --install-helper", 2, ("goes alone: mountnd doctor --install-helper",)),
    Row("s3://bkt {mnt} --memory 64M", 1, ("the directory above /absent/run is missing", "unset it"), 2, env=_ABSENT),
    Row("s3://bkt {mnt} --memory 65M", 1, ("is relative",), 2, env={"MOUNTND_RUN_DIR": "run"}),
    Row("s3://bkt {mnt} --memory 66M", 1, ("/dev/null is not a directory",), 2, env={"MOUNTND_RUN_DIR": "/dev/null"}),
    Row("doctor --cache-dir {tmp}/cache", 1, ("export MOUNTND_RUN_DIR=$(mktemp -d)",), _TABLE, env=_ABSENT),
]
