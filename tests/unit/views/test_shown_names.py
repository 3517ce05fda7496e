"""Which keys a view shows under which names: all of them once, in order, however they are paged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mountnd.stores.base import Deadline, ObjectStat, Page
from mountnd.stores.memory import MemoryStore
from mountnd.views.names import Names, Position, position_of, sort_key
from mountnd.views.store import InflatedStore

NAMES = Names([".nii.gz"], "s")


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("d/x.nii.gz", "d/x.nii"),
        ("X.NII.GZ", "X.NII"),
        ("x.Nii.gZ", "x.Nii"),
        (".nii.gz", ".nii"),
        ("x.nii.gz.nii.gz", "x.nii.gz.nii"),
        ("x.nii", "x.nii"),
        ("x.nii.gz/y", "x.nii.gz/y"),
        ("x.nii.gz.json", "x.nii.gz.json"),
        ("x.gz", "x.gz"),
        ("xnii.gz", "xnii.gz"),
        ("x.img.gz", "x.img.gz"),
        ("\udcff\u00e9.nii.gz", "\udcff\u00e9.nii"),
    ],
)
def test_what_a_key_is_shown_as(stored: str, shown: str) -> None:
    assert NAMES.shown(stored) == shown
    assert (stored in NAMES.candidates(shown)) is True


def test_a_key_that_is_replaced_is_no_candidate() -> None:
    assert NAMES.candidates("x.nii.gz") == []
    assert NAMES.candidates("x.nii")[:2] == ["x.nii", "x.nii.gz"]
    assert NAMES.candidates("X.NII")[:2] == ["X.NII", "X.NII.GZ"]
    assert NAMES.candidates("x.json") == ["x.json"]


@pytest.mark.parametrize(
    "position", [Position("t", ""), Position("", "a:b"), Position("5:x", "12:\udcff"), Position("1", "")]
)
def test_tokens_come_back(position: Position) -> None:
    assert position_of(position.text()) == position


@pytest.mark.parametrize("token", ["", "x", "5", ":", "9:abc"])
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        position_of(token)


# Names that lie between `a.nii` and `a.nii.gz`, around them, and directories of the same names.
_PARTS = [
    "a.nii",
    "a.nii.gz",
    "a.NII.GZ",
    "a.nii.GZ",
    "a.nii-1",
    "a.nii.bak",
    "a.nii.g",
    "a.nii.gz.x",
    "a.nii/b",
    "a.nii.gz/b",
]
_MORE = [
    "a.nii!",
    "a.nii.gy",
    "a.nii.ga.nii.gz",
    "a.nii-2.nii.gz",
    "a",
    "b.nii.gz",
    "a.nii.h",
    "a.nii-/c.nii.gz",
    "b.nii",
]
_KEYS = st.sets(st.tuples(st.sampled_from(["", "d/"]), st.sampled_from(_PARTS + _MORE)).map("".join), max_size=16)


def paged(view: InflatedStore, prefix: str, delimiter: str, limit: int, start_after: str) -> list[Page]:
    pages: list[Page] = []
    token = None
    while True:
        page = view.list_page(
            prefix, delimiter=delimiter, token=token, limit=limit, start_after=start_after, deadline=Deadline(10)
        )
        pages.append(page)
        token = page.token
        if token is None:
            return pages
        assert len(pages) < 200


def expected(keys: set[str], prefix: str, delimiter: str, start_after: str) -> tuple[list[str], set[str]]:
    """By a few lines that are obviously right: shown keys in order, and common prefixes."""
    shown = {NAMES.shown(key) for key in keys}
    found = sorted((key for key in shown if key.startswith(prefix) and key > start_after), key=sort_key)
    if not delimiter:
        return found, set()
    objects = [key for key in found if "/" not in key[len(prefix) :]]
    return objects, {key[: key.index("/", len(prefix)) + 1] for key in found if "/" in key[len(prefix) :]}


@settings(max_examples=300, deadline=None)
@given(
    keys=_KEYS,
    prefix=st.sampled_from(["", "d/", "a", "a.nii", "a.nii.", "a.nii.gz", "d/a.nii", "b.nii"]),
    delimiter=st.sampled_from(["", "/"]),
    limit=st.integers(1, 5),
    start_after=st.sampled_from(["", "a.nii", "a.nii-1", "a.nii.gz", "d/a.nii", "zz"]),
)
def test_pages_are_whole_and_in_order(
    keys: set[str], prefix: str, delimiter: str, limit: int, start_after: str
) -> None:
    store = MemoryStore({key: key.encode() for key in keys})
    view = InflatedStore(store, ["nii"])
    try:
        pages = paged(view, prefix, delimiter, limit, start_after)
    finally:
        view.close()
    objects = [stat.id.key for page in pages for stat in page.objects]
    prefixes = [one for page in pages for one in page.prefixes]
    want, commons = expected(keys, prefix, delimiter, start_after)
    assert objects == want
    if not start_after:
        assert set(prefixes) == commons
    assert not any(page.unshowable for page in pages)
    for page in pages:
        for stat in page.objects:
            assert stat.id.source == view.source


def test_who_wins_where_both_are_stored_and_the_other_is_told() -> None:
    store = MemoryStore({"x.nii": b"plain", "x.nii.gz": b"packed", "y.nii.gz": b"", "y.nii.GZ": b""})
    view = InflatedStore(store, ["nii"])
    page = view.list_page("", deadline=Deadline(10))
    assert [(stat.id.key, view.stored_key(stat)) for stat in page.objects] == [
        ("x.nii", "x.nii"),
        ("y.nii", "y.nii.gz"),
    ]
    assert [key for key, _ in page.hidden] == ["x.nii.gz", "y.nii.GZ"]
    assert all(view.head(stat.id.key, deadline=Deadline(10)) == stat for stat in page.objects)
    view.close()


def test_head_and_listing_tell_the_same() -> None:
    store = MemoryStore({"d/a.nii.gz": b"1", "d/b.NII.gz": b"2", "d/c.json": b"3", "d/e.nii": b"4"})
    view = InflatedStore(store, ["nii"])
    stats: list[ObjectStat] = view.list_page("d/", deadline=Deadline(10)).objects
    assert [view.head(stat.id.key, deadline=Deadline(10)) for stat in stats] == stats
    view.close()
