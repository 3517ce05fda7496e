"""What is wrong in a config file: the error names file, table and key."""

from __future__ import annotations

from .row import Row


def _lab(text: str, *says: str) -> Row:
    """A config file with this in `[sources.lab]`."""
    files = {"c.toml": f"[sources.lab]\n{text}\n"}
    return Row("config lab {mnt} --config {tmp}/c.toml", 2, ("{tmp}/c.toml", "[sources.lab]", *says), files=files)


def _mount(text: str, *says: str) -> Row:
    """One with this in the table of the mountpoint /mnt/x."""
    files = {"c.toml": f'[mounts."/mnt/x"]\n{text}\n'}
    return Row("config /mnt/x --config {tmp}/c.toml", 2, ("{tmp}/c.toml", '[mounts."/mnt/x"]', *says), files=files)


def _file(text: str, *says: str) -> Row:
    return Row("config lab {mnt} --config {tmp}/c.toml", 2, ("{tmp}/c.toml", *says), files={"c.toml": text})


_AWS = {"AWS_CONFIG_FILE": "{tmp}/none", "AWS_SHARED_CREDENTIALS_FILE": "{tmp}/none"}

ROWS = [
    _lab("url = 5", "url: 5 is not text in quotes"),
    _lab('url = "bucket/prefix"', "url: bucket/prefix: not a URL", "s3://bucket/prefix"),
    _lab('url = "s4://x"', "url: s4://x", "s3://BUCKET"),
    _lab('url = "s3://b_"', "url: s3://b_", "not a bucket name"),
    _lab('preset = "opennuero"', "preset", "did you mean openneuro"),
    _lab('url = "s3://bkt"\nendpoint_url = "minio:9000"', "endpoint_url", "'minio:9000' is not a URL"),
    _lab('url = "s3://bkt"\nprofile = "nobody"', "profile: the AWS files have no profile nobody")._replace(env=_AWS),
    _lab('url = "s3://bkt"\nprofile = "x"\nanonymous = true', "anonymous", "profile exclude each other"),
    _lab('preset = "openneuro"\nprofile = "x"', "profile: openneuro is public"),
    _lab('urls = "none.txt"', "urls", "{tmp}/none.txt: no such file of signed links"),
    _lab('uri = "s3://bkt"', "unknown key uri", "did you mean url"),
    _lab("", 'needs url = "s3://bucket/prefix"'),
    _mount('sources = ["opennuero"]', "sources", "did you mean openneuro"),
    _mount('sources = ["openneuro", "openneuro"]', "sources", "two sources of this mount are called openneuro"),
    _mount('source = "bucket/x"', "bucket/x is not a source"),
    _mount("sources = []", "sources: write a list of names"),
    _mount('source = "openneuro"\nttl = "soon"', "ttl: 'soon' is not a number of seconds"),
    _file("[defaults]\nmemory = '1'\n", "[defaults] memory", "8M"),
    _file("[defaults]\ncache_dir = 5\n", "[defaults] cache_dir", "not a path"),
    _file("ttl = 5\n", "unknown key ttl", "[defaults]"),
    _file("[defaults\nttl = 5\n", "line 1"),
    _file("[source.lab]\nurl = 's3://bkt'\n", "unknown key source", "did you mean sources"),
    Row(
        "config lab {mnt} --config {tmp}/c.toml",
        0,
        ("s3://openneuro.org/ds000001",),
        40,
        files={"c.toml": '[sources.lab]\nurl = "openneuro/ds000001"\n'},
    ),
]
