"""What people write or paste, and what the kernel writes: the config file, -o, words for sources, links, mountinfo."""

from __future__ import annotations

from pathlib import Path

from mountnd.config import file, option_types
from mountnd.config.dash_o import parse_dash_o
from mountnd.config.options import BY_NAME, OPTIONS
from mountnd.config.source_spec import SourceParser, check_links, split_words
from mountnd.daemon import mounts
from mountnd.errors import ConfigError
from mountnd.stores.links.store import SignedLinkStore

from .from_disk import in_a_file
from .target import NUMBERS, Target, lines, pure

_BASE = Path("/nowhere")

# -- the config file

_CONFIG = b"""
[defaults]
memory = "2G"
ttl = 60
[sources.lab]
url = "s3://our-bucket/bids"
endpoint_url = "https://s3.example.org"
anonymous = true
[mounts."/mnt/brains"]
sources = ["lab", "openneuro"]
file_mode = "0444"
"""


def config_seeds() -> list[bytes]:
    seeds = [_CONFIG, b"", b"\xef\xbb\xbf" + _CONFIG, b"a = " + b"[" * 30_000, b"[" + b"a." * 20_000 + b"b]"]
    seeds += [
        b"[sources.a]\nurl = " + b"{a=" * 5000,
        b"[mounts.'~nobody/x']\n",
        b"[mounts.'/a\\u0000b']\n",
        b'[sources."\\u0000"]',
    ]
    for option in OPTIONS:
        for odd in (
            *NUMBERS,
            b'"' + NUMBERS[4] + b'.5G"',
            b'"\\u0000"',
            b"[[1]]",
            b"1979-05-27",
            b"inf",
            b"nan",
            b"{}",
        ):
            seeds.append(b"[defaults]\n" + option.name.encode() + b" = " + odd)
    return seeds


def load_config(path: Path) -> None:
    """A whole configuration, or ConfigError."""
    try:
        config = file.load(path)
    except ConfigError:
        return
    assert all(isinstance(where, Path) for where in config.mounts)
    for name in config.sources:
        SourceParser(config, _BASE).parse(name)


# -- -o, and words


def dash_o_seeds() -> list[bytes]:
    seeds = [b"ttl=60,allow_other,x-gvfs-hide", b"noanonymous,memory=1.5G", b"memory", b"file_mode=0o444,uid=1,\\,=\\"]
    return seeds + [
        o.name.encode() + b"=" + odd for o in OPTIONS for odd in (*NUMBERS, NUMBERS[4] + b".5G", b"\0", b"~")
    ]


def read_dash_o(data: bytes) -> None:
    """As fstab gives it: bytes that need not be UTF-8."""
    for name, written in parse_dash_o([data.decode("utf-8", "surrogateescape")], _BASE).items():
        option_types.parse(BY_NAME[name], written)


def word_seeds() -> list[bytes]:
    urls = [
        b"s3://bucket/a/b",
        b"https://host/d/",
        b"s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/x/y",
        b"file://../x",
    ]
    return [
        *(url + b"\n/mnt/x" for url in urls),
        b"openneuro/ds1\nm",
        b"opennuero",
        b"//[::1\nx",
        b"s3://\nx",
        b"gs://a\0b\nm",
    ]


def read_words(data: bytes) -> None:
    """A command line's words: what to mount and where."""
    words = [part.decode("utf-8", "surrogateescape") for part in lines(data, 3) if b"\0" not in part]
    parser = SourceParser(file.ConfigFile(), _BASE)
    names, mountpoint = split_words(words, file.ConfigFile(), _BASE)
    for source in [parser.parse(name) for name in names] or [parser.from_mountpoint(mountpoint)]:
        if not source.url:
            check_links(source, None)


# -- signed links

_MAIL = """
curl -C - "https://host/v2.0/knee.tar.xz?AWSAccessKeyId=A&Signature=S&Expires=1700000000" --output knee.tar.xz
> # a remark
https://host/brain.tar?X-Amz-Date=20200101T000000Z&X-Amz-Expires=3600&X-Amz-Signature=s
curl \u201chttps://host/a?Expires=1\u201d -o a \\
  -C -
"""


def links_seeds() -> list[bytes]:
    seeds = [
        _MAIL.encode(),
        b"https://[::1/a",
        b"https://h/a\0b",
        b"'https://h/a",
        b"https://h:99999/a",
        b"\\" * 5000,
        b"https://h/\xff",
    ]
    seeds += [b"https://h/a?Expires=" + number for number in NUMBERS]
    dates = [b"20200101T000000Z", b"00010101T000000Z", b"99991231T235959Z", *NUMBERS]
    seeds += [b"https://h/a?X-Amz-Date=%s&X-Amz-Expires=%s" % (date, number) for date in dates for number in NUMBERS]
    return [*seeds, b"'\n" * 3000, b'"https://h/a\n' * 400]


def read_signed_links(path: Path) -> None:
    """A store of links, or ConfigError."""
    try:
        SignedLinkStore(path).close()
    except ConfigError:
        pass


# -- mountinfo


def mountinfo_seeds() -> list[bytes]:
    line = b"36 35 98:0 / /mnt\\0402 rw,noatime shared:1 - fuse.mountnd s3://b\\134 rw,user_id=0,group_id=0"
    seeds = [line, line + b"\n" + line, line.replace(b"\\040", b"\\777"), line.replace(b" shared:1", b"")]
    return [*seeds, *(line.replace(b"user_id=0", b"user_id=" + number) for number in NUMBERS)]


def read_mountinfo(data: bytes) -> None:
    """Every line of its form is a mount."""
    for mount in mounts.parse(data.decode("utf-8", "surrogateescape")):
        assert mount.user_id is None or mount.user_id >= 0


_TOML = [b"[[", b"]]", b'"""', b"\\u", b"inf", b"{", b" = ", *(o.name.encode() for o in OPTIONS)]

TARGETS = [
    Target("config_file", config_seeds, in_a_file(load_config, "config.toml"), _TOML),
    Target("dash_o", dash_o_seeds, pure(read_dash_o), [b"=", b",", b"\\", *(o.name.encode() for o in OPTIONS)]),
    Target("words", word_seeds, pure(read_words), [b"s3://", b"arn:aws:", b"accesspoint/", b"file://", b"\n"]),
    Target(
        "signed_links",
        links_seeds,
        in_a_file(read_signed_links, "mail"),
        [b"https://", b"Expires=", b"--output ", b"'"],
    ),
    Target("mountinfo", mountinfo_seeds, pure(read_mountinfo), [b"\\777", b" - ", b"user_id="]),
]
