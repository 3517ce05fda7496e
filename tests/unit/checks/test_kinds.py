"""What is known of a content from its name, its ETag, its headers; and what that and the bytes say together."""

from __future__ import annotations

import base64
import hashlib
from email.message import Message

import pytest

from mountnd.checks import headers
from mountnd.checks.annex import Key, key_of
from mountnd.checks.digest import Digest, Told, algorithm_of, parsed, value_of
from mountnd.checks.kinds import KINDS, Facts, asks, known
from mountnd.checks.verdict import Outcome, judged

DATA = b"the bytes"
MD5, SHA256 = hashlib.md5(DATA).hexdigest(), hashlib.sha256(DATA).hexdigest()
ETAG = f'"{MD5}"'


def said(**given: str) -> Message:
    made = Message()
    for name, text in given.items():
        made[name.replace("_", "-")] = text
    return made


def base64_of(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (f"MD5E-s9--{MD5}.nii.gz", Key("md5", MD5, 9)), (f"MD5-s9--{MD5}", Key("md5", MD5, 9)),
        (f"SHA256E-s9--{SHA256}.json", Key("sha256", SHA256, 9)), (f"SHA256E--{SHA256}", Key("sha256", SHA256, None)),
        (f"SHA256-s9-m1700000000--{SHA256}", Key("sha256", SHA256, 9)),
        (f"SHA3_256E-s9--{SHA256}", Key("sha3-256", SHA256, 9)),
        (f"BLAKE2B256E-s9--{SHA256}.x", Key("blake2b-256", SHA256, 9)),
        (f"GIT--{SHA256[:40]}", Key("git-sha1", SHA256[:40], None)),
        (f"MD5E-s9-S100-C1--{MD5}.nii", None), (f"GPGHMACSHA1--{SHA256[:40]}", None), ("WORM-s9-m1--a.nii", None),
        ("URL--http&c%%a", None), (f"SKEIN256-s9--{SHA256}", None), (f"MD5-s9--{MD5}.nii", None), (MD5, None),
        (f"MD5E-s9--{MD5[:30]}.nii", None), ("sub-01_bold.nii.gz", None),
    ],
)  # fmt: skip
def test_annex_keys(name: str, key: Key | None) -> None:
    assert key_of(name) == key


def test_an_annex_key_of_another_size_says_nothing() -> None:
    facts = Facts(f"MD5E-s9--{MD5}.nii", 9, "")
    assert [digest.value for digest in known(facts, KINDS)] == [MD5]
    assert known(facts._replace(size=10), KINDS) == []


@pytest.mark.parametrize(
    ("etag", "size", "is_md5", "counts"),
    [
        (ETAG, 9, None, True), (ETAG, 9, True, True), (ETAG, 9, False, False), (f'"{MD5}-3"', 9, None, False),
        (f'W/"{MD5}"', 9, None, False), ('"0"', 9, None, False), (f'"{"0" * 32}"', 9, None, False),
        ("", 9, None, False),
        ('"d41d8cd98f00b204e9800998ecf8427e"', 9, None, False), ('"d41d8cd98f00b204e9800998ecf8427e"', 0, None, True),
        ("9-Tue, 01 Jan 2019 00:00:00 GMT", 9, None, False), ('"5f8a-59f0c1b2"', 9, None, False),
    ],
)  # fmt: skip
def test_which_etags_count(etag: str, size: int, is_md5: bool | None, counts: bool) -> None:
    assert bool(known(Facts("a", size, etag, Told(etag_is_md5=is_md5)), KINDS)) is counts


def test_kinds_are_chosen_and_nothing_counts_twice() -> None:
    listed = (Digest("manifest", "md5", MD5, "md5sums, line 1"),) * 2
    told = Told(
        (Digest("lockfile", "md5", MD5), Digest("dandi", "sha256", SHA256), Digest("checksum", "sha256", SHA256))
    )
    facts = Facts(f"MD5E-s9--{MD5}", 9, ETAG, told, listed)
    assert [digest.kind for digest in known(facts, KINDS)] == list(KINDS)
    assert [digest.kind for digest in known(facts, ("manifest", "dandi"))] == ["dandi", "manifest"]
    assert not asks(("etag", "manifest", "annex")) and asks(("etag", "checksum"))


