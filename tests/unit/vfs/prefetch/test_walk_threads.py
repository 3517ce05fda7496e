"""Threads of one program that go through the files of a walk, each at its own pace."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

import pytest

from mountnd.vfs.prefetch.names import Path

from .replays import Replay
from .trees import Tree, bids, parts, study

FILES = study(200, sessions=3)
SIDECARS = [f for f in sorted(FILES) if f.endswith("rest_bold.json")][100:500]


def ahead(at: Replay, lists: Sequence[list[str]], seed: int) -> int:
    """Each thread opens the files of its list, and closes each before the next; some take ten times as long.

    Returns how many opens had been predicted at any time before: bytes that came stay, also where the walk has given
    them up.
    """
    pace = random.Random(seed)
    due = [(pace.random(), thread, 0) for thread in range(len(lists))]
    held: dict[int, Path] = {}
    found = 0
    while due:
        now, thread, n = heapq.heappop(due)
        if thread in held:
            at.close(held.pop(thread))
        if n >= len(lists[thread]):
            continue
        held[thread] = path = parts(lists[thread][n])
        predicted = path in at.predicted
        found += predicted
        at.open(path, close=False)
        heapq.heappush(due, (now + (2 if predicted else 40) + 60 * pace.random() ** 4, thread, n + 1))
    return found


def vain(at: Replay, opens: Sequence[str]) -> int:
    """Files predicted that nobody opened, without those that are still to come."""
    return len(set(at.predicted) - {parts(f) for f in opens} - at.coming.keys())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threads", [4, 8, 16])
def test_a_pool_that_takes_one_after_the_other(threads: int, seed: int) -> None:
    """Neighbours are opened in any order."""
    at, mix = Replay(Tree(FILES)), random.Random(seed)
    mixed = [f for i in range(0, len(SIDECARS), threads) for f in mix.sample(SIDECARS[i : i + threads], k=threads)]
    assert ahead(at, [mixed[i::threads] for i in range(threads)], seed) >= 0.85 * len(mixed)
    assert vain(at, mixed) <= 0.25 * len(mixed)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threads", [4, 8, 16])
def test_each_thread_has_a_list_of_its_own(threads: int, seed: int) -> None:
    """They drift apart by dozens of files."""
    at = Replay(Tree(FILES))
    assert ahead(at, [SIDECARS[i::threads] for i in range(threads)], seed) >= 0.85 * len(SIDECARS)
    assert vain(at, SIDECARS) <= 0.25 * len(SIDECARS)


@pytest.mark.parametrize("seed", range(4))
def test_a_session_that_is_left_out_is_left_alone_soon(seed: int) -> None:
    files = bids(200, runs=1)
    opens = [f for f in files if f.endswith(".json") and "ses-1" in f]
    at = Replay(Tree(files))
    assert ahead(at, [opens[i::8] for i in range(8)], seed) >= 0.85 * len(opens)
    assert vain(at, opens) <= 0.25 * len(opens)
