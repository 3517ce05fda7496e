"""`mount`, `presets` and `config`: what they print, and what `mount` hands to the daemon."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from mountnd.cli.verbs import mount as mount_module
from mountnd.config import presets
from mountnd.config.options import MountConfig, SourceConfig
from mountnd.errors import Forbidden, NoCredentials, NoSuchBucket
from tests.unit.cli.calls import call


def test_mount_tells_what_it_mounts_and_what_its_owners_ask(tmp_path: Path) -> None:
    answer = call(["openneuro", str(tmp_path / "m")])
    assert (answer.code, answer.out) == (0, "")
    lines = answer.err.splitlines()
    assert lines[0] == f"{tmp_path}/m: s3://openneuro.org, read unsigned"
    assert "Licence: CC0." in lines[1]
    assert "Please cite: " in lines[2]
    assert lines[-1] == f"{tmp_path}/m is ready. To end it: mountnd umount {tmp_path}/m"
    nsd = call(["nsd", str(tmp_path / "m")]).err
    assert "agreement" in nsd
    assert "https://cvnlab.slite.com/" in nsd


def test_mount_of_several_tells_of_each(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[mounts."{tmp_path}/m"]\nsources = ["indi", "s3://bucket/p"]\nendpoint_url = "http://h:9"\n')
    answer = call([str(tmp_path / "m"), "--config", str(file)])
    assert f"{tmp_path}/m/indi: s3://fcp-indi at http://h:9, read unsigned\n" in answer.err
    assert f"{tmp_path}/m/p: s3://bucket/p at http://h:9\n" in answer.err


def test_in_front_nothing_is_said_of_umount(tmp_path: Path) -> None:
    answer = call(["openneuro", str(tmp_path / "m"), "-f"])
    assert answer.config is not None
    assert answer.config.foreground
    assert "umount" not in answer.err


def test_a_notice_is_printed(tmp_path: Path) -> None:
    answer = call(["openneuro", str(tmp_path / "m")], {"MOUNTND_PROFILE": "lab"})
    assert answer.code == 0
    assert "openneuro is public and is read unsigned: MOUNTND_PROFILE is not used for it" in answer.err


def test_a_name_with_spaces_can_be_copied(tmp_path: Path) -> None:
    answer = call(["openneuro", str(tmp_path / "my data")])
    assert f"mountnd umount '{tmp_path}/my data'" in answer.err


def served(error: Exception, *sources: SourceConfig) -> str:
    """What `mount.serve` raises when the mount fails with `error`."""

    def fail(config: MountConfig, ready: object, holders: object) -> None:
        raise error

    config = MountConfig(mountpoint=Path("/x"), sources=sources)
    with mock.patch("mountnd.serve.serve", fail), pytest.raises(type(error)) as caught:
        mount_module.serve(config, lambda: None)
    return str(caught.value)


def test_a_refusal_of_hcp_says_how_to_get_keys() -> None:
    hcp = SourceConfig(name="hcp", url="s3://hcp-openaccess", preset="hcp", anonymous=False)
    lab = SourceConfig(name="lab", url="s3://lab")
    keys = presets.load_all()["hcp"].keys
    for error in (NoCredentials("s3://hcp-openaccess: no keys"), Forbidden("s3://hcp-openaccess: 403", code="X")):
        assert served(error, hcp) == served(error, lab, hcp) == f"{error}. To get keys for hcp: {keys}"
    assert served(NoSuchBucket("s3://hcp-openaccess: gone"), hcp) == "s3://hcp-openaccess: gone"
    assert served(Forbidden("s3://lab: 403"), hcp, lab) == "s3://lab: 403"
    unsigned = SourceConfig(name="hcp", url="s3://hcp-openaccess", preset="hcp", anonymous=True)
    assert served(Forbidden("s3://hcp-openaccess: 403"), unsigned) == "s3://hcp-openaccess: 403"


def test_the_list_of_presets_has_one_line_each() -> None:
    answer = call(["presets"])
    lines = answer.out.splitlines()
    assert answer.code == 0
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["Name", "Dataset", "Access"]
    rows = {words[0]: words[-1] for line in lines[1:] if len(words := line.split()) > 1}
    assert set(presets.load_all()) < set(rows)
    assert lines.index("Featured") < lines.index("More") < len(lines) - len(rows) + 10
    assert (rows["openneuro"], rows["hcp"], rows["fastmri"]) == ("public", "keys", "links")


@pytest.mark.parametrize("name", presets.load_all())
def test_one_preset_in_detail(name: str) -> None:
    preset = presets.load_all()[name]
    answer = call(["presets", name])
    flat = "".join(answer.out.split())
    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= 80
    told = (preset.title, preset.url, preset.licence, preset.terms, preset.citation, preset.keys, preset.links)
    for text in (*told, preset.terms_url, preset.layout, *preset.aliases, *preset.notes, f"mountnd {name} DIR"):
        assert "".join(text.split()) in flat


def test_an_alias_finds_its_preset() -> None:
    assert call(["presets", "fcp-indi"]).out == call(["presets", "indi"]).out


def rows_of(out: str) -> dict[str, list[str]]:
    """The rows of tables: first word to the others."""
    return {words[0]: words[1:] for line in out.splitlines() if (words := line.split())}


def test_config_shows_each_setting_and_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[defaults]\nmemory = 1073741824\nfile_mode = '0400'\n")
    answer = call(
        ["config", "openneuro", str(tmp_path / "m"), "--ttl", "indefinite", "--config", str(file), "-o", "uid=7"],
        {"MOUNTND_TIMEOUT": "5", "COLUMNS": "200"},
    )
    assert (answer.code, answer.err, answer.config) == (0, "", None)
    rows = rows_of(answer.out)
    assert rows["url"] == ["s3://openneuro.org", "preset", "openneuro"]
    assert rows["ttl"] == ["indefinite", "--ttl"]
    assert rows["timeout"] == ["5", "MOUNTND_TIMEOUT"]
    assert rows["memory"] == ["1G", str(file), "[defaults]"]
    assert rows["file_mode"] == ["0400", str(file), "[defaults]"]
    assert rows["uid"] == ["7", "-o", "uid"]
    assert rows["region"] == ["us-east-1", "preset", "openneuro"]
    assert rows["dir_mode"] == ["0755", "default"]
    assert rows["allow_other"] == ["false", "default"]


def test_config_without_a_mount_shows_what_the_file_has(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[sources.lab]\nurl = "s3://lab"\n[mounts."/mnt/x"]\nsources = ["lab", "indi"]\n')
    answer = call(["config"], {"MOUNTND_CONFIG": str(file), "COLUMNS": "120"})
    assert answer.code == 0
    assert answer.out.startswith(f"Config file: {file}\n")
    assert "  lab  s3://lab\n" in answer.out
    assert "  /mnt/x  lab indi\n" in answer.out
    assert rows_of(answer.out)["memory"] == ["512M", "default"]
    assert "Config file: none" in call(["config"]).out
