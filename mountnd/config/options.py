"""The one table of options: command line, `-o`, environment, config file and help page all come from it.

    --cache-dir DIR    -o cache-dir=DIR    MOUNTND_CACHE_DIR=DIR    cache_dir = "DIR"    MountConfig.cache_dir

are one line of it: a field of `SourceConfig` or `MountConfig`. The line holds its type, how it is written, its
help and its default, so nothing of it stands anywhere else. A new option is a new line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .. import memory_limit
from .addresses import Address
from .option_types import (
    ADDRESS,
    COUNT,
    DIR,
    FILE,
    ID,
    MEMORY,
    MODE,
    NAME,
    SECONDS,
    SHARED_MODE,
    SIZE,
    SWITCH,
    TTL,
    URL,
    URLS,
    VIEW,
    Kind,
    Option,
    Scope,
)
from .snapshot_names import SnapshotName

# A TTL: what was listed once is never listed again.
INDEFINITE = float("inf")

# Verbs that take an option as a flag: those that mount, or show a mount's settings; and these with those that probe.
_MOUNT = ("mount", "config")
_PROBE = ("mount", "config", "doctor", "prefetch", "verify")
# Those that ask a source for something; and these with the one that asks for its snapshots.
_SOURCE = (*_PROBE, "lock")
_SNAPSHOTS = (*_SOURCE, "versions")
# Those that probe, and whoever only wants to know where a bucket is.
_BUCKET = (*_SOURCE, "cache-server")
_ALL = (*_SNAPSHOTS, "cache-server")
# Those of whoever fills caches.
_CACHING = (*_MOUNT, "prefetch", "verify")


def option(
    kind: Kind,
    help_: str,
    default: Any = None,
    default_text: str = "",
    *,
    default_factory: Callable[[], Any] | None = None,
    **details: Any,
) -> Any:
    """A field of a dataclass that is an option; `details` are attributes of `Option`."""
    metadata = {
        "kind": kind, "help": help_, "default": default, "default_text": default_text,
        "default_factory": default_factory, "verbs": _MOUNT, **details,
    }  # fmt: skip
    if default_factory is not None:
        return field(default_factory=default_factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def _memory_that_fits() -> int:
    return memory_limit.shares(memory_limit.limit()).blocks


# fmt: off
@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """A configured bucket or prefix, with everything its store needs; None means that nobody chose.

    Attributes:
        name: what the source is called; its directory's name in a mount of several.
        url: `s3://bucket/prefix`, or any fsspec URL. "" for a source made of `urls`.
        preset: name of the preset that this came from, "" otherwise.
        snapshot: the snapshot whose files are shown, below `url`; None for what the bucket shows now.
        one_object: `url` names an object, as asking showed, and no prefix.
        lockfile: the file that says which objects there are; `url` is where their bytes come from.
        below: the directory in the lockfile from which on it is shown, ending in "/"; "": all of it.
        anonymous: True never signs, False must sign, None signs when credentials are found.
        path_style: True for `endpoint/bucket/key`; None: decided by endpoint and bucket name.
        view: which compressed files are shown inflated: names of `views.formats.FORMATS`, by commas.
        via: URLs, none twice.
        ttl: seconds; `INDEFINITE` for frozen releases.
    """

    name: str
    url: str = ""
    preset: str = ""
    snapshot: SnapshotName | None = None
    one_object: bool = False
    lockfile: Path | None = None
    below: str = ""
    endpoint_url: str | None = option(URL, "S3 server to use instead of AWS",
        default_text="AWS, or AWS_ENDPOINT_URL", verbs=_BUCKET, s3_only=True)
    region: str | None = option(NAME, "AWS region of the bucket",
        default_text="detected from the bucket", verbs=_BUCKET, s3_only=True, in_preset=True)
    profile: str | None = option(NAME, "profile of ~/.aws whose keys sign the requests",
        default_text="the default AWS credential chain", verbs=_SOURCE, s3_only=True, in_preset=True)
    anonymous: bool | None = option(SWITCH, "never sign requests",
        default_text="sign if keys are found", verbs=_SOURCE, in_preset=True)
    requester_pays: bool = option(SWITCH, "agree that you pay for requests and traffic", False, "false",
        verbs=_SOURCE, s3_only=True, in_preset=True)
    path_style: bool | None = option(SWITCH, "put the bucket in the path of the URL, not in the host name",
        default_text="by endpoint and bucket", verbs=_BUCKET, s3_only=True, in_preset=True)
    urls: Path | None = option(FILE, "file with signed links (fastmri: the e-mail's curl lines)",
        default_text="none", verbs=_PROBE)
    snapshots_url: str | None = option(URL, "GraphQL address to ask for snapshots (SOURCE/DATASET@TAG)",
        default_text="the preset's, where it has snapshots", verbs=_SNAPSHOTS, s3_only=True)
    probe: bool = option(SWITCH, "ask at mounting whether the source can be listed", True, "true")
    view: str | None = option(VIEW, "show each X.nii.gz as X.nii, inflated where it is read (mountnd help views)",
        default_text="what is stored", verbs=_SOURCE)
    shared_signed: bool = option(SWITCH, "share also what needs credentials with who may read the shared cache", False,
        "false", verbs=_CACHING)
    via: tuple[str, ...] = option(URLS, "caching proxies to ask first for bytes of public data (mountnd help cluster)",
        (), "none", verbs=_SOURCE, s3_only=True)
    ttl: float = option(TTL, "how long a listing, or the absence of a name, is valid", 300.0, "300", in_preset=True,
        verbs=_CACHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class MountConfig:
    """One mount, with everything decided.

    Attributes:
        sources: one (its content is the root) or several (one directory each).
        memory: bytes.
        cache_size: bytes, 0 for no disk cache; None: by the free disk.
        shared_size: bytes; None: by the free disk.
        timeout: seconds.
        file_mode, dir_mode: permission bits only.
    """

    mountpoint: Path
    sources: tuple[SourceConfig, ...]
    memory: int = option(MEMORY, "memory for cached and in-flight data", default_factory=_memory_that_fits,
        default_text="512M, or less where less memory may be used", verbs=_CACHING)
    cache_dir: Path | None = option(DIR, "directory of the disk cache",
        default_text="~/.cache/mountnd", verbs=(*_PROBE, "cache"))
    cache_size: int | None = option(SIZE, "limit of the disk cache; 0 turns it off",
        default_text="10 GiB, or 10 % of the free disk", verbs=_CACHING)
    shared_cache: Path | None = option(DIR, "cache on a file system that several nodes have mounted, for all of them",
        default_text="none", verbs=(*_SOURCE, "cache"))
    shared_size: int | None = option(SIZE, "limit of the shared cache, all nodes together",
        default_text="1 TiB, or 10 % of the free disk", verbs=(*_CACHING, "cache"))
    shared_mode: int = option(SHARED_MODE, "permission bits of files in the shared cache", 0o660, "0660",
        verbs=(*_SOURCE, "cache"))
    offline: bool = option(SWITCH, "make no requests: show and read only what is cached", False, "false")
    timeout: float = option(SECONDS, "longest wait of one operation, retries included", 60.0, "60", verbs=_ALL)
    allow_other: bool = option(SWITCH, "let other users see the tree", False, "false")
    uid: int = option(ID, "owner of everything in the tree", default_factory=os.getuid, default_text="you")
    gid: int = option(ID, "group of everything in the tree", default_factory=os.getgid, default_text="yours")
    file_mode: int = option(MODE, "permission bits of files", 0o644, "0644")
    dir_mode: int = option(MODE, "permission bits of directories", 0o755, "0755")
    report: Path | None = option(FILE, "when it is unmounted, write there what was read (`mountnd report DIR`)",
        default_text="none")
    foreground: bool = option(SWITCH, "stay in the foreground; Ctrl-C unmounts", False, "false", short="-f")
    log_file: Path | None = option(FILE, "append the log to this file",
        default_text="background: in the run directory")
    metrics: Address | None = option(ADDRESS, "serve counters there, for Prometheus (mountnd help metrics)",
        default_text="none")
    verbose: int = option(COUNT, "log more; twice: debug messages", 0, "0", short="-v")
    debug: bool = option(SWITCH, "show tracebacks and log everything", False, "false")
# fmt: on


CONFIG_FILE = Option(
    name="config",
    kind=FILE,
    scope="call",
    help="config file",
    default_text="~/.config/mountnd/config.toml",
    verbs=(*_ALL, "cache"),
)


def _options_of(config: type, scope: Scope) -> Iterator[Option]:
    for one in fields(config):
        if one.metadata:
            yield Option(name=one.name, scope=scope, **one.metadata)


# In the order that help shows them.
OPTIONS: tuple[Option, ...] = (*_options_of(SourceConfig, "source"), *_options_of(MountConfig, "mount"), CONFIG_FILE)

BY_NAME: Mapping[str, Option] = {one.name: one for one in OPTIONS}


def for_verb(verb: str) -> list[Option]:
    """The options that `verb` takes as flags, in the table's order."""
    return [one for one in OPTIONS if verb in one.verbs]
