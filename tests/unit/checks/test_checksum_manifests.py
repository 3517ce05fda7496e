"""Checksum files as people and tools write them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from mountnd.checks.manifests import Line, Odd, lines_of, named

MD5, SHA1, SHA256 = "0" * 31 + "a", "0" * 39 + "b", "0" * 63 + "c"
SHA512 = "d" * 128


def lines(text: str | bytes, name: str = "CHECKSUMS", directory: str = "") -> list[Line | Odd]:
    about = named(name)
    assert about is not None
    return list(lines_of(text if isinstance(text, bytes) else text.encode(), directory, about))


def said(text: str | bytes, name: str = "CHECKSUMS", directory: str = "") -> list[tuple[str, str, str]]:
    return [(one.path, one.algorithm, one.value) for one in lines(text, name, directory) if isinstance(one, Line)]


@pytest.mark.parametrize(
    ("name", "algorithm", "stem"),
    [
        ("sha256sums", "sha256", ""), ("SHA256SUMS", "sha256", ""), ("sha256sum.txt", "sha256", ""),
        ("md5sum.txt", "md5", ""), ("MD5SUMS", "md5", ""), ("md5sums.txt", "md5", ""), ("CHECKSUMS", None, ""),
        ("checksums.txt", None, ""), ("checksum.sha256", "sha256", ""), ("CHECKSUMS.md5", "md5", ""),
        (".sha256sums", "sha256", ""), ("ds001_md5sums.txt", "md5", ""), ("SHA512SUMS", "sha512", ""),
        ("b2sums", "blake2b", ""), ("manifest-sha256.txt", "sha256", ""), ("tagmanifest-md5.txt", "md5", ""),
        ("bold.nii.gz.md5", "md5", "bold.nii.gz"), ("a.zip.SHA256", "sha256", "a.zip"),
        ("data.sha1.txt", "sha1", "data"), ("sha-256sums", "sha256", ""),
    ],
)  # fmt: skip
def test_names_of_checksum_files(name: str, algorithm: str | None, stem: str) -> None:
    about = named(name)
    assert about is not None and (about.algorithm, about.stem) == (algorithm, stem)


@pytest.mark.parametrize(
    "name",
    [
        "summary.txt",
        "participants.tsv",
        "md5.py",
        "SHA256SUMS.gpg",
        "sha256sums.asc",
        "shape.txt",
        "manifest.json",
        "md5",
    ],
)
def test_names_of_others(name: str) -> None:
    assert named(name) is None


def test_gnu_bsd_tagged_reversed_and_bare() -> None:
    text = (
        f"{MD5}  a.nii\n{MD5} *dir/b.nii\n# a comment\n\nMD5 (c d.nii) = {MD5.upper()}\n"
        f"SHA256 (e(1).nii) = {SHA256}\r\n"
        f"{SHA1} f.nii\n{SHA256}\t./g.nii\n{SHA512}  h.nii\nBLAKE2b (i) = {SHA512}\n"
    )
    assert said(text) == [
        ("a.nii", "md5", MD5), ("dir/b.nii", "md5", MD5), ("c d.nii", "md5", MD5), ("e(1).nii", "sha256", SHA256),
        ("f.nii", "sha1", SHA1), ("g.nii", "sha256", SHA256), ("h.nii", "sha512", SHA512), ("i", "blake2b", SHA512),
    ]  # fmt: skip
    assert said(f"{MD5}\n", "x.nii.gz.md5", "sub-01") == [("sub-01/x.nii.gz", "md5", MD5)]
    assert said(f"{SHA512}  a\n", "b2sums") == [("a", "blake2b", SHA512)]
    assert said(f"{SHA256}  a\n", "b2sums") == [("a", "blake2b-256", SHA256)]


def test_escaped_names() -> None:
    assert said(f"\\{MD5}  a\\nb\\\\c\\rd\n") == [("a\nb\\c\rd", "md5", MD5)]
    assert said(f"\\MD5 (a\\nb) = {MD5}\n") == [("a\nb", "md5", MD5)]
    assert said(f"{MD5}  a\\nb\n") == [("a\\nb", "md5", MD5)]


def test_names_that_are_not_utf8_and_a_byte_order_mark() -> None:
    assert said(MD5.encode() + b"  caf\xe9\n") == [("caf\udce9", "md5", MD5)]
    assert said(b"\xef\xbb\xbf" + f"{MD5}  a\n".encode()) == [("a", "md5", MD5)]
    assert said(f"{MD5}  a\r\n".encode("utf-16")) == [("a", "md5", MD5)]


def test_paths_are_from_the_files_directory() -> None:
    assert said(f"{MD5}  a\n{MD5}  ../b\n", directory="x/y") == [("x/y/a", "md5", MD5), ("x/b", "md5", MD5)]
    outside = lines(f"{MD5}  ../a\n{MD5}  /etc/passwd\n")
    assert [type(one) for one in outside] == [Odd, Odd] and "does not lie in this tree" in str(outside[0])
    # of one file, made elsewhere: the file beside it is meant
    assert said(f"{MD5}  /data/hcp/a.zip\n", "a.zip.md5", "d") == [("d/a.zip", "md5", MD5)]


def test_what_is_no_line_is_told_with_its_number() -> None:
    odd = [one for one in lines(f"{MD5}  a\nhello\n{'0' * 50}  b\nSKEIN (c) = {MD5}\n{MD5}\n") if isinstance(one, Odd)]
    assert [one.number for one in odd] == [2, 3, 4, 5]
    assert "SKEIN" in odd[2].why and "length" in odd[1].why


def test_a_signed_file() -> None:
    text = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{MD5}  a\n-----BEGIN PGP SIGNATURE-----\n\niQIzBA\n"
    assert lines(text) == [Line("a", "md5", MD5, 4)]


@pytest.mark.parametrize("tool", ["md5sum", "sha256sum", "sha512sum", "b2sum"])
@pytest.mark.parametrize("tagged", [False, True])
def test_what_the_tools_write(tool: str, tagged: bool, tmp_path: Path) -> None:
    """The real coreutils: names with everything in them."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    names = ["plain.nii", "two  spaces", "back\\slash", "new\nline", " lead", "*star", "café", "paren (1) = 2"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    argv = [tool, *(["--tag"] if tagged else []), "--", *names]
    made = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True, timeout=60).stdout
    algorithm = {"md5sum": "md5", "sha256sum": "sha256", "sha512sum": "sha512", "b2sum": "blake2b"}[tool]
    expected = [(name, algorithm, hashlib.new(algorithm, name.encode()).hexdigest()) for name in names]
    assert said(made, f"{tool}s.txt".replace("sums", "sums")) == expected
