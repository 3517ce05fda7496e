"""Keys as hypothesis makes them: few names, so that they clash, and every odd sort among them."""

from __future__ import annotations

from hypothesis import strategies as st

# "a" with what sorts just below and above "a/" behind it; what kernels refuse; what people forget.
SEGMENTS = [
    "a", "a!", "a-1", "a.b", "a0", "a ", "b", "sub-01", "sub-02", "ses-1",
    "", ".", "..", "...", "\0", "a\0b", "x" * 255, "x" * 256, "é" * 128,
    "\n", "\x7f", "é", "e\u0301", "\U0001f9e0", "\uffff", "\udcff", "a\udc80", "?*+,#: ", "%2F",
]  # fmt: skip

segments = st.sampled_from(SEGMENTS)
plain = st.sampled_from(["a", "a-1", "a.b", "b", "sub-01", "sub-02", "ses-1"])
# Names that sort between "a" and "a/" are where listings of several pages go wrong: many such key sets.
close = st.sampled_from(["a", "a!", "a-", "a-1", "a0"])


def _paths(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(names, min_size=1, max_size=4).map("/".join)


def _keys(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(_paths(names), _paths(names), _paths(names).map(lambda path: path + "/")).filter(bool)


keys = st.one_of(_keys(close), _keys(st.one_of(plain, plain, segments)))
key_sets = st.one_of(
    st.dictionaries(_keys(close), st.integers(0, 1), max_size=25),
    st.dictionaries(_keys(plain), st.integers(0, 1), max_size=25),
    st.dictionaries(keys, st.integers(0, 1), max_size=25),
)
