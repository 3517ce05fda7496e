"""The default of `--memory` follows what may be used here, and what was chosen and cannot fit is warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd import memory_limit
from mountnd.config.file import ConfigFile
from mountnd.config.option_types import RawValue
from mountnd.config.resolve import ConfigInputs, ResolvedMount, resolve_mount
from mountnd.memory_limit import MIB, Limit
from tests.unit.cli.calls import call

GROUP = Limit(256 * MIB, "the memory limit of control group /sys/fs/cgroup/job_7")
DEFAULT = memory_limit.shares(GROUP).blocks


@pytest.fixture(autouse=True)
def _in_a_small_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "limit", lambda: GROUP)


def resolved(raw: str | None = None) -> ResolvedMount:
    typed = {} if raw is None else {"memory": RawValue(raw, "--memory", Path("/"))}
    inputs = ConfigInputs(
        typed=typed, environment={}, file=ConfigFile(), cwd=Path("/"), cache_home=Path("/c"), aws_profiles=tuple,
        store_schemes=tuple,
    )  # fmt: skip
    return resolve_mount(["s3://bucket", "/mnt/x"], inputs)


def test_the_default_fits_and_says_why() -> None:
    mount = resolved()
    assert mount.config.memory == DEFAULT < 64 * MIB
    assert mount.options["memory"].origin == f"default, for {GROUP.origin} is 256M"
    assert mount.notices == []


def test_what_cannot_fit_is_taken_and_warned_of_in_one_line() -> None:
    mount = resolved("512M")
    assert mount.config.memory == 512 * MIB
    (line,) = mount.notices
    assert line.startswith(f"--memory: 512M of memory will not fit: {GROUP.origin} is 256M")
    assert line.endswith(f"Without it mountnd would take {DEFAULT // MIB}M.")


def test_what_fits_is_not_warned_of() -> None:
    assert resolved("64M").notices == []
    assert resolved("64M").options["memory"].origin == "--memory"


def test_config_shows_value_and_reason() -> None:
    shown = " ".join(call(["config", "s3://bucket", "/mnt/x"]).out.split())
    assert f"memory {DEFAULT // MIB}M default, for the memory limit of control group" in shown


def test_mounting_prints_the_warning(tmp_path: Path) -> None:
    answer = call(["openneuro", str(tmp_path / "m"), "--memory", "1G"])
    assert answer.code == 0
    assert "--memory: 1G of memory will not fit" in answer.err
