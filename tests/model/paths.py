"""Which paths the reference model's programs ask for, and what comes of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from .keys import close, segments
from .reference import Tree, showable


def draw_path(
    data: st.DataObject, trees: Sequence[Tree], recent: Sequence[str], root: str, *, files: bool, whole: bool
) -> list[str]:
    """A path that is in one of `trees`; often on the way to what was changed last (`recent`). Sometimes it never was.

    Args:
        root: where the tree begins, as a key prefix.
        files: only paths of files, where there are any; whole: also the root, as an empty path.
    """
    shown = {key for tree in trees for d in tree.directories() for key in tree.listing(d).values()}
    files_only = {key for key in shown if not key.endswith("/")}
    near = {key for key in shown for changed in recent if changed.startswith(key)}
    pools = [pool for pool in (files_only if files else shown, near & files_only if files else near) if pool]
    if whole and (not pools or not data.draw(st.integers(0, 3))):
        return []
    if not pools or not data.draw(st.integers(0, 7)):
        made = data.draw(st.lists(st.one_of(close, segments), min_size=1, max_size=3))
        return [name for name in made if showable(name)] or ["a"]
    key = data.draw(st.sampled_from(sorted(data.draw(st.sampled_from(pools)))))
    return key[len(root) :].rstrip("/").split("/")


def raw(path: list[str]) -> bytes:
    return "/".join(path).encode("utf-8", "surrogateescape")


def outcome_of(call: Callable[[], Any]) -> Any:
    """What a call returns, or its errno."""
    try:
        return call()
    except OSError as error:
        return error.errno
