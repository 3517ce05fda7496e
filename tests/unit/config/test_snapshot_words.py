"""How people name snapshots, wherever sources are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.config.option_types import RawValue
from mountnd.config.options import SourceConfig
from mountnd.config.resolve import ConfigInputs, read_inputs, resolve_dataset, resolve_mount, resolve_source
from mountnd.daemon.run import READY_S, SNAPSHOT_S, ready_seconds
from mountnd.errors import ConfigError, UsageError

OPENNEURO = "https://openneuro.org/crn/graphql"


def inputs(tmp_path: Path, toml: str = "", **typed: str) -> ConfigInputs:
    file = tmp_path / "config.toml"
    file.write_text(toml)
    given = {name: RawValue(value, f"--{name}", Path("/")) for name, value in {"config": str(file), **typed}.items()}
    return read_inputs(given, environ={"HOME": str(tmp_path)}, cwd=tmp_path, profiles=tuple)


def meant(word: str, tmp_path: Path, toml: str = "", **typed: str) -> SourceConfig:
    return resolve_source(word, inputs(tmp_path, toml, **typed)).config


@pytest.mark.parametrize(
    ("word", "snapshot", "url", "name"),
    [
        ("openneuro/ds000001@1.0.2", "ds000001@1.0.2", "ds000001", "ds000001@1.0.2"),
        ("openneuro/ds000001@1.0.2/", "ds000001@1.0.2", "ds000001", "ds000001@1.0.2"),
        ("openneuro/ds000001@latest", "ds000001@latest", "ds000001", "ds000001@latest"),
        ("openneuro/ds000001@00001", "ds000001@00001", "ds000001", "ds000001@00001"),
        ("openneuro/ds000001@1.0.2/sub-01/anat", "ds000001@1.0.2", "ds000001/sub-01/anat", "anat"),
        ("ds000001@1.0.2", "ds000001@1.0.2", "ds000001", "ds000001@1.0.2"),
        ("ds000001@1.0.2/sub-01", "ds000001@1.0.2", "ds000001/sub-01", "sub-01"),
        ("mountnd://openneuro/ds000001@1.0.2", "ds000001@1.0.2", "ds000001", "ds000001@1.0.2"),
        ("10.18112/openneuro.ds000001.v1.0.2", "ds000001@1.0.2", "ds000001", "ds000001@1.0.2"),
        ("doi:10.18112/openneuro.ds000001.v1.0.2", "ds000001@1.0.2", "ds000001", "ds000001@1.0.2"),
        ("https://doi.org/10.18112/openneuro.ds000001.v1.0.2", "ds000001@1.0.2", "ds000001", "ds000001@1.0.2"),
        ("https://openneuro.org/datasets/ds000001/versions/1.0.2", "ds000001@1.0.2", "ds000001", "ds000001@1.0.2"),
    ],
)
def test_words_for_a_snapshot(word: str, snapshot: str, url: str, name: str, tmp_path: Path) -> None:
    config = meant(word, tmp_path)
    assert str(config.snapshot) == snapshot
    assert (config.url, config.name) == (f"s3://openneuro.org/{url}", name)
    assert config.snapshots_url == OPENNEURO
    assert config.snapshot is not None
    assert config.snapshot.below == url.removeprefix("ds000001").strip("/")


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("indi/data/x@y", "s3://fcp-indi/data/x@y"),
        ("openneuro/ds000001/a@b", "s3://openneuro.org/ds000001/a@b"),
        ("s3://bucket/ds000001@1.0.2", "s3://bucket/ds000001@1.0.2"),
        ("https://host/ds000001@1.0.2", "https://host/ds000001@1.0.2"),
        ("openneuro/ds000001", "s3://openneuro.org/ds000001"),
        ("10.18112/openneuro.ds000001", "s3://openneuro.org/ds000001"),
    ],
)
def test_elsewhere_it_is_a_letter(word: str, url: str, tmp_path: Path) -> None:
    config = meant(word, tmp_path)
    assert config.snapshot is None
    assert config.url == url


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("openneuro/ds000001@", "write the snapshot's tag behind the @, or latest: openneuro/ds000001@1.0.2"),
        ("openneuro/ds000001@../x", "write the snapshot's tag behind the @"),
        ("openneuro/ds000001@a b", "write the snapshot's tag behind the @"),
        ("openneuro/@1.0.2", "write the data set before the @"),
        ("openneuro@1.0.2", "each data set has snapshots of its own: openneuro/ds000001@1.0.2"),
    ],
)
def test_what_cannot_be_a_snapshot(word: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        meant(word, tmp_path)
    assert said in str(error.value)


def test_the_service_is_an_option_like_any_other(tmp_path: Path) -> None:
    typed = meant("openneuro/ds000001@1.0.2", tmp_path, snapshots_url="http://127.0.0.1:8/graphql")
    assert typed.snapshots_url == "http://127.0.0.1:8/graphql"
    filed = meant("openneuro/ds000001@1.0.2", tmp_path, '[defaults]\nsnapshots_url = "http://mirror/graphql"')
    assert filed.snapshots_url == "http://mirror/graphql"
    with pytest.raises(UsageError, match="--snapshots_url: 'mirror' is not a URL"):
        meant("openneuro/ds000001@1.0.2", tmp_path, snapshots_url="mirror")


MIRROR = """
[sources.mirror]
url = "s3://mirror/openneuro"
snapshots_url = "http://mirror/graphql"

