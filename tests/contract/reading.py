"""What the tests of the stores read, and how."""

from __future__ import annotations

import random
from collections.abc import Sequence

from mountnd.stores.base import Deadline, ObjectId, ObjectStat, Store

BODY = random.Random(20261123).randbytes(200_000)

# Bytes around which a range may begin or end.
EDGES = (0, 1, 2, 4095, 4096, 4097, 65535, 65536, 131072, 199_998, 199_999)

ODD_KEYS = (
    "with space", " lead", "trail ", "plus+plus", "per%cent", "%41", "%2F", "a%2Fb", "ques?tion", "ques?versionId=1",
    "ha#sh", "am&per", "eq=al", "se;mi", "co:lon", "com,ma", "at@", "dol$lar", "st*ar", "par(en)", "ex!", "ti~lde",
    "quo'te", 'quo"te', "back\\slash", "pi|pe", "ca^ret", "br{ace}", "br[ack]", "le<ss>", "ba`ck",
    "naïve", "naive\u0308", "日本", "\U0001f9e0.nii", "..dots", "dots..", "...", "a.b/..c/d", "-dash", "_x",
)  # fmt: skip

# Keys that are no paths: only an object store has them.
NO_PATHS = (
    "marker/", "two//slashes", "/leading", "//two-leading", "./dot", "../dotdot", "in/./side", "in/../side", "end/.",
    "end/..", "tab\tkey", "bell\x07key", "cr\rkey", "del\x7fkey",
)  # fmt: skip


def soon() -> Deadline:
    """Long enough for a busy machine, short enough for a person to wait for."""
    return Deadline(30)


def read(store: Store, id: ObjectId, start: int, *lengths: int) -> bytes:
    """Read into one buffer that is cut into views of `lengths`, with a guard byte around each."""
    buffer = bytearray(b"\xee" * (sum(lengths) + len(lengths) + 1))
    views, at = [], 1
    for length in lengths:
        views.append(memoryview(buffer)[at : at + length])
        at += length + 1
    store.read(id, start, views, deadline=soon())
    at = 0
    for length in lengths:
        assert buffer[at] == 0xEE, "wrote outside a view"
        at += length + 1
    return b"".join(bytes(view) for view in views)


def listed(store: Store, prefix: str, **how: object) -> tuple[list[ObjectStat], list[str]]:
    """Every page of a listing."""
    objects: list[ObjectStat] = []
    prefixes: list[str] = []
    token: str | None = None
    for _ in range(50):
        page = store.list_page(prefix, token=token, deadline=soon(), **how)  # type: ignore[arg-type]
        objects += page.objects
        prefixes += page.prefixes
        token = page.token
        if token is None:
            return objects, prefixes
    raise AssertionError("a listing that never ends")


def first_name(store: Store) -> None:
    """List one name: whether the store can be read, or else its precise error."""
    store.list_page(store.root, limit=1, deadline=soon())


def keys(objects: Sequence[ObjectStat]) -> list[str]:
    return [stat.id.key for stat in objects]


def utf8(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
