"""The presets that ship: each file is valid, and what is in them agrees with what is known of the datasets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.config import presets
from mountnd.config.presets import Preset, load
from mountnd.config.resolve import read_inputs, resolve_mount
from mountnd.config.source_urls import check_url
from mountnd.errors import ConfigError

ALL = list(presets.load_all().values())
FEATURED = ["allen-brain-observatory", "fastmri", "hcp", "indi", "open-neurodata", "openneuro"]
FILES = sorted(Path(presets.__file__).parent.glob("*.toml"))


def test_every_file_is_loaded_and_the_featured_ones_come_first() -> None:
    assert {path.stem for path in FILES} == {preset.name for preset in ALL}
    assert [preset.name for preset in ALL[:6]] == FEATURED
    assert [preset.name for preset in ALL[6:]] == sorted(preset.name for preset in ALL[6:])


@pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)
def test_a_preset_is_valid(preset: Preset) -> None:
    if preset.url:
        assert check_url(preset.url, Path("/")) == preset.url
    if preset.url.startswith("s3://"):
        bucket = preset.url.removeprefix("s3://").partition("/")[0]
        assert preset.settings.get("region"), "without a region each mount costs a request more"
        # A wildcard certificate holds for one label: https://a.b.s3.amazonaws.com does not verify.
        assert preset.settings.get("path_style", False) == ("." in bucket)
    assert "ttl" in preset.settings
    assert isinstance(preset.settings.get("anonymous"), bool)
    assert preset.anonymous or preset.keys
    assert preset.licence or not preset.url.startswith("s3://")
    for text in (preset.home, preset.terms_url):
        assert not text or text.startswith("https://")
    assert len(preset.title) <= 48, "the list would not fit into 80 columns"
    for note in preset.notes:
        assert note.endswith(".")


@pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)
def test_a_preset_is_found_by_every_name(preset: Preset, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.touch()
    for name in (preset.name, *preset.aliases):
        environ = {"MOUNTND_URLS": str(links), "XDG_CONFIG_HOME": str(tmp_path)}
        resolved = resolve_mount([f"/mnt/{name}"], read_inputs({}, environ=environ, cwd=tmp_path, profiles=lambda: ()))
        source = resolved.config.sources[0]
        assert (source.name, source.preset, source.url) == (name, preset.name, preset.url)
        assert source.region == preset.settings.get("region")
        assert source.urls == (links if preset.links else None)


@pytest.mark.parametrize(
    ("name", "url", "region"),
    [
        ("openneuro", "s3://openneuro.org", "us-east-1"),
        ("indi", "s3://fcp-indi", "us-east-1"),
        ("open-neurodata", "s3://open-neurodata", "us-east-1"),
        ("allen-brain-observatory", "s3://allen-brain-observatory", "us-west-2"),
        ("hcp", "s3://hcp-openaccess", "us-east-1"),
    ],
)
def test_the_featured_buckets(name: str, url: str, region: str) -> None:
    preset = presets.find(name)
    assert preset is not None
    assert (preset.url, preset.settings["region"]) == (url, region)


def test_what_hcp_and_fastmri_need() -> None:
    hcp, fastmri = presets.find("hcp"), presets.find("fastmri")
    assert hcp is not None
    assert fastmri is not None
    assert hcp.settings["profile"] == "hcp"
    assert "https://balsa.wustl.edu" in hcp.keys
    assert not hcp.anonymous
    assert fastmri.url == ""
    assert "https://fastmri.med.nyu.edu/" in fastmri.links


def test_find_is_by_name_or_alias_in_any_case() -> None:
    for word in ("fcp-indi", "FCP-INDI", "indi"):
        found = presets.find(word)
        assert found is not None
        assert found.name == "indi"
    assert presets.find("nothing") is None
    assert presets.find("") is None


GOOD = 'title = "T"\nurl = "s3://bucket"\nanonymous = true\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = ", "Invalid value"),
        (GOOD + "regoin = 'x'", "unknown key regoin: did you mean region?"),
        (GOOD + "notes = 'x'", "notes is 'x'"),
        (GOOD + "aliases = [1]", "aliases is [1]"),
        (GOOD + "accept = 'yes'", "accept is 'yes'"),
        (GOOD + "aliases = ['Upper']", "names are lower-case words with hyphens, not 'Upper'"),
        ('title = "T"', "either url or links"),
        (GOOD + 'links = "l"', "either url or links"),
        ('url = "s3://b"', "a preset has a title"),
        (GOOD + "group = 'best'", "group is 'best'"),
        (GOOD + "ttl = 'soon'", "ttl: 'soon' is not"),
        (GOOD + "profile = 'x'", "anonymous and profile exclude each other"),
        ('title = "T"\nurl = "s3://b"\nanonymous = false', "says under `keys` how to get them"),
    ],
)
def test_an_invalid_file_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "some-set.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


def test_a_name_used_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.toml").write_text(GOOD)
    (tmp_path / "two.toml").write_text(GOOD + 'aliases = ["one"]')
    monkeypatch.setattr(presets, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(ConfigError, match="the name one is taken by the presets one and two"):
        presets.load_all.__wrapped__()


def test_listings_of_frozen_data_are_valid_for_longer() -> None:
    ttls = {preset.name: preset.settings["ttl"] for preset in ALL}
    assert {ttls["hcp"], ttls["fastmri"]} == {"indefinite"}
    assert ttls["openneuro"] == 300
    assert ttls["indi"] == 3600


def test_no_preset_has_its_reader_pay() -> None:
    """help/cost.md says so."""
    assert [preset.name for preset in ALL if preset.settings.get("requester_pays")] == []
