"""Every key is sent as itself, by either client."""

from __future__ import annotations

import random
from urllib.parse import unquote_to_bytes

import pytest

from mountnd.errors import NotFound
from mountnd.stores.base import ObjectId
from mountnd.stores.s3 import S3Store

from ..support.servers import Scripted
from .reading import NO_PATHS, ODD_KEYS, read, soon
from .s3_stage import BYTE, ETAG, HEAD

ASCII = [chr(code) for code in range(0x20, 0x7F)]
OTHERS = [
    *map(chr, (0x01, 0x09, 0x0A, 0x0D, 0x1F, 0x7F)),  # control characters
    *map(chr, (0x80, 0x9F, 0xA0, 0xAD, 0x200B, 0x202E, 0x2028, 0xFEFF, 0xFFFE, 0xFFFF)),  # invisible ones
    "é", "e\u0301", "ß", "日", "\U0001f9e0", "\U0010ffff",
]  # fmt: skip
LONG = ["x" * 1024, "é" * 512, "d/" * 511 + "ab", "%" * 1024, "\U0001f9e0" * 256]
SHAPES = ["a/", "/a", "a//b", ".", "..", "a/.", "a/..", "./a", "a/./b", "a/../b", "...", "a/.../b", "/", "//", "a///"]


def _keys() -> list[str]:
    placed = [shape.format(c) for c in (*ASCII, *OTHERS) for shape in ("a{}b", "{}b", "a{}", "d/{}", "d/{}/e", "{}")]
    encoded = ["%41", "%2F", "a%2Fb", "%2e%2e", "a/%2e/b", "%", "%%", "%zz", "%00"]
    everything = {*placed, *LONG, *SHAPES, *encoded, *ODD_KEYS, *NO_PATHS}
    return sorted(everything)


@pytest.mark.parametrize("anonymous", [True, None], ids=["unsigned", "signed"])
@pytest.mark.usefixtures("signed")
def test_every_key_is_read_as_itself(stage: Scripted, anonymous: bool | None) -> None:
    keys = _keys() if anonymous else random.Random(1).sample(_keys(), 120)
    stage.play({"GET *": BYTE})
    store = S3Store("bkt", endpoint_url=stage.url, region="us-east-1", anonymous=anonymous)
    for key in keys:
        read(store, ObjectId(store.source, key, ETAG), 0, 1)
    assert _targets(stage) == keys
    store.close()


def test_every_key_is_asked_for_as_itself(stage: Scripted) -> None:
    keys = random.Random(2).sample(_keys(), 150) + SHAPES
    stage.play({"HEAD *": HEAD})
    store = S3Store("bkt", endpoint_url=stage.url, region="us-east-1", anonymous=True)
    for key in keys:
        assert store.head(key, deadline=soon()).id.key == key
    assert _targets(stage) == keys
    store.close()


def test_a_key_that_is_not_utf8_is_not_asked_for(stage: Scripted) -> None:
    stage.play({})
    store = S3Store("bkt", endpoint_url=stage.url, region="us-east-1", anonymous=True)
    for key in ("caf\udce9", ""):
        with pytest.raises(NotFound):
            store.head(key, deadline=soon())
        with pytest.raises(NotFound):
            read(store, ObjectId(store.source, key, ETAG), 0, 1)
    with pytest.raises(NotFound):
        store.list_page("caf\udce9/", deadline=soon())
    assert stage.log() == []
    store.close()


def _targets(stage: Scripted) -> list[str]:
    """The keys that were asked for, as a server reads them."""
    found = []
    for _, target, _ in stage.log():
        path, question, _ = target.partition("?")
        assert path.startswith("/bkt/")
        assert not question
        found.append(unquote_to_bytes(path.removeprefix("/bkt/")).decode())
    return found
