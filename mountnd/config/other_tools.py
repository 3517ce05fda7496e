"""What options of aws, rclone, mount-s3, s3fs, goofys and sshfs are called here.

Sources: aws-cli's global options; rclone.org/commands/rclone_mount; mountpoint-s3 doc/CONFIGURATION.md; man s3fs(1);
goofys README; man sshfs(1).
"""

from __future__ import annotations

_READ_ONLY = "leave it out, a mount is always read-only"
_NOT_NEEDED = "leave it out, mountnd decides that by itself"
_CERTIFICATES = "certificates are always checked; name those of your server with AWS_CA_BUNDLE=FILE"

# Without dashes, words joined by "-", as a flag or a word of `-o` -> what to write here, or why not.
_HERE = {
    "no-sign-request": "write --anonymous", "public-bucket": "write --anonymous", "anon": "write --anonymous",
    "endpoint": "write --endpoint-url URL for a server, --region NAME for a region",
    "s3-endpoint": "write --endpoint-url URL", "url": "write --endpoint-url URL", "host": "write --endpoint-url URL",
    "s3-region": "write --region NAME", "request-payer": "write --requester-pays",
    "requester-pay": "write --requester-pays", "payer": "write --requester-pays",
    "force-path-style": "write --path-style", "use-path-request-style": "write --path-style",
    "s3-force-path-style": "write --path-style", "subdomain": "write --no-path-style",
    "prefix": "write the prefix into the source: s3://BUCKET/PREFIX",
    "bucket": "write the bucket as the source: s3://BUCKET",
    "passwd-file": "write --profile NAME, a profile of ~/.aws/credentials",
    "access-key-id": "keys are taken from ~/.aws, AWS_ACCESS_KEY_ID and so on; or write --profile NAME",
    "secret-access-key": "keys are taken from ~/.aws, AWS_ACCESS_KEY_ID and so on; or write --profile NAME",
    "s3-access-key-id": "keys are taken from ~/.aws, AWS_ACCESS_KEY_ID and so on; or write --profile NAME",
    "iam-role": "leave it out, the role of the machine is used by itself",
    "s3-env-auth": "leave it out, keys of the environment are used by themselves",
    "ca-bundle": "set AWS_CA_BUNDLE=FILE", "ca-cert": "set AWS_CA_BUNDLE=FILE",
    "no-verify-ssl": _CERTIFICATES, "no-check-certificate": _CERTIFICATES, "ssl-verify-hostname": _CERTIFICATES,
    "readonly": _READ_ONLY, "read-only": _READ_ONLY, "allow-delete": _READ_ONLY, "allow-overwrite": _READ_ONLY,
    "daemon": "leave it out, a mount goes to the background by itself (--foreground keeps it)",
    "background": "leave it out, a mount goes to the background by itself (--foreground keeps it)",
    "nonempty": "choose an empty directory, mountnd hides no files", "allow-non-empty":
    "choose an empty directory, mountnd hides no files",
    "allow-root": "write --allow-other, or mount as root",
    "cache": "write --cache-dir DIR", "use-cache": "write --cache-dir DIR", "vfs-cache-mode": _NOT_NEEDED,
    "vfs-cache-max-size": "write --cache-size SIZE", "max-cache-size": "write --cache-size SIZE",
    "vfs-cache-max-age": "leave it out; --cache-size limits the cache", "ensure-diskfree": "write --cache-size SIZE",
    "dir-cache-time": "write --ttl SECONDS", "metadata-ttl": "write --ttl SECONDS",
    "negative-metadata-ttl": "write --ttl SECONDS", "stat-cache-expire": "write --ttl SECONDS",
    "stat-cache-ttl": "write --ttl SECONDS", "type-cache-ttl": "write --ttl SECONDS",
    "attr-timeout": "write --ttl SECONDS", "entry-timeout": "write --ttl SECONDS",
    "buffer-size": "write --memory SIZE", "memory-limit": "write --memory SIZE",
    "vfs-read-ahead": _NOT_NEEDED, "vfs-read-chunk-size": _NOT_NEEDED, "read-part-size": _NOT_NEEDED,
    "part-size": _NOT_NEEDED, "max-threads": _NOT_NEEDED, "transfers": _NOT_NEEDED, "checkers": _NOT_NEEDED,
    "parallel-count": _NOT_NEEDED, "multireq-max": _NOT_NEEDED, "max-stat-cache-size": _NOT_NEEDED,
    "kernel-cache": _NOT_NEEDED, "auto-cache": _NOT_NEEDED, "big-writes": _NOT_NEEDED, "async-read": _NOT_NEEDED,
    "max-read": _NOT_NEEDED, "max-background": _NOT_NEEDED, "reconnect": _NOT_NEEDED, "threads": _NOT_NEEDED,
    "http-timeout": "write --timeout SECONDS", "connect-timeout": "write --timeout SECONDS",
    "cli-read-timeout": "write --timeout SECONDS", "readwrite-timeout": "write --timeout SECONDS",
    "contimeout": "write --timeout SECONDS", "retries": "write --timeout SECONDS, which retries count into",
    "umask": "write --file-mode and --dir-mode", "mp-umask": "write --file-mode and --dir-mode",
    "file-perms": "write --file-mode OCTAL", "dir-perms": "write --dir-mode OCTAL",
    "log-directory": "write --log-file FILE", "logfile": "write --log-file FILE",
    "dbglevel": "write -v or -vv", "log-level": "write -v or -vv", "curldbg": "write --debug", "d": "write --debug",
    "region-name": "write --region NAME", "unmount": "write: mountnd umount DIR", "u": "write: mountnd umount DIR",
    "volname": _NOT_NEEDED, "dry-run": "write: mountnd doctor SOURCE, which mounts nothing",
}  # fmt: skip


def called_here(word: str) -> str:
    """What to write instead of an option that another tool has: a few words; "" for one that none has. Pure.

    Args:
        word: as it was written: `--no-sign-request`, or `use_path_request_style` behind `-o`.
    """
    return _HERE.get(word.lstrip("-").partition("=")[0].replace("_", "-").lower(), "")
