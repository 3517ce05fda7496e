"""Digests in one pass, in chunks of any length, as others compute them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from mountnd.checks import hashing
from mountnd.checks.digest import LENGTHS, PARTED
from mountnd.checks.hashing import Hashers, Missing, can_compute, hasher, part_size

CHECK = b"123456789"
# The catalogue of CRC algorithms (reveng.sourceforge.io): "check" of CRC-32/ISO-HDLC, CRC-32/ISCSI, CRC-64/NVME.
CRCS = {"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888"}


def digest(algorithm: str, data: bytes, step: int = 4) -> str:
    made = Hashers([algorithm], len(data))
    buffer = bytearray(data)
    for at in range(0, len(data), step):
        made.update(memoryview(buffer)[at : at + step])
    return made.values()[algorithm]


@pytest.mark.parametrize("algorithm", CRCS)
def test_crcs(algorithm: str) -> None:
    assert digest(algorithm, CHECK) == CRCS[algorithm]


@pytest.mark.parametrize("algorithm", LENGTHS)
def test_all_that_may_be_named_can_be_computed(algorithm: str) -> None:
    assert can_compute(algorithm)
    assert len(digest(algorithm, CHECK)) == 2 * LENGTHS[algorithm]
    assert digest(algorithm, CHECK, 1) == digest(algorithm, CHECK, 9)


def test_a_git_blob(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CHECK)
    made = subprocess.run(
        ["git", "hash-object", "a"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert digest("git-sha1", CHECK) == made.stdout.strip()


def test_parts_of_dandi() -> None:
    """64 MiB each; of 640 GB and more, 10,000 parts of what that makes (dandischema/digests/dandietag.py)."""
    mib, tib = 1 << 20, 1 << 40
    assert part_size(1) == part_size(64 * mib * 9_999) == 64 * mib
    assert part_size(64 * mib * 9_999 + 1) == -(-(64 * mib * 9_999 + 1) // 10_000)
    assert part_size(5 * tib) == -(-5 * tib // 10_000)


def test_a_digest_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_PART", 4)
    parts = b"".join(hashlib.md5(part).digest() for part in (b"1234", b"5678", b"9"))
    assert digest(PARTED, CHECK, 3) == f"{hashlib.md5(parts).hexdigest()}-3"
    whole = hashlib.md5(hashlib.md5(b"1234").digest() + hashlib.md5(b"5678").digest()).hexdigest()
    assert digest(PARTED, b"12345678", 5) == f"{whole}-2"
    assert digest(PARTED, b"") == f"{hashlib.md5(b'').hexdigest()}-0"


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("anycrc", "awscrt.checksums", "crc32c", "google_crc32c"):
        monkeypatch.setitem(sys.modules, module, None)
    hashing._step.cache_clear()
    try:
        assert not can_compute("crc64nvme") and not can_compute("crc32c") and can_compute("crc32")
        with pytest.raises(Missing):
            hasher("crc64nvme", 0)
    finally:
        hashing._step.cache_clear()


@pytest.mark.parametrize("module", ["anycrc"])
def test_each_library_for_crc32c(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(module)
    for other in {"anycrc", "awscrt.checksums", "crc32c", "google_crc32c"} - {module}:
        monkeypatch.setitem(sys.modules, other, None)
    hashing._step.cache_clear()
    try:
        assert digest("crc32c", CHECK) == CRCS["crc32c"]
    finally:
        hashing._step.cache_clear()
