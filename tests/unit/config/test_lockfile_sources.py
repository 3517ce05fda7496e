"""A lockfile as a source: where it is named, and what its header says of how it is reached."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mountnd.config.options import INDEFINITE, SourceConfig
from mountnd.config.resolve import is_source, read_inputs, resolve_mount, resolve_source
from mountnd.errors import ConfigError, UsageError
from mountnd.lockfile.header import Header
from mountnd.lockfile.writing import write

HEADER = Header(
    source="s3://bkt/ds", root="ds/", endpoint_url="http://127.0.0.1:9000", region="eu-west-1", anonymous=True,
    path_style=True,
)  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write(tmp_path / "data.lock", HEADER, [])
    write(tmp_path / "more.lock.gz", HEADER, [])
    write(tmp_path / "named otherwise", HEADER, [])
    return tmp_path


def source(here: Path, word: str, **typed: object) -> SourceConfig:
    from mountnd.config.option_types import RawValue

    values = {name: RawValue(value, f"--{name}", here) for name, value in typed.items()}
    inputs = read_inputs(values, environ={"XDG_CONFIG_HOME": str(here)}, cwd=here, profiles=lambda: ["me"])
    return resolve_source(word, inputs).config


def test_it_is_named_wherever_a_source_is(here: Path) -> None:
    for word in ("data.lock", "./data.lock", str(here / "data.lock"), "mountnd://data.lock"):
        found = source(here, word)
        assert (found.lockfile, found.name, found.url) == (here / "data.lock", "data", "s3://bkt/ds")
        assert (found.ttl, found.probe) == (INDEFINITE, False)
    assert source(here, "more.lock.gz").name == "more"
    assert source(here, "named otherwise").lockfile == here / "named otherwise"
    where = here / "elsewhere"
    (here / "config.toml").write_text(
        '[sources.mine]\nurl = "data.lock"\n'
        f'[mounts."{here}/mnt"]\nsources = ["mine", {json.dumps(str(here / "more.lock.gz"))}]\n'
    )
    where.mkdir()
    inputs = read_inputs({}, environ={"MOUNTND_CONFIG": str(here / "config.toml")}, cwd=where)
    found = resolve_mount([str(here / "mnt")], inputs).config.sources
    assert [(one.name, one.lockfile) for one in found] == [
        ("mine", here / "data.lock"), ("more", here / "more.lock.gz"),
    ]  # fmt: skip


def test_how_it_is_reached_stands_in_the_header(here: Path) -> None:
    found = source(here, "data.lock")
    assert (found.endpoint_url, found.region) == ("http://127.0.0.1:9000", "eu-west-1")
    assert (found.anonymous, found.path_style) == (True, True)
    assert (found.profile, found.requester_pays) == (None, False)
    found = source(here, "data.lock", endpoint_url="http://127.0.0.1:1", profile="me", requester_pays=True)
    assert (found.endpoint_url, found.profile, found.requester_pays) == ("http://127.0.0.1:1", "me", True)
    assert not found.anonymous
    with pytest.raises(ConfigError, match="'profile' is nothing a lockfile says"):
        (here / "data.lock").write_text((here / "data.lock").read_text().replace("region", "profile"))
        source(here, "data.lock")


def test_a_preset_counts_for_its_own_data_only(here: Path) -> None:
    write(here / "true.lock", Header(source="s3://openneuro.org/ds000001", root="ds000001/", preset="openneuro"), [])
    write(here / "false.lock", Header(source="s3://openneuro.org.evil/x", root="x/", preset="openneuro"), [])
    assert (source(here, "true.lock").preset, source(here, "true.lock").anonymous) == ("openneuro", True)
    assert (source(here, "false.lock").preset, source(here, "false.lock").anonymous) == ("", None)


def test_what_no_store_can_read_is_told_with_the_file(here: Path) -> None:
    for url in ("nonsense://x", "s3://AKIA:secret@bkt/x", "s3://"):
        write(here / "bad.lock", Header(source=url), [], overwrite=True)
        with pytest.raises(ConfigError, match=r"bad\.lock: source: "):
            source(here, "bad.lock")
    with pytest.raises(UsageError, match="no such lockfile"):
        source(here, "none.lock")
    (here / "uv.lock").write_text("version = 1\n")
    with pytest.raises(ConfigError, match=r"uv\.lock: not a lockfile of mountnd"):
        source(here, "uv.lock")


def test_a_word_alone(here: Path) -> None:
    inputs = read_inputs({}, environ={"XDG_CONFIG_HOME": str(here)}, cwd=here)
    assert is_source("data.lock", inputs)
    assert is_source(str(here / "data.lock"), inputs)
    assert not is_source("none.lock", inputs)
    with pytest.raises(UsageError, match="the mountpoint is missing: mountnd data.lock DIR"):
        resolve_mount(["data.lock"], inputs)