def test_checksums_of_the_whole_object() -> None:
    found = headers.checksums(
        said(
            x_amz_checksum_sha256=base64_of(SHA256),
            x_amz_checksum_crc64nvme="rosUhgp5mIg=",
            x_amz_checksum_type="FULL_OBJECT",
        )
    )
    assert {(one.algorithm, one.value) for one in found} == {("sha256", SHA256), ("crc64nvme", "ae8b14860a799888")}
    parts = {"etag": f'"{MD5}-2"', "x_amz_checksum_crc64nvme": "rosUhgp5mIg="}
    assert len(headers.checksums(said(**parts))) == 1  # never of parts
    whole = {"etag": f'"{MD5}-2"', "x_amz_checksum_sha256": base64_of(SHA256), "x_amz_checksum_type": "FULL_OBJECT"}
    assert len(headers.checksums(said(**whole))) == 1
    google = headers.checksums(said(x_goog_hash=f"crc32c=4waSgw==,md5={base64_of(MD5)}"))
    assert [(one.algorithm, one.value) for one in google] == [("crc32c", "e3069283"), ("md5", MD5)]
    assert [one.algorithm for one in headers.checksums(said(x_amz_checksum_xxhash3="ctyxi2ehff8="))] == ["xxh3"]


@pytest.mark.parametrize(
    "given",
    [
        {"x_amz_checksum_sha256": base64_of(SHA256), "x_amz_checksum_type": "COMPOSITE"},
        {"x_amz_checksum_sha256": base64_of(SHA256) + "-3"}, {"x_amz_checksum_crc32": "nonsense"},
        {"x_amz_checksum_sha256": base64_of(SHA256), "etag": f'"{MD5}-2"'},
        {"x_amz_checksum_crc32": base64_of(SHA256)}, {"x_amz_checksum_sha256": ""}, {},
    ],
)  # fmt: skip
def test_what_is_not_of_the_whole_object_is_left_out(given: dict[str, str]) -> None:
    assert headers.checksums(said(**given)) == ()


@pytest.mark.parametrize(
    ("given", "may"),
    [
        ({}, True), ({"x_amz_server_side_encryption": "AES256"}, True),
        ({"x_amz_server_side_encryption": "aws:kms"}, False),
        ({"x_amz_server_side_encryption": "aws:kms:dsse"}, False),
        ({"x_amz_server_side_encryption_customer_algorithm": "AES256"}, False),
    ],
)  # fmt: skip
def test_encryptions_under_which_an_etag_is_no_md5(given: dict[str, str], may: bool) -> None:
    assert headers.etag_may_be_md5(said(**given)) is may


def test_spellings_of_digests() -> None:
    names = {"SHA-256": "sha256", "sha2-256": "sha256", "SHA2-512": "sha512", "BLAKE2b": "blake2b", "xxh3": "xxh3"}
    assert {name: algorithm_of(name) for name in names} == names and algorithm_of("sha0") is None
    assert value_of("sha256", SHA256.upper()) == value_of("sha256", base64_of(SHA256)) == SHA256
    assert value_of("md5", SHA256) is None and value_of("md5", "x" * 32) is None
    assert parsed("lockfile", f"md5:{MD5}", "data.lock") == Digest("lockfile", "md5", MD5, "data.lock")
    assert parsed("dandi", f"dandi:dandi-etag:{MD5}-1") == Digest("dandi", "dandi-etag", f"{MD5}-1")
    assert parsed("dandi", f"dandi:sha2-256:{SHA256}") == Digest("dandi", "sha256", SHA256)
    assert parsed("lockfile", "md5:xyz") is parsed("lockfile", "") is parsed("lockfile", "blake3:00") is None


GOOD, WRONG = Digest("manifest", "sha256", SHA256), Digest("manifest", "sha256", "0" * 64)
GOOD_ETAG, WRONG_ETAG = Digest("etag", "md5", MD5), Digest("etag", "md5", "1" * 32)
VALUES = {"md5": MD5, "sha256": SHA256}


@pytest.mark.parametrize(
    ("evidence", "is_md5", "outcome"),
    [
        ([], None, Outcome.UNKNOWN), ([GOOD], None, Outcome.VERIFIED), ([WRONG], None, Outcome.MISMATCH),
        ([GOOD, WRONG], None, Outcome.MISMATCH), ([GOOD_ETAG], None, Outcome.VERIFIED),
        ([WRONG_ETAG], None, Outcome.DOUBT), ([WRONG_ETAG], True, Outcome.MISMATCH),
        ([WRONG_ETAG, GOOD], True, Outcome.VERIFIED), ([WRONG_ETAG, GOOD], None, Outcome.VERIFIED),
        ([WRONG_ETAG, WRONG], None, Outcome.MISMATCH), ([GOOD_ETAG, WRONG], None, Outcome.MISMATCH),
        ([Digest("checksum", "crc32", "0" * 8)], None, Outcome.UNKNOWN),
    ],
)  # fmt: skip
def test_verdicts(evidence: list[Digest], is_md5: bool | None, outcome: Outcome) -> None:
    assert judged(evidence, VALUES, etag_is_md5=is_md5).outcome is outcome
