"""What a pack holds, as bytes: all comes back, and whatever is damaged is absent, never wrong."""

from __future__ import annotations

import json
import struct
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from mountnd.blocks.disk.packs import format as packs
from mountnd.blocks.disk.packs.format import (
    END,
    MAGIC,
    MOST_RECORD,
    MOST_RECORDS,
    Entries,
    InvalidPack,
    decode_head,
    decode_index,
    decode_record,
    encode_record,
    entries_of,
    index_size,
    key_of,
)

Block = tuple[bytes, int, bytes]

blocks = st.lists(
    st.tuples(st.text(max_size=40).map(lambda key: json.dumps(["s3://b", key]).encode()), st.integers(0, 3),
              st.binary(min_size=1, max_size=300)),
    max_size=12, unique_by=lambda one: one[:2],
)  # fmt: skip


def packed(found: list[Block]) -> bytes:
    records = [(key_of(identity, block), encode_record(identity, block, data)) for identity, block, data in found]
    entries = entries_of((key, len(record)) for key, record in records)
    return b"".join(record for _, record in records) + entries.encode()


def opened(raw: bytes) -> Entries:
    size = index_size(raw[-END:])
    return decode_index(raw[-size:], len(raw))


def got(raw: bytes, identity: bytes, block: int) -> list[bytes]:
    """All that a pack has of a block, as a reader finds it."""
    found = []
    try:
        places = list(opened(raw).find(key_of(identity, block)))
    except InvalidPack:
        return []
    for offset, length in places:
        try:
            record = decode_record(raw[offset : offset + length])
        except InvalidPack:
            continue
        if (record.identity, record.block) == (identity, block):
            found.append(bytes(record.data))
    return found


@given(blocks)
def test_what_is_packed_is_found(found: list[Block]) -> None:
    raw = packed(found)
    assert len(opened(raw)) == len(found)
    for identity, block, data in found:
        assert got(raw, identity, block) == [data]
        (place,) = opened(raw).find(key_of(identity, block))
        record = raw[place.offset : sum(place)]
        assert decode_head(record[: 16 + len(identity)], len(record)) == (identity, block, len(data))
    assert got(raw, b"another", 0) == []
    places = [place for _, place in opened(raw).places()]
    assert all(place is not None for place in places)
    assert [place.offset for place in places if place] == sorted(place.offset for place in places if place)


@settings(max_examples=300)
@given(blocks, st.data())
def test_a_flipped_bit_anywhere_is_found(found: list[Block], data: st.DataObject) -> None:
    good = packed(found)
    raw = bytearray(good)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    end = len(raw) - index_size(good[-END:])
    stop = 0
    for identity, block, body in found:
        start, stop = stop, stop + 16 + len(identity) + len(body)
        hit = start <= at < stop
        # In a record it is lost, and no other; in what lies behind the records all of them are.
        assert got(bytes(raw), identity, block) == ([] if hit or at >= end else [body])
    assert stop == end


@given(blocks, st.data())
def test_one_that_was_cut_or_has_grown_holds_nothing_wrong(found: list[Block], data: st.DataObject) -> None:
    good = packed(found)
    cut = good[: data.draw(st.integers(0, len(good) - 1))]
    grown = good + data.draw(st.binary(min_size=1, max_size=50))
    for raw in (cut, grown, cut + grown):
        for identity, block, body in found:
            assert got(raw, identity, block) in ([], [body])
    with pytest.raises(InvalidPack):
        opened(cut)


@given(st.binary(max_size=400))
def test_bytes_of_any_kind(raw: bytes) -> None:
    for content in (raw, raw + MAGIC, raw[:-END] + MAGIC + raw[-12:]):
        assert got(content, b"x", 0) == []
        decode_head(content, len(content))


def test_a_block_in_anothers_place_is_not_taken_for_it() -> None:
    """As a member of the group could make it: the index leads to another's record, which is whole."""
    one, other = encode_record(b"one", 0, b"1" * 10), encode_record(b"other", 0, b"2" * 10)
    entries = Entries(array("Q", [key_of(b"one", 0)]), array("I", [len(one)]), array("I", [len(other)]), 1000)
    raw = one + other + entries.encode()
    assert len(opened(raw)) == 1
    assert got(raw, b"one", 0) == []


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 0), (0, 16), (0, 1 << 31), (1 << 31, 20), (990, 20), (0, MOST_RECORD + 1)]
)
def test_places_that_cannot_be_are_not_followed(offset: int, length: int) -> None:
    entries = Entries(array("Q", [7]), array("I", [offset]), array("I", [length]), 1000)
    assert list(entries.find(7)) == []
    assert entries.places() == [(7, None)]


def test_records_that_overlap_are_not_read() -> None:
    """As whoever makes a small file cost a large one's reading."""
    record = encode_record(b"one", 0, b"1" * 100)
    entries = Entries(array("Q", range(50)), array("I", [0] * 50), array("I", [len(record)] * 50), len(record))
    with pytest.raises(InvalidPack):
        opened(record + entries.encode())


def test_an_index_that_is_too_long_is_not_read() -> None:
    raw = struct.pack("<8sIQ", MAGIC, MOST_RECORDS + 1, 0)
    with pytest.raises(InvalidPack):
        index_size(raw)
    with pytest.raises(InvalidPack):
        decode_index(struct.pack("<8sIQ", MAGIC, 3, 0), 20)


def test_a_record_with_a_right_checksum_and_a_wrong_length() -> None:
    for length in (0xFFFFFFFF, 5, packs.MOST_IDENTITY + 1):
        body = struct.pack("<II", length, 0) + b"abcd"
        with pytest.raises(InvalidPack):
            decode_record(struct.pack("<Q", xxh3_64_intdigest(body)) + body)
