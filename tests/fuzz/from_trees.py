"""What is said of content: checksum files in a tree, names of git-annex keys, digests in headers."""

from __future__ import annotations

import email.message

from mountnd.checks import headers
from mountnd.checks.annex import key_of
from mountnd.checks.digest import LENGTHS, PARTED, parsed, value_of
from mountnd.checks.manifests import Line, lines_of, named

from .target import NUMBERS, Target, lines, pure, text

_MD5, _SHA256 = b"0a" * 16, b"0b" * 32


def checksum_seeds() -> list[bytes]:
    """The file's name, then its lines."""
    names = (b"sha256sums", b"CHECKSUMS", b"a.nii.gz.md5", b"b2sums", b"manifest-sha512.txt")
    body = b"\n".join((
        _MD5 + b"  a.nii", b"\\" + _SHA256 + b" *b\\nc\\\\", b"MD5 (d (1)) = " + _MD5, b"SHA256 (e) = " + _SHA256,
        _SHA256, b"# x", b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----BEGIN PGP SIGNATURE-----", b"x",
    ))  # fmt: skip
    odd = (
        b"\xff\xfe" + body,
        b"\xfe\xff\x00",
        b"\xef\xbb\xbf" + body,
        b"((" * 20_000,
        b"a (" * 9000 + b") = ",
        b" " * 90_000,
    )
    return [*(name + b"\n" + body for name in names), *(b"md5sums\n" + one for one in odd), b"." * 30_000 + b"\n"]


def read_checksums(data: bytes) -> None:
    """Every line that is one is of a path below the root, with a digest of its algorithm's length."""
    name, *rest = lines(data, 2)
    about = named(name.decode("utf-8", "surrogateescape"))
    for line in lines_of(rest[0] if rest else b"", "d/e", about) if about is not None else ():
        if isinstance(line, Line):
            assert not line.path.startswith("/") and ".." not in line.path.split("/")
            assert value_of(line.algorithm, line.value) == line.value


def annex_seeds() -> list[bytes]:
    keys = [
        b"MD5E-s12--" + _MD5 + b".nii.gz",
        b"SHA256-s1-m2--" + _SHA256,
        b"GIT--" + b"0" * 40,
        b"MD5E-s1-S2-C3--" + _MD5,
    ]
    return [*keys, *(b"MD5-s" + number + b"--" + _MD5 for number in NUMBERS), b"A" * 9000 + b"--", b"-s1" * 5000]


def read_annex(data: bytes) -> None:
    """A key has a digest of its algorithm's length."""
    key = key_of(data.decode("utf-8", "surrogateescape"))
    assert key is None or value_of(key.algorithm, key.value) == key.value


def header_seeds() -> list[bytes]:
    good = b"sha256=" + b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\ntype=FULL_OBJECT\nx"
    return [
        good,
        good.replace(b"=\n", b"=-3\n"),
        b"crc32=AAAAAA==\n\nmd5:" + _MD5,
        b"md5=\xff\xfe\n=\ndandi:dandi-etag:1-2",
    ]


def read_headers(data: bytes) -> None:
    """Digests have their algorithms' lengths, whoever says so."""
    message = email.message.Message()
    parts = lines(data, 3)
    for part in parts[:2]:
        name, _, value = text(part).replace("\r", "").partition("=")
        if name.isascii() and name.replace("-", "").isalnum():
            message[f"x-amz-checksum-{name}"] = value
    message["x-goog-hash"] = text(parts[-1]).replace("\r", "").replace("\n", "")
    found = [*headers.checksums(message), parsed("x", parts[-1].decode("utf-8", "surrogateescape"))]
    for digest in found:
        assert digest is None or digest.algorithm == PARTED or len(digest.value) == 2 * LENGTHS[digest.algorithm]
    headers.etag_may_be_md5(message)


TARGETS = [
    Target("checksum_file", checksum_seeds, pure(read_checksums), [b" *", b"\\n", b" (", b") = ", b"../", _MD5]),
    Target("annex_key", annex_seeds, pure(read_annex), [b"-s", b"--", b"MD5E", b"SHA3_256"]),
    Target("digest_headers", header_seeds, pure(read_headers), [b"=", b"-3", b"sha256", b"type=COMPOSITE", b","]),
]
