from __future__ import annotations

import hashlib
import json

import pytest

from mountnd.stores.base import ObjectId, ObjectStat
from mountnd.stores.http.etag_samples import FIRST, EtagSamples, Md5Proof, digest_of, first_bytes, is_dubious

CHECKSUM, OPAQUE = f'"{"0a" * 16}"', '"5f5e1000-4b007"'


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def id_of(key: str, etag: str = CHECKSUM, size: int = 10) -> ObjectId:
    return ObjectId("s", key, etag, size=size)


def always(_: str) -> bool:
    return True


def stat(key: str, seconds: int, etag: str = CHECKSUM) -> ObjectStat:
    return ObjectStat(id_of(key, etag), 10, seconds * 10**9)


@pytest.mark.parametrize(
    ("size", "start", "lengths", "expected"),
    [(10, 0, [10], 10), (10, 0, [4, 6], 10), (10, 0, [9], None), (10, 1, [9], None), (0, 0, [], None),
     (FIRST + 5, 0, [FIRST + 5], FIRST), (FIRST + 5, 0, [FIRST, 5], FIRST), (2 * FIRST, 0, [FIRST // 2] * 2, FIRST),
     (2 * FIRST, FIRST, [FIRST], None)],
)  # fmt: skip
def test_first_bytes(size: int, start: int, lengths: list[int], expected: int | None) -> None:
    found = first_bytes(size, start, [memoryview(bytes(n)) for n in lengths])
    assert (None if found is None else sum(map(len, found))) == expected


def test_how_the_bytes_come_makes_no_difference() -> None:
    assert digest_of([memoryview(b"ab"), memoryview(b"c")]) == digest_of([memoryview(b"abc")]) != digest_of([])


@pytest.mark.parametrize("etag", [CHECKSUM, OPAQUE])
def test_other_bytes_of_one_key(etag: str) -> None:
    samples = EtagSamples()
    assert samples.add(id_of("k", etag), 1, "a") == (False, False)
    assert samples.add(id_of("k", etag), 1, "a") == (False, False)
    assert samples.add(id_of("k", etag, 11), 1, "b") == (False, False)
    assert samples.add(id_of("k", etag, 11), 1, "a") == (True, False)
    assert samples.add(id_of("k", '"another"', 11), 1, "c") == (False, False)


@pytest.mark.parametrize(("etag", "shared"), [(CHECKSUM, True), (f'{CHECKSUM[:-1]}-2"', True), (OPAQUE, False)])
def test_other_bytes_of_another_key(etag: str, shared: bool) -> None:
    """What is no checksum may be made of size and date, as nginx's are."""
    samples = EtagSamples()
    assert samples.add(id_of("k", etag), 1, "a") == (False, False)
    assert samples.add(id_of("copy", etag), 1, "a") == (False, False)
    assert samples.add(id_of("l", etag), 1, "b") == (False, shared)


def test_redated_only_under_the_same_etag_and_size() -> None:
    samples = EtagSamples()
    samples.add(id_of("k"), 100, "a")
    same, rounded = stat("k", 100), stat("k", 101)
    other_etag, other_size = stat("k", 200, OPAQUE), stat("k", 200)._replace(size=9)
    assert samples.redated([same, rounded, other_etag, other_size, stat("l", 200)], always) == []
    assert samples.redated([stat("k", 200)], lambda _: False) == []
    assert samples.redated([stat("k", 200)], always) == [stat("k", 200)]
    assert not samples.confirm(id_of("k"), 200, "b")
    assert samples.confirm(id_of("k"), 200, "a")
    assert samples.redated([stat("k", 200)], always) == []


def test_a_date_that_no_answer_told_is_the_first_listings() -> None:
    samples = EtagSamples()
    samples.add(id_of("k"), -1, "a")
    assert samples.redated([stat("k", 100)], always) == []
    assert samples.redated([stat("k", 200)], always) == [stat("k", 200)]


def test_a_few_in_some_seconds_and_the_others_later() -> None:
    clock = Clock()
    samples = EtagSamples(clock)
    page = [stat(f"{i}", 200) for i in range(100)]
    for row in page:
        samples.add(row.id, 100, "a")
    looked_at = 0
    for clock.now in range(0, 1000, 5):
        for row in (found := samples.redated(page, always)):
            assert samples.confirm(row.id, 200, "a")
        looked_at += len(found)
        assert looked_at <= 4 * (clock.now // 10 + 1)
    assert looked_at == 100


def test_kept_over_restarts() -> None:
    samples, again = EtagSamples(), EtagSamples()
    samples.add(id_of("k"), 100, "a")
    samples.add(id_of("l", OPAQUE), 100, "b")
    assert samples.due
    kept = samples.dump(lambda etag: etag == OPAQUE)
    assert (samples.due, json.loads(kept).keys()) == (False, {"l"})
    again.load(kept)
    assert again.find(id_of("k")) is None
    assert again.find(id_of("l", OPAQUE)) == samples.find(id_of("l", OPAQUE))
    again.load(samples.dump(always))
    assert again.add(id_of("m"), 100, "c") == (False, True)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"k": 5}', '{"k": ["e", "no number", 1, "d"]}', '{"k": [1]}', "null"])
def test_what_is_kept_may_be_anything(text: str) -> None:
    samples = EtagSamples()
    samples.load(text)
    assert samples.redated([stat("k", 1)], always) == []


def md5_id(content: bytes, key: str = "k") -> ObjectId:
    return id_of(key, f'"{hashlib.md5(content).hexdigest()}"', len(content))


def test_an_md5_in_one_answer_or_several() -> None:
    content = bytes(range(256)) * 8
    for cuts in ([0, 2048], [0, 100, 2048], [100, 2048, 0]):
        proof = Md5Proof()
        starts = [at for at in cuts if at < 2048]
        said = [proof.saw(md5_id(content), at, [memoryview(content)[at : min(c for c in [*cuts, 2048] if c > at)]])
                for at in starts]  # fmt: skip
        assert said == [False] * (len(starts) - 1) + [True]
        assert proof.found


def test_no_md5() -> None:
    proof = Md5Proof()
    for n in range(40):
        assert not proof.saw(id_of(f"{n}"), 0, [memoryview(bytes(10))])
        assert not proof.saw(id_of(f"{n}", OPAQUE), 0, [memoryview(bytes(10))])
    assert not proof.saw(md5_id(b"late"), 0, [memoryview(b"late")])  # after so many failures it is not looked for
    assert not proof.found


@pytest.mark.parametrize(
    ("etag", "md5s", "dubious"),
    [(CHECKSUM, False, True), (CHECKSUM, True, False), (f'{CHECKSUM[:-1]}-2"', True, False), (OPAQUE, True, True),
     ("", False, False), ('W/"a"', False, False)],
)  # fmt: skip
def test_dubious(etag: str, md5s: bool, dubious: bool) -> None:
    assert is_dubious(etag, 1, md5s=md5s) == dubious
