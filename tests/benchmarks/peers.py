"""The mounts under test: a `Peer` is a command that stays in the foreground.

In a command `{url}` is the server, `{bucket}` the bucket, `{mnt}` the mount point, `{cache}` a directory that is empty
at a cold start and outlives a restart, `{ca}` what to trust under TLS.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import dataclass, field

from .place import program

OURS = "ours"
# The files themselves, where they were made: what a program takes without any mount. No peer, but run beside them.
LOCAL = "local"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One setting of one program.

    Attributes:
        suits: pattern of the workloads that this setting is meant for; it is left out of the others, where the same
            program has a better one (`--all` puts it in everywhere).
        persistent: whether it keeps anything over a restart; without, that phase is left out.
        counts_mount: its mounting does work that others do later (it lists the bucket), so that time counts.
        judged: whether a goal is measured against it; False for a candidate given on the command line.
    """

    name: str
    command: str
    suits: str = ""
    env: dict[str, str] = field(default_factory=dict)
    tls: str = ""
    persistent: bool = False
    counts_mount: bool = False
    judged: bool = True

    @property
    def available(self) -> bool:
        return self.name == LOCAL or shutil.which(shlex.split(self.command)[0]) is not None

    @property
    def family(self) -> str:
        """The program, whatever its setting: `rclone-streams` is `rclone`."""
        return re.split(r"-(?!fuse)", self.name)[0]

    def fits(self, workload: str) -> bool:
        return re.search(self.suits, workload) is not None


STREAMS = "W1|W2|W6-|W8|W9|W3|^R"
RANDOM = "W3|W4|^R[18]"

RCLONE = (
    program("rclone") + " mount :s3:{bucket} {mnt} --config /dev/null --s3-provider Other --s3-endpoint {url} "
    "--s3-force-path-style --read-only --cache-dir {cache} "
)
RCLONE_TUNED = (
    RCLONE + "--use-server-modtime --no-checksum --vfs-fast-fingerprint --dir-cache-time 1000h --attr-timeout 1h "
    "--max-read-ahead 1Mi --buffer-size 0 "
)
RCLONE_STREAMS = "--vfs-read-chunk-streams 16 --vfs-read-chunk-size 4Mi "
RCLONE_RANDOM = "--vfs-read-chunk-size-limit off "

S3FS = program("s3fs") + " {bucket} {mnt} -f -o url={url},use_path_request_style,public_bucket=1,ro,umask=0022"
S3FS_TUNED = (
    S3FS
    + ",use_cache={cache},parallel_count=20,multipart_size=10,multireq_max=100,listobjectsv2,stat_cache_expire=36000,"
    "max_stat_cache_size=200000,enable_noobj_cache"
)
S3FS_TLS = "-o no_check_certificate,ssl_verify_hostname=0"

# The keys mean nothing to the server; these programs want some, and would ask EC2's metadata service else.
KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"}
GEESEFS = (
    program("geesefs") + " -f --endpoint {url} --no-checksum --no-expire-multipart --stat-cache-ttl 1h --list-type 2 "
    "-o allow_other "
)
GEESEFS_16 = "--memory-limit 4000 --read-ahead-parallel 4096 --read-ahead-large 65536 --large-read-cutoff 1024 "
GOOFYS = (
    program("goofys") + " -f --endpoint {url} --region us-east-1 --stat-cache-ttl 1h --type-cache-ttl 1h {bucket} {mnt}"
)
MOUNTPOINT = (
    program("mount-s3")
    + " -f --read-only --endpoint-url {url} --region us-east-1 --force-path-style --no-sign-request "
    "--maximum-throughput-gbps 10 "
)

PEERS = [
    Peer(name=LOCAL, command="", suits="^R", judged=False),
    Peer(
        name=OURS,
        command=sys.executable
        + " -m mountnd s3://{bucket} {mnt} --endpoint-url {url} --anonymous -f --cache-dir {cache}",
        persistent=True,
        judged=False,
    ),
    Peer(name="rclone", command=RCLONE, suits="none"),
    Peer(name="rclone-streams", command=RCLONE_TUNED + RCLONE_STREAMS, suits=STREAMS),
    Peer(
        name="rclone-full",
        command=RCLONE_TUNED + RCLONE_STREAMS + "--vfs-cache-mode full --vfs-read-ahead 64Mi",
        suits="W1|W2|W8",
        persistent=True,
    ),
    Peer(name="rclone-random", command=RCLONE_TUNED + RCLONE_RANDOM + "--vfs-read-chunk-size 128Ki", suits=RANDOM),
    Peer(
        name="rclone-refresh",
        command=RCLONE_TUNED + RCLONE_STREAMS + "--vfs-refresh --fast-list",
        suits="W5",
        counts_mount=True,
    ),
    Peer(name="s3fs-fuse", command=S3FS, tls=S3FS_TLS, suits="none"),
    Peer(name="s3fs-fuse-tuned", command=S3FS_TUNED, tls=S3FS_TLS, persistent=True),
    Peer(name="geesefs", command=GEESEFS + "{bucket} {mnt}", env=KEYS),
    Peer(name="geesefs-16", command=GEESEFS + GEESEFS_16 + "{bucket} {mnt}", env=KEYS, suits="W1|W2|W4|W6|W8|^R"),
    Peer(
        name="geesefs-cache",
        command=GEESEFS + "--cache {cache} {bucket} {mnt}",
        env=KEYS,
        suits="W1|W5",
        persistent=True,
    ),
    Peer(name="goofys", command=GOOFYS, env=KEYS),
    Peer(name="mountpoint", command=MOUNTPOINT + "{bucket} {mnt}", tls="--ca-bundle {ca}"),
    Peer(
        name="mountpoint-cache",
        command=MOUNTPOINT + "--cache {cache} --metadata-ttl indefinite {bucket} {mnt}",
        tls="--ca-bundle {ca}",
        suits="W1|W2|W6-",
        persistent=True,
    ),
]
BY_NAME = {peer.name: peer for peer in PEERS}

GEESEFS_MISSING = """\
geesefs is not here. It is the fastest peer in most rows: those that need it are not judged without it, and rows R...
count as missed. It is a Go program: build it (go build) from github.com/yandex-cloud/geesefs, a release of 0.43 or
newer, and put it on PATH or into $MOUNTND_BENCH/bin."""

if __name__ == "__main__":  # what `make bench-setup` says at its end
    if not BY_NAME["geesefs"].available:
        print(GEESEFS_MISSING)