[sources.copy]
preset = "openneuro"
url = "s3://copy"

[sources.study]
url = "openneuro/ds000001@1.0.2"

[sources.whole]
url = "openneuro/ds000001"

[sources.plain]
url = "s3://plain"
"""


@pytest.mark.parametrize(
    ("word", "snapshot", "url"),
    [
        ("mirror/ds000001@1.0.2", "ds000001@1.0.2", "s3://mirror/openneuro/ds000001"),
        ("copy/ds000001@1.0.2/sub-01", "ds000001@1.0.2", "s3://copy/ds000001/sub-01"),
        ("study", "ds000001@1.0.2", "s3://openneuro.org/ds000001"),
        ("whole@1.0.2", "ds000001@1.0.2", "s3://openneuro.org/ds000001"),
        ("whole@1.0.2/sub-01", "ds000001@1.0.2", "s3://openneuro.org/ds000001/sub-01"),
        ("plain/ds000001@1.0.2", "None", "s3://plain/ds000001@1.0.2"),
    ],
)
def test_sources_of_the_config_file(word: str, snapshot: str, url: str, tmp_path: Path) -> None:
    config = meant(word, tmp_path, MIRROR)
    assert (str(config.snapshot), config.url) == (snapshot, url)


def test_a_typed_service_gives_a_buckets_url_snapshots(tmp_path: Path) -> None:
    config = meant("s3://mirror/on/ds000001@1.0.2/sub-01", tmp_path, snapshots_url="http://mirror/graphql")
    assert (str(config.snapshot), config.url) == ("ds000001@1.0.2", "s3://mirror/on/ds000001/sub-01")


def test_two_snapshots_of_one_data_set_are_a_directory_each(tmp_path: Path) -> None:
    words = ["openneuro/ds000001@1.0.1", "openneuro/ds000001@1.0.2", "openneuro/ds000001", str(tmp_path / "mnt")]
    config = resolve_mount(words, inputs(tmp_path)).config
    assert [source.name for source in config.sources] == ["ds000001@1.0.1", "ds000001@1.0.2", "ds000001"]


def test_a_mountpoint_may_be_called_like_a_snapshot(tmp_path: Path) -> None:
    (source,) = resolve_mount([str(tmp_path / "ds000001@1.0.2")], inputs(tmp_path)).config.sources
    assert str(source.snapshot) == "ds000001@1.0.2"


def test_the_config_files_mounts(tmp_path: Path) -> None:
    toml = f'[mounts."{tmp_path}/mnt"]\nsources = ["openneuro/ds000001@1.0.2", "indi"]\n'
    (first, second) = resolve_mount([str(tmp_path / "mnt")], inputs(tmp_path, toml)).config.sources
    assert (str(first.snapshot), second.snapshot) == ("ds000001@1.0.2", None)
    wrong = toml.replace("@1.0.2", "@")
    with pytest.raises(ConfigError, match="write the snapshot's tag"):
        resolve_mount([str(tmp_path / "mnt")], inputs(tmp_path, wrong))


@pytest.mark.parametrize(
    "word",
    ["openneuro/ds000001", "openneuro/ds000001/sub-01", "ds000001", "openneuro/ds000001@1.0.2", "whole", "study"]
    + ["10.18112/openneuro.ds000001", "10.18112/openneuro.ds000001.v1.0.2", "copy/ds000001"],
)
def test_words_for_a_data_set_with_snapshots(word: str, tmp_path: Path) -> None:
    snapshot = resolve_dataset(word, inputs(tmp_path, MIRROR)).config.snapshot
    assert snapshot is not None
    assert snapshot.dataset == "ds000001"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("indi/data", "indi/data: nobody is known to keep snapshots of it"),
        ("s3://bucket/ds000001", "nobody is known to keep snapshots of it"),
        ("openneuro", "name one: openneuro/ds000001"),
        ("opneuro", "no such source or preset"),
    ],
)
def test_words_for_what_has_no_snapshots(word: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        resolve_dataset(word, inputs(tmp_path))
    assert said in str(error.value)


def test_a_snapshot_is_the_same_for_ever(tmp_path: Path) -> None:
    config = meant("openneuro/ds000001@1.0.2", tmp_path)
    assert (config.ttl, config.probe) == (float("inf"), False)
    with pytest.raises(UsageError, match="--ttl: a snapshot says which names there are"):
        meant("openneuro/ds000001@1.0.2", tmp_path, ttl="60")


def test_whoever_waits_for_a_snapshot_waits_longer(tmp_path: Path) -> None:
    for word, seconds in (("openneuro/ds000001", READY_S), ("openneuro/ds000001@1.0.2", READY_S + SNAPSHOT_S)):
        assert ready_seconds(resolve_mount([word, str(tmp_path / "mnt")], inputs(tmp_path)).config) == seconds
