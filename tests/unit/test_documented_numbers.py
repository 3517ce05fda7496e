"""Numbers that the help names: what is in the code is what stands there. That they are kept, other tests check."""

from __future__ import annotations

from pathlib import Path

from mountnd.blocks.misses import FAILED_S
from mountnd.catalog import requests
from mountnd.catalog.model.permissions import FEWER_KEYS, FORBIDDEN_S, LEARNT_S
from mountnd.config import presets
from mountnd.config.options import MountConfig, SourceConfig
from mountnd.serve import KERNEL_TTL_S
from mountnd.stores.links import store as links
from mountnd.stores.s3.access.credentials import RENEW_S
from mountnd.vfs.failures import REPEAT_S


def test_how_long_names_are_believed() -> None:
    """By default 300 s here, and 1 s more by the kernel."""
    assert (SourceConfig(name="x", url="s3://x").ttl, KERNEL_TTL_S) == (300, 1)


def test_how_long_is_waited() -> None:
    assert MountConfig(mountpoint=Path("/x"), sources=()).timeout == 60


def test_how_long_failures_and_refusals_are_remembered() -> None:
    assert (FAILED_S, REPEAT_S) == (5, 300)
    assert (FORBIDDEN_S, LEARNT_S, FEWER_KEYS) == (30, 300, (100, 10, 1))


def test_how_often_other_keys_are_looked_for() -> None:
    assert (RENEW_S, requests.LOOK_S, links.RENEW_S) == (3, 3, 3)


def test_how_many_presets_there_are() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"It knows {len(presets.load_all())}." in readme
