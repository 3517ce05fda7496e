"""Options, those of other tools among them, and arguments that cannot be."""

from __future__ import annotations

from .row import Row


def _other(words: str, *says: str) -> Row:
    return Row(f"s3://bkt {{mnt}} {words}", 2, says)


# Whoever reads the output goes away at once.
_PIPE = ("bash", "-c", '"$@" | :', "bash")

ROWS = [
    _other("--no-sign-request", "--anonymous"),
    _other("--readonly", "read-only"),
    _other("--read-only", "read-only"),
    _other("--daemon", "--foreground"),
    _other("--no-verify-ssl", "AWS_CA_BUNDLE"),
    _other("--request-payer requester", "--requester-pays"),
    _other("--ca-bundle x", "AWS_CA_BUNDLE"),
    _other("--force-path-style", "--path-style"),
    _other("--prefix x/", "s3://BUCKET/PREFIX"),
    _other("--cache /tmp/x", "--cache-dir"),
    _other("--metadata-ttl 60", "--ttl"),
    _other("--vfs-cache-mode full", "leave it out"),
    _other("--vfs-cache-max-size 10G", "--cache-size"),
    _other("--dir-cache-time 5m", "--ttl"),
    _other("--s3-endpoint x", "--endpoint-url"),
    _other("--endpoint x", "--endpoint-url"),
    _other("--stat-cache-ttl 60s", "--ttl"),
    _other("--umask 022", "--file-mode"),
    _other("--log-level debug", "-v"),
    _other("-d", "--debug"),
    _other("-o passwd_file=x", "--profile"),
    _other("-o url=http://x", "--endpoint-url"),
    _other("-o use_path_request_style", "--path-style"),
    _other("-o public_bucket=1", "--anonymous"),
    _other("-o use_cache=/tmp/x", "--cache-dir"),
    _other("-o nonempty", "empty directory"),
    _other("-o umask=022", "--file-mode"),
    _other("-o no_check_certificate", "AWS_CA_BUNDLE"),
    # ours, mistyped or with a value that cannot be
    _other("--anonymos", "--anonymous"),
    _other("--tll 5", "--ttl"),
    _other("-o tll=5", "ttl"),
    _other("--ttl soon", "--ttl", "indefinite"),
    _other("--memory 1", "--memory", "8M"),
    _other("--memory lots", "--memory", "512M"),
    _other("--cache-size big", "--cache-size"),
    _other("--timeout 0", "--timeout"),
    _other("--file-mode 999", "--file-mode", "octal"),
    _other("--uid me", "--uid", "id -u"),
    _other("--endpoint-url minio:9000", "--endpoint-url", "http"),
    _other("--profile nobody", "nobody"),
    _other("--urls x", "--urls", "signed links"),
    _other("--config {tmp}/absent.toml", "absent.toml"),
    Row("umount --zz", 2, ("mountnd umount --help",)),
    Row("presets a --zz", 2, ("mountnd presets --help",)),
    Row("", 2, ("Usage: mountnd",), 60),
    Row("--help", 0, ("Usage: mountnd",), 60),
    Row("mount --help", 0, ("Usage: mountnd mount",), 90),
    Row("--version", 0, ("mountnd ",)),
    # broken pipes are silent
    Row("presets", 0, (), 0, within=_PIPE),
    Row("cache ls", 0, (), 0, within=_PIPE),
    Row("config openneuro {mnt}", 0, (), 0, within=_PIPE),
    Row("mount --help", 0, (), 0, within=_PIPE),
]
