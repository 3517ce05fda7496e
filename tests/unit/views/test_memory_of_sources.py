"""Several sources of a mount that are shown inflated have the memory of one."""

from __future__ import annotations

from pathlib import Path

from mountnd import assembly
from mountnd.config.options import MountConfig, SourceConfig
from mountnd.views.store import InflatedStore


def test_several_views_share_the_memory_of_one(tmp_path: Path) -> None:
    held = []
    for count in (1, 4):
        sources = tuple(SourceConfig(name=f"s{n}", url=f"file://{tmp_path}", view="nii") for n in range(count))
        config = MountConfig(mountpoint=tmp_path / "nowhere", sources=sources, cache_size=0, memory=400 << 20)
        mount = assembly.build(config)
        stores = list(mount.stores.values())
        assert all(isinstance(store, InflatedStore) for store in stores)
        held.append(sum(store._files._engine.allowance._left for store in stores if isinstance(store, InflatedStore)))
        mount.close()
    assert held[0] == held[1] == 30 << 20
