"""What a mount is made of, settled: flag > environment > file > preset > default, decided once, here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

INDEFINITE = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """A configured bucket or prefix, with everything its store needs; None means "nobody said".

    Attributes:
        name: what the source is called; its directory's name in a mount of several.
        url: `s3://bucket/prefix`, or any fsspec URL. "" for a source made of `urls`.
        anonymous: True never signs, False must sign, None signs when credentials are found.
        path_style: True for `endpoint/bucket/key`; None: decided by endpoint and bucket name.
        ttl: seconds a listing (and an absence) is believed; `INDEFINITE` for frozen releases.
        urls: file of signed URLs (fastMRI); then `url` is "".
        preset: name of the preset this came from, "" otherwise.
    """

    name: str
    url: str = ""
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    anonymous: bool | None = None
    requester_pays: bool = False
    path_style: bool | None = None
    ttl: float = 300.0
    urls: Path | None = None
    preset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountConfig:
    """One mount, settled.

    Attributes:
        sources: one (its content is the root) or several (one directory each).
        memory: bytes of cached and in-flight data.
        timeout: seconds one operation on the network may take, retries included.
        uid, gid: shown as owner of everything; file_mode, dir_mode: permission bits only.
    """

    mountpoint: Path
    sources: tuple[SourceConfig, ...]
    memory: int = 512 << 20
    cache_dir: Path | None = None
    timeout: float = 60.0
    allow_other: bool = False
    uid: int = field(default_factory=os.getuid)
    gid: int = field(default_factory=os.getgid)
    file_mode: int = 0o444
    dir_mode: int = 0o555
    foreground: bool = False
    log_file: Path | None = None
    verbose: int = 0
    debug: bool = False
