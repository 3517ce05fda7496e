"""All that `mountnd` shows, by name, as words to type: for the test of widths, and for `make screenshots`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mountnd.cli.verbs import VERBS

from .cli import mountpoint, run_mountnd
from .quirky import quirky_server

WIDTHS = (60, 80, 120)

_LONG = "sub-01/ses-2019followup/func/sub-01_ses-2019followup_task-rest_acq-multiband_run-01_bold.nii.gz"
FILES = {
    f"ds000001/{_LONG}": b"b" * 700_000,
    "ds000001/dataset_description.json": b"{}",
    "ds000002/participants.tsv": b"participant_id\n",
    "data/Projects/ABIDE/README": b"x",
}
_CONFIG = """
[sources.lab]
url = "s3://lab-bucket/with/a/rather/long/prefix/of/directories/that/somebody/made/in/2019"
[mounts."/mnt/brains-of-the-whole-department"]
sources = ["lab", "indi", "openneuro"]
"""


class Place(NamedTuple):
    """Where the views are looked at: variables to set, and words by the names in braces."""

    env: Mapping[str, str]
    words: Mapping[str, str]


@contextmanager
def place(tmp: Path) -> Iterator[Place]:
    """A server with FILES, mounted and read, a cache, a config file, and a home of its own below `tmp`."""
    (tmp / "config.toml").write_text(_CONFIG)
    env = {"HOME": str(tmp), "MOUNTND_CACHE_DIR": str(tmp / "cache")}
    with quirky_server() as server, mountpoint(tmp / "mnt") as where:
        server.hold(FILES)
        source = ("s3://bkt", "--endpoint-url", server.url, "--anonymous")
        done = run_mountnd(source[0], where, *source[1:], env=env)
        assert done.returncode == 0, done.stderr
        for path in where.rglob("*"):
            if path.is_file():
                path.read_bytes()
        at = f"--endpoint-url {server.url} --anonymous"
        yield Place(env, {"mnt": str(where), "tmp": str(tmp), "at": at, "config": str(tmp / "config.toml")})


# Name -> words, as a shell would split them.
VIEWS: Mapping[str, str] = {
    "help": "--help",
    **{f"{verb}-help": f"{verb} --help" for verb in VERBS},
    "help-pages": "help",
    "help-of-a-verb": "help cache",
    "presets": "presets",
    "presets-search": "presets mri human",
    "preset-openneuro": "presets openneuro",
    "preset-hcp": "presets hcp",
    "preset-fastmri": "presets fastmri",
    "config": "config",
    "config-file": "config --config {config}",
    "config-mount": "config openneuro {tmp}/a/mountpoint --config {config} --ttl indefinite",
    "stats": "stats {mnt}",
    "explain": f"explain {{mnt}}/ds000001/{_LONG} {{mnt}}/ds000001 {{mnt}}/ds000002/nothing",
    "cache": "cache ls",
    "cache-objects": "cache ls ds000001",
    "cache-verify": "cache verify",
    "prefetch": "prefetch {mnt}/ds000001 --pin tonight",
    "prefetch-plan": "prefetch s3://bkt {at} --dry-run",
    "prefetch-nothing": "prefetch s3://bkt {at} --sub 77 --suffix bold",
    "prefetch-failed": "prefetch {mnt}/ds000001 {mnt}/ds000009/sub-01",
    "verify": "verify {mnt}/ds000001",
    "verify-plan": "verify s3://bkt {at} --dry-run",
    "verify-missing": "verify {mnt}/ds000001/nothing",
    "cache-pins": "cache ls",
    "doctor": "doctor",
    "doctor-source": "doctor s3://bkt {at}",
    "doctor-bad": "doctor s3://bkt/nothing/lies/here {at}",
    "mounted-already": "s3://bkt {mnt} {at}",
    "error-nothing-there": "s3://bkt/ds00001 {tmp}/other {at}",
    "error-no-source": "opennero {tmp}/other",
    "error-option": "s3://bkt {tmp}/other --anonymos",
    "error-value": "s3://bkt {tmp}/other --memory lots",
    "error-other-tool": "s3://bkt {tmp}/other --vfs-cache-mode full",
    "error-config": "{tmp}/other --config {tmp}/a/config/file/that/is/not/there/at/all.toml",
    "error-umount": "umount {tmp}",
    "error-preset": "presets opnneuro",
}
