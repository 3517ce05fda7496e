"""What ids and URLs of files in a snapshot say."""

from __future__ import annotations

import hashlib

import pytest

from mountnd.snapshots.annex import Content, content_of, is_blob
from mountnd.snapshots.urls import versioned

MD5, SHA1, SHA256 = "0cc175b9c0f1b6a831c399e269772661", "ab" * 20, "cd" * 32


@pytest.mark.parametrize(
    ("id", "content"),
    [
        (f"MD5E-s1234--{MD5}.nii.gz", Content(1234, f"md5:{MD5}")),
        (f"MD5-s0--{MD5}", Content(0, f"md5:{MD5}")),
        (f"SHA256E-s17--{SHA256}.json", Content(17, f"sha256:{SHA256}")),
        (f"SHA256--{SHA256}", Content(None, f"sha256:{SHA256}")),
        (f"SHA1E-s3-m1500000000--{SHA1}.txt", Content(3, f"sha1:{SHA1}")),
        (f"SHA512-s5--{'ef' * 64}", Content(5, f"sha512:{'ef' * 64}")),
        (f"MD5E-s900-S100-C3--{MD5}.dat", Content(900, f"md5:{MD5}")),  # a chunk's key: the size is the whole's
        (f"GIT--{SHA1}", Content(None, f"git-sha1:{SHA1}")),
        (SHA1, Content(None, f"git-sha1:{SHA1}")),
        (SHA256, Content(None, f"git-sha256:{SHA256}")),
        ("URL-s12--http&c%%example.org%x", Content(12)),
        ("WORM-s3-m1500000000--name.txt", Content(3)),
        ("BLAKE2B256E-s3--" + "ab" * 32 + ".x", Content(3)),
        (f"MD5E-s1234--{MD5[:-1]}.nii.gz", Content(1234)),  # too short to be one
        (f"MD5E-s1234--{MD5}beef", Content(1234)),
        (f"MD5E-s1{'0' * 30}--{MD5}", Content(None, f"md5:{MD5}")),
        ("", Content()),
        ("something else", Content()),
    ],
)
def test_what_an_id_says(id: str, content: Content) -> None:
    assert content_of(id) == content


def test_a_blob_is_known_by_the_hash_that_git_gives_it() -> None:
    # `printf hello | git hash-object --stdin`
    assert is_blob("git-sha1:b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", b"hello")
    assert not is_blob("git-sha1:b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", b"hallo")
    longer = hashlib.sha256(b"blob 5\0hello").hexdigest()
    assert is_blob(f"git-sha256:{longer}", b"hello")
    assert is_blob("git-sha1:e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", b"")


@pytest.mark.parametrize(
    ("url", "version", "key"),
    [
        ("https://s3.amazonaws.com/openneuro.org/ds000001/a/b.json?versionId=iBQTgE6l.x_", "iBQTgE6l.x_", "a/b.json"),
        ("https://openneuro.org.s3.amazonaws.com/ds000001/a/b.json?versionId=7", "7", "a/b.json"),
        ("http://127.0.0.1:5000/bucket/ds000001/aparc%2Baseg.mgz?versionId=7", "7", "aparc+aseg.mgz"),
        ("http://127.0.0.1:5000/bucket/ds000001/aparc+aseg.mgz?versionId=7", "7", "aparc+aseg.mgz"),
        ("https://h/b/ds000001/x%20y?response-content-type=text&versionid=a+b", "a+b", "x y"),
    ],
)
def test_a_url_of_a_version(url: str, version: str, key: str) -> None:
    found = versioned(url)
    assert found is not None
    assert found.version == version
    assert found.names(f"ds000001/{key}")
    assert not found.names(f"ds000002/{key}")


@pytest.mark.parametrize(
    "url",
    [
        "https://openneuro.org/crn/datasets/ds000001/files/x",
        "https://s3.amazonaws.com/openneuro.org/ds000001/x?versionId=",
        "s3://openneuro.org/ds000001/x?versionId=1",
        "https://[::1/x?versionId=1",
        "https://h/x?versionId=a%0Ab",
        "",
    ],
)
def test_what_is_no_url_of_a_version(url: str) -> None:
    assert versioned(url) is None
