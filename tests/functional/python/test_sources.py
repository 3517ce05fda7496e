"""Which source a path means: presets, the config file, what is pasted, URLs; sources that are given; and options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from mountnd.api.filesystem import MountndFileSystem
from mountnd.demo import dataset as demo
from mountnd.errors import ConfigError, UsageError
from tests.support import tree
from tests.support.local_openneuro import local_openneuro
from tests.support.servers import file_server
from tests.support.tree import Bucket
from tests.support.waiting import wait_until

from .conftest import Made, options


@pytest.fixture(scope="module")
def openneuro() -> Iterator[str]:
    with local_openneuro() as url:
        yield url


@pytest.fixture
def presets(openneuro: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MountndFileSystem:
    """Any source, with what a person has set in the environment."""
    monkeypatch.setenv("MOUNTND_ENDPOINT_URL", openneuro)
    monkeypatch.setenv("MOUNTND_REGION", "us-east-1")
    monkeypatch.setenv("MOUNTND_CACHE_DIR", str(tmp_path / "cache"))
    return MountndFileSystem(skip_instance_cache=True)


README = dict(demo.files())["README"]


@pytest.mark.parametrize(
    "path",
    ["openneuro/ds000001/README", "mountnd://openneuro/ds000001/README", "/openneuro/ds000001/README/",
     "ds000001/README", "s3://openneuro.org/ds000001/README", "mountnd://s3://openneuro.org/ds000001/README",
     "10.18112/openneuro.ds000001/README", "doi:10.18112/openneuro.ds000001/README"],
)  # fmt: skip
def test_a_path_begins_with_its_source(presets: MountndFileSystem, path: str) -> None:
    assert presets.cat_file(path) == README
    assert presets.info(path)["name"] == presets._strip_protocol(path)
    around = presets._parent(path)
    assert presets.info(path)["name"] in presets.ls(around, detail=False)
    assert presets.exists(path) and not presets.exists(path.rstrip("/") + "x")


def test_the_top_lists_what_is_known_by_name(presets: MountndFileSystem, tmp_path: Path) -> None:
    names = presets.ls("", detail=False)
    assert {"openneuro", "indi", "hcp"} <= set(names)
    assert presets.isdir("") and presets.info("mountnd://")["type"] == "directory"
    assert "openneuro" in presets.glob("open*")
    with pytest.raises(ValueError, match="begins with a source"):
        presets.find("")
    with pytest.raises(IsADirectoryError):
        presets.open("")


def test_a_source_of_the_config_file(dataset: Bucket, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[sources.lab]\nurl = "s3://{dataset.name}/sub-01"\nendpoint_url = "{dataset.url}"\nanonymous = true\n'
        f'region = "us-east-1"\n[defaults]\ncache_dir = "{tmp_path / "cache"}"\n'
    )
    fs = MountndFileSystem(config=config, skip_instance_cache=True)
    assert fs.ls("lab", detail=False) == ["lab/anat", "lab/func"]
    assert "lab" in fs.ls("", detail=False)
    config.write_text("[sources.lab\n")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        MountndFileSystem(config=str(config), skip_instance_cache=True)


def test_a_chained_url(dataset: Bucket, tmp_path: Path) -> None:
    given = options(dataset.url, tmp_path)
    url = f"mountnd://anat/sub-01_T1w.json::s3://{dataset.name}/sub-01"
    with fsspec.open(url, mountnd=given) as file:
        assert file.read() == tree.content("sub-01/anat/sub-01_T1w.json", 1_200)
    fs, path = fsspec.core.url_to_fs(url, mountnd=given)
    assert path == "anat/sub-01_T1w.json" and fs.isfile(path)
    with pytest.raises(UsageError, match="names one already"):
        MountndFileSystem(source="openneuro", fo="b", target_protocol="s3")


def test_several_sources_are_a_directory_each(made: Made, dataset: Bucket, bucket: Bucket) -> None:
    bucket.put("f", b"of another")
    fs = made(dataset.url, [f"s3://{dataset.name}/sub-01", f"s3://{bucket.name}"])
    assert sorted(fs.ls("", detail=False)) == sorted(["sub-01", bucket.name])
    assert fs.cat_file(f"{bucket.name}/f") == b"of another"
    found = fs.find("")
    assert f"{bucket.name}/f" in found and "sub-01/anat/sub-01_T1w.json" in found
    fs.invalidate_cache()
    fs.invalidate_cache("sub-01")
    assert fs.find("") == found


def test_an_object_as_a_source(made: Made, dataset: Bucket) -> None:
    fs = made(dataset.url, f"s3://{dataset.name}/participants.tsv")
    assert fs.ls("", detail=False) == ["participants.tsv"]
    assert fs.cat_file("participants.tsv") == tree.content("participants.tsv", 97)


def test_a_web_server_and_files_here(tmp_path: Path) -> None:
    (tmp_path / "data/below").mkdir(parents=True)
    (tmp_path / "data/below/f.txt").write_bytes(b"here")
    fs = MountndFileSystem(cache_dir=tmp_path / "cache", skip_instance_cache=True)
    local = f"file://{tmp_path}/data"
    assert fs.find(local) == [f"file:{tmp_path}/data/below/f.txt".replace(":/", ":")]
    assert fs.cat_file(f"mountnd://{local}/below/f.txt") == b"here"
    assert fs.isdir("file:///")
    with file_server(tmp_path / "data") as url:
        assert fs.cat_file(f"{url}/below/f.txt") == b"here"
        assert fs.ls(f"mountnd://{url}/below", detail=False) == [f"{url}/below/f.txt".replace("://", ":")]


@pytest.mark.parametrize("path", ["nosuch/x", "opennuro", "s3://nosuchbucket/x", "s3://UP/x", "weird://x/y", "a b/c"])
def test_an_unknown_source_is_a_file_that_is_not_there(presets: MountndFileSystem, path: str) -> None:
    assert not presets.exists(path)
    with pytest.raises(FileNotFoundError) as raised:
        presets.open(path)
    if path == "opennuro":
        assert "did you mean openneuro" in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"memry": 1}, "memry: no such option: did you mean memory?"),
        ({"memory": "lots"}, "memory: 'lots' is not a size of at least 8M"),
        ({"ttl": "soon"}, "ttl: 'soon' is not a number of seconds"),
        ({"anonymous": "perhaps"}, "anonymous: 'perhaps' is not true or false"),
        ({"allow_other": True}, "allow_other: only a mount takes it"),
        ({"foreground": True}, "foreground: a mount from Python is always in the background"),
        ({"source": "opennuro"}, "opennuro: no such source or preset: did you mean openneuro"),
        ({"source": "file:///tmp", "profile": "lab"}, "profile: only sources on S3 take it"),
    ],
)
def test_options_that_are_wrong(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        MountndFileSystem(**given, skip_instance_cache=True)
    assert str(raised.value).startswith(message)


def test_options_as_python_has_them(made: Made, dataset: Bucket) -> None:
    fs = made(
        dataset.url, f"s3://{dataset.name}", memory=8 << 20, ttl=float("inf"), timeout=7, offline=False, profile=None
    )
    tree_, _ = fs.tree_of("")
    assert tree_.mount.blocks.memory_limit == 8 << 20
    assert fs.exists(tree.BIG)


def test_each_further_tree_takes_less_memory(dataset: Bucket, bucket: Bucket, tmp_path: Path) -> None:
    fs = MountndFileSystem(**options(dataset.url, tmp_path), skip_instance_cache=True)
    memory = [fs.tree_of(f"s3://{one.name}")[0].mount.blocks.memory_limit for one in (dataset, bucket)]
    assert memory[1] <= memory[0] // 2 or memory[1] == 8 << 20


def test_offline_reads_what_is_cached(made: Made, dataset: Bucket, tmp_path: Path) -> None:
    cache = {"cache_dir": str(tmp_path / "kept")}
    with_network = made(dataset.url, f"s3://{dataset.name}", **cache)
    body = with_network.cat_file("participants.tsv")
    with_network.ls("")
    MountndFileSystem.clear_instance_cache()
    del with_network
    fs = made("http://127.0.0.1:9", f"s3://{dataset.name}", **cache, offline=True, skip_instance_cache=True)
    with pytest.raises(OSError, match="nothing is cached"):
        fs.ls("")  # of another server

    def is_kept() -> bool:
        again = made(dataset.url, f"s3://{dataset.name}", **cache, offline=True, skip_instance_cache=True)
        try:
            return again.cat_file("participants.tsv") == body
        except OSError as error:
            if "nothing is cached" not in str(error):
                raise
            return False

    # What has gone writes down what it knows on a thread of its own, a moment later.
    wait_until(is_kept, "the names and the file are kept")
    fs = made(dataset.url, f"s3://{dataset.name}", **cache, offline=True, skip_instance_cache=True)
    with pytest.raises(OSError, match="offline"):
        fs.cat_file(tree.BIG)
