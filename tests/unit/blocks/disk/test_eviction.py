"""Which files of the disk cache go, and how much it may hold."""

from __future__ import annotations

from mountnd.blocks.disk import eviction
from mountnd.blocks.disk.eviction import CacheFile


def test_eviction_is_by_last_use_and_no_more_than_asked() -> None:
    files = [CacheFile("a", 10, 3.0), CacheFile("b", 20, 1.0), CacheFile("c", 30, 2.0)]
    assert eviction.victims(files, 0) == []
    assert [h.path for h in eviction.victims(files, 1)] == ["b"]
    assert [h.path for h in eviction.victims(files, 20)] == ["b"]
    assert [h.path for h in eviction.victims(files, 21)] == ["b", "c"]
    assert [h.path for h in eviction.victims(files, 10**9)] == ["b", "c", "a"]
    assert eviction.default_limit(1 << 40) == 10 << 30
    assert eviction.default_limit(20 << 30) == 2 << 30
    assert eviction.headroom(100, 30, 10**6, 10**6) == 70
    assert eviction.headroom(10**6, 0, 60, 1000) == 10
    assert eviction.headroom(10**6, 0, 40, 1000) == -10


def test_what_was_used_in_the_future_counts_as_longest_unused() -> None:
    """Under a clock that was ahead. Clocks of one cluster may differ by a minute."""
    files = [CacheFile("ahead", 10, 5000.0), CacheFile("old", 10, 100.0), CacheFile("new", 10, 1050.0)]
    assert [h.path for h in eviction.victims(files, 30, now=1000.0)] == ["ahead", "old", "new"]
    assert [h.path for h in eviction.victims(files, 30, now=6000.0)] == ["old", "new", "ahead"]
