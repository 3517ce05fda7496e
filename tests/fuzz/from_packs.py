"""Packs of small objects, as any member of a group may have written them: raw, and with checksums put right."""

from __future__ import annotations

import struct
from pathlib import Path

from xxhash import xxh3_64_intdigest

from mountnd.blocks.disk.chunk_file import ChunkIdentity
from mountnd.blocks.disk.packs.format import (
    END,
    MAGIC,
    PACKED,
    InvalidPack,
    decode_record,
    encode_record,
    entries_of,
    index_size,
    key_of,
)
from mountnd.blocks.disk.packs.pack_file import PackFile
from mountnd.blocks.geometry import block_size
from mountnd.private_directory import PrivateDirectory
from mountnd.stores.base import ObjectId

from .from_disk import SOURCE, in_a_file
from .target import NUMBERS, Target


def pack_seeds() -> list[bytes]:
    seeds = []
    for sizes in ([10], [1, 300, 7], [65_536 + 9], []):
        raw, lengths = b"", []
        for n, size in enumerate(sizes):
            identity = ChunkIdentity(ObjectId(SOURCE, f"a/{n}", '"e"', "", size), size, 0).encode()
            for block in range(-(-size // 65_536)):
                record = encode_record(identity, block, bytes(block_size(block, size)))
                raw += record
                lengths.append((key_of(identity, block), len(record)))
        seeds.append(raw + entries_of(lengths).encode())
    return seeds


def resealed(data: bytes) -> bytes:
    """The pack with the checksums of its index and of its records put right, as far as these are where it says."""
    try:
        stop = len(data) - index_size(data[-END:])
    except InvalidPack:
        return data
    if stop < 0:
        return data
    raw, index = bytearray(data[:stop]), data[stop:-END]
    n = len(index) // 16
    offsets = struct.unpack_from(f"<{n}I", index, 8 * n)
    lengths = struct.unpack_from(f"<{n}I", index, 12 * n)
    for offset, length in zip(offsets, lengths, strict=True):
        if 8 < length <= stop - offset:
            struct.pack_into("<Q", raw, offset, xxh3_64_intdigest(raw[offset + 8 : offset + length]))
    count = struct.pack("<I", n)
    return bytes(raw) + index + MAGIC + count + struct.pack("<Q", xxh3_64_intdigest(index + MAGIC + count))


def read_pack(path: Path) -> None:
    """A record that passes has a right checksum and a right identity; else it is absent, or there is no pack."""
    data = path.read_bytes()
    for content in (data, resealed(data)):
        path.write_bytes(content)
        path.chmod(0o600)
        file = PackFile.open(path.name, PrivateDirectory.open(path.parent))
        try:
            pack = file.look()
            for head in file.heads():
                assert 0 < head.data == block_size(head.block, head.identity.size)
            for found in file.records():
                if found is None:
                    continue
                key, raw, identity = found
                record = decode_record(raw)
                assert record.identity == identity.encode() and key == key_of(record.identity, record.block)
                assert len(record.data) == block_size(record.block, identity.size) and identity.size <= PACKED
        except InvalidPack:
            continue
        assert len(pack.entries) * 16 + END <= pack.bytes == len(content)


TARGETS = [Target("pack", pack_seeds, in_a_file(read_pack), [b'"s3://fuzz"', b"null", b"1e400", b"[", *NUMBERS[:4]])]
