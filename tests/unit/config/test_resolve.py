"""From `[SOURCE] MOUNTPOINT` and the layers to a configuration, and who signs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mountnd.config.dash_o import parse_dash_o
from mountnd.config.resolve import ResolvedMount, read_inputs, resolve_mount, resolve_source
from mountnd.config.signing import aws_profiles
from mountnd.config.source_urls import SCHEMES, check_url
from mountnd.errors import ConfigError, UsageError


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path


def resolved_mount(
    here: Path,
    *words: str,
    o: str = "",
    file: str = "",
    env: Mapping[str, str] | None = None,
    profiles: Sequence[str] = (),
) -> ResolvedMount:
    home = here / "home"
    config = home / "mountnd" / "config.toml"
    if file:
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(file)
    else:
        config.unlink(missing_ok=True)
    environ = {"XDG_CONFIG_HOME": str(home), **(env or {})}
    return resolve_mount(
        words, read_inputs(parse_dash_o([o], here), environ=environ, cwd=here, profiles=lambda: profiles)
    )


def refused(here: Path, *words: str, **how: object) -> str:
    with pytest.raises(UsageError) as caught:
        resolved_mount(here, *words, **how)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return str(caught.value)


def urls(resolved: ResolvedMount) -> list[tuple[str, str]]:
    return [(source.name, source.url) for source in resolved.config.sources]


# sources


@pytest.mark.parametrize(
    ("word", "name", "url"),
    [
        ("openneuro", "openneuro", "s3://openneuro.org"),
        ("fcp-indi", "fcp-indi", "s3://fcp-indi"),
        ("OpenNeuro", "OpenNeuro", "s3://openneuro.org"),
        ("openneuro/ds000001/", "ds000001", "s3://openneuro.org/ds000001/"),
        ("mountnd://openneuro/ds000001", "ds000001", "s3://openneuro.org/ds000001"),
        ("rockland/RawDataBIDS", "RawDataBIDS", "s3://fcp-indi/data/Projects/RocklandSample/RawDataBIDS"),
        ("s3://bucket", "bucket", "s3://bucket"),
        ("s3://bucket/a b/#c?d%20/", "#c?d%20", "s3://bucket/a b/#c?d%20/"),
        ("S3://bucket/x", "x", "s3://bucket/x"),
        ("s3a://bucket/x", "x", "s3://bucket/x"),
        ("gs://h01-release/data", "data", "gs://h01-release/data"),
        ("https://host/page/", "page", "https://host/page/"),
        ("file:///data/x", "x", "file:///data/x"),
    ],
)
def test_a_source_word(here: Path, word: str, name: str, url: str) -> None:
    resolved = resolved_mount(here, word, "/mnt/x")
    assert urls(resolved) == [(name, url)]
    assert resolved.config.mountpoint == Path("/mnt/x")


def test_a_relative_file_url_starts_here(here: Path) -> None:
    assert urls(resolved_mount(here, "file://data", "m")) == [("data", f"file://{here}/data")]
    assert resolved_mount(here, "file://data", "m").config.mountpoint == here / "m"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("openneuo", "openneuo: no such source or preset: did you mean openneuro"),
        ("my-own-bucket", "for a bucket write s3://my-own-bucket"),
        ("s3://", "'' is not a bucket name; write s3://BUCKET/PREFIX"),
        ("s3:///key", "'' is not a bucket name"),
        ("s3://a b", "'a b' is not a bucket name"),
        ("s3://arn:aws:s3:eu-west-1:123456789012:bucket/x", "not the ARN of an S3 access point"),
        ("s3://arn:aws:iam::123456789012:role/x", "not the ARN of an S3 access point"),
        ("s3://arn:aws:s3::123456789012:accesspoint/m.mrap", "multi-region access point"),
        ("s3://arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/ap", "does not say how large"),
        ("ss3://bucket", "mountnd cannot read ss3:// URLs: did you mean s3"),
        ("gopher://x", "mountnd cannot read gopher:// URLs"),
        ("https://", "nothing follows https://"),
        ("./data", "is not a source; for a local directory write file://"),
        ("fastmri/knee", "is a list of signed links and has no knee"),
    ],
)
def test_a_word_that_is_not_a_source(here: Path, word: str, says: str) -> None:
    assert says in refused(here, word, "/mnt/x")


def test_an_existing_directory_is_not_a_source_but_its_url_is_suggested(here: Path) -> None:
    (here / "data").mkdir()
    assert f"file://{here}/data" in refused(here, "data", "/mnt/x")


def test_every_scheme_of_the_list_is_one_fsspec_has() -> None:
    from fsspec.registry import known_implementations

    newer = {"abfss", "hf", "lakefs", "dav", "davs"}  # missing in older versions of fsspec
    assert set(SCHEMES.split()) - set(known_implementations) <= newer
    for scheme in SCHEMES.split():
        assert check_url(f"{scheme}://bucket/x", Path("/"))


# only a mountpoint


def test_the_mountpoint_names_a_preset(here: Path) -> None:
    assert urls(resolved_mount(here, "/mnt/openneuro")) == [("openneuro", "s3://openneuro.org")]
    assert urls(resolved_mount(here, "./hcp-openaccess")) == [("hcp-openaccess", "s3://hcp-openaccess")]
    assert resolved_mount(here, "./openneuro/").config.mountpoint == here / "openneuro"


@pytest.mark.parametrize("word", ["openneuro", "fcp-indi", "lab"])
def test_a_bare_name_is_refused_with_both_commands(here: Path, word: str) -> None:
    (here / word).mkdir()  # also when there is a directory of that name
    said = refused(here, word, file='[sources.lab]\nurl = "s3://lab"\n')
    assert f"`mountnd {word} DIR`" in said
    assert f"`mountnd ./{word}`" in said


def test_a_bare_directory_that_the_file_mounts(here: Path) -> None:
    file = f'[mounts."{here}/brains"]\nsource = "openneuro"\n'
    assert urls(resolved_mount(here, "brains", file=file)) == [("openneuro", "s3://openneuro.org")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "the mountpoint is missing"),
        (("",), "the mountpoint is empty"),
        (("openneuro", ""), "the mountpoint is empty"),
        (("a", "b", "c d"), "a: no such source or preset"),
        (("s3://bucket",), "the mountpoint is missing: mountnd s3://bucket DIR"),
        (("/mnt/x", "s3://bucket"), "the source goes before the mountpoint: mountnd s3://bucket /mnt/x"),
        (("/mnt/opennuro",), "no source or preset is called opennuro: did you mean openneuro"),
        (("/mnt/zzz",), "no source or preset is called zzz; Say what to mount: mountnd SOURCE /mnt/zzz"),
        (("/",), "no source or preset is called /"),
    ],
)
def test_invalid_words(here: Path, words: tuple[str, ...], says: str) -> None:
    assert says in refused(here, *words)


# the config file

FILE = """
[defaults]
memory = "1G"
[sources.lab]
url = "s3://lab/bids"
endpoint_url = "http://127.0.0.1:9"
profile = "labkeys"
ttl = 10
[sources.openneuro]
preset = "openneuro"
ttl = 20
[sources.ds1]
preset = "openneuro"
url = "s3://openneuro.org/ds000001"
[mounts."/mnt/lab"]
source = "lab"
memory = "2G"
[mounts."/mnt/brains"]
sources = ["lab", "openneuro", "indi", "s3://other/p"]
ttl = 30
[mounts."/mnt/indi"]
ttl = 40
"""
KEYS = ["labkeys"]


def test_a_mount_of_one_and_of_several(here: Path) -> None:
    one = resolved_mount(here, "/mnt/lab", file=FILE, profiles=KEYS)
    assert urls(one) == [("lab", "s3://lab/bids")]
    assert (one.config.memory, one.config.sources[0].ttl, one.config.sources[0].profile) == (2 << 30, 10, "labkeys")
    several = resolved_mount(here, "/mnt/brains", file=FILE, profiles=KEYS)
    assert [name for name, _ in urls(several)] == ["lab", "openneuro", "indi", "p"]
    assert [source.ttl for source in several.config.sources] == [30] * 4
    assert [source.preset for source in several.config.sources] == ["", "openneuro", "indi", ""]
    assert [source.anonymous for source in several.config.sources] == [None, True, True, None]
    assert several.config.memory == 1 << 30


def test_a_source_of_the_file_goes_before_the_preset_of_its_name(here: Path) -> None:
    resolved = resolved_mount(here, "/mnt/openneuro", file=FILE)
    assert (urls(resolved), resolved.config.sources[0].ttl) == ([("openneuro", "s3://openneuro.org")], 20)
    assert urls(resolved_mount(here, "ds1", "/x", file=FILE)) == [("ds1", "s3://openneuro.org/ds000001")]
    assert urls(resolved_mount(here, "lab/sub-01", "/x", file=FILE, profiles=KEYS)) == [
        ("sub-01", "s3://lab/bids/sub-01")
    ]


def test_a_mount_entry_without_sources_holds_options_for_the_preset_of_its_name(here: Path) -> None:
    resolved = resolved_mount(here, "/mnt/indi", file=FILE)
    assert (urls(resolved), resolved.config.sources[0].ttl) == ([("indi", "s3://fcp-indi")], 40)


def test_options_of_a_mount_entry_when_something_else_is_mounted_there(here: Path) -> None:
    file = '[mounts."/mnt/lab"]\nsource = "openneuro"\nmemory = "2G"\nregion = "xx"\n'
    other = resolved_mount(here, "s3://other", "/mnt/lab", file=file).config
    assert (other.memory, other.sources[0].region) == (2 << 30, None)
    same = resolved_mount(here, "openneuro", "/mnt/lab", file=file).config
    assert (same.memory, same.sources[0].region) == (2 << 30, "xx")


def test_a_mountpoint_below_a_link(here: Path) -> None:
    (here / "real").mkdir()
    (here / "link").symlink_to(here / "real")
    file = f'[mounts."{here}/real/x"]\nsource = "openneuro"\n'
    assert urls(resolved_mount(here, "./link/x", file=file)) == [("openneuro", "s3://openneuro.org")]


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ('[mounts."/m"]\nsource = "opennuro"', "opennuro: no such source or preset: did you mean openneuro"),
        ('[mounts."/m"]\nsources = ["s3://aaa/x", "s3://bbb/x"]', "two sources of this mount are called x"),
        (
            '[sources.m]\npreset = "opennuro"',
            "[sources.m] preset: no preset is called opennuro: did you mean ",
        ),
        ('[sources.m]\nurl = "bucket/x"', "[sources.m] url: "),
    ],
)
def test_a_file_with_invalid_sources(here: Path, file: str, says: str) -> None:
    assert says in refused(here, "/m", file=file)


def test_a_named_file_must_be_there_the_usual_one_need_not(here: Path) -> None:
    assert resolved_mount(here, "/mnt/openneuro").config.sources
    with pytest.raises(ConfigError, match="cannot read the config file"):
        resolved_mount(here, "/mnt/openneuro", env={"MOUNTND_CONFIG": str(here / "none")})


# signing


def source(here: Path, *words: str, **how: object) -> tuple[bool | None, str | None]:
    config = resolved_mount(here, *words, "/x", **how).config.sources[0]  # type: ignore[arg-type]
    return config.anonymous, config.profile


def test_hcp_uses_its_profile_or_the_usual_chain(here: Path) -> None:
    assert source(here, "hcp", profiles=["hcp"]) == (False, "hcp")
    assert source(here, "hcp", profiles=["other"]) == (False, None)
    assert source(here, "hcp", o="profile=mine", profiles=["hcp", "mine"]) == (False, "mine")
    assert source(here, "hcp", o="anonymous", profiles=["hcp"]) == (True, None)
    assert source(here, "hcp", env={"MOUNTND_ANONYMOUS": "1"}, profiles=["hcp"]) == (True, None)
    resolved = resolved_mount(here, "hcp", "/x")
    assert resolved.sources[0].options["profile"].origin == "default AWS credential chain, for lack of a profile hcp"
    assert resolved.config.sources[0].ttl == math.inf


def test_a_profile_that_is_not_there(here: Path) -> None:
    assert "the AWS files have no profile lag: did you mean lab?" in refused(
        here, "s3://bucket", "/x", o="profile=lag", profiles=["lab"]
    )
    assert "to make it: aws configure --profile lab" in refused(here, "s3://bucket", "/x", o="profile=lab")


def test_public_presets_are_never_signed(here: Path) -> None:
    for o in ("profile=lab", "no_anonymous", "anonymous=false"):
        said = refused(here, "openneuro", "/x", o=o, profiles=["lab"])
        assert "openneuro is public and is always read unsigned" in said
    for where in ('[sources.mine]\npreset = "openneuro"\n', '[mounts."/x"]\nsource = "openneuro"\n'):
        word = "mine" if "mine" in where else "openneuro"
        assert "always read unsigned" in refused(here, word, "/x", file=where + 'profile = "lab"', profiles=["lab"])
    assert source(here, "openneuro", o="anonymous") == (True, None)


def test_settings_for_everything_pass_over_public_presets_and_say_so(here: Path) -> None:
    for how in ({"env": {"MOUNTND_PROFILE": "lab"}}, {"file": '[defaults]\nprofile = "lab"'}):
        resolved = resolved_mount(here, "openneuro", "/x", profiles=["lab"], **how)  # type: ignore[arg-type]
        assert (resolved.config.sources[0].profile, resolved.config.sources[0].anonymous) == (None, True)
        assert len(resolved.notices) == 1
        assert "openneuro is public and is read unsigned" in resolved.notices[0]
        signed = resolved_mount(here, "s3://bucket", "/x", profiles=["lab"], **how)  # type: ignore[arg-type]
        assert (signed.config.sources[0].profile, signed.notices) == ("lab", [])


def test_a_profile_for_several_sources_signs_those_that_may_be(here: Path) -> None:
    file = '[mounts."/m"]\nsources = ["openneuro", "s3://bucket"]\n'
    resolved = resolved_mount(here, "/m", o="profile=lab", file=file, profiles=["lab"])
    assert [source.profile for source in resolved.config.sources] == [None, "lab"]
    file = '[mounts."/m"]\nsources = ["openneuro", "indi"]\n'
    assert "all of these sources are public" in refused(here, "/m", o="profile=lab", file=file, profiles=["lab"])


def test_anonymous_and_a_profile(here: Path) -> None:
    assert "exclude each other" in refused(here, "s3://bucket", "/x", o="anonymous,profile=lab", profiles=["lab"])
    file = '[sources.lab]\nurl = "s3://bucket"\nprofile = "lab"\n'
    assert source(here, "lab", file=file, o="anonymous", profiles=["lab"]) == (True, None)
    file = '[sources.lab]\nurl = "s3://bucket"\nanonymous = true\n'
    assert source(here, "lab", file=file, o="profile=lab", profiles=["lab"]) == (None, "lab")


def test_options_that_would_do_nothing_are_refused(here: Path) -> None:
    for o in ("region=x", "requester_pays", "path_style", "endpoint_url=http://h", "profile=x"):
        assert "only sources on S3 take it, not gs://bucket" in refused(here, "gs://bucket", "/x", o=o)
    assert "only a dataset of signed links" in refused(here, "openneuro", "/x", o="urls=f")
    # ... but may stand in the environment, for other mounts
    assert source(here, "gs://bucket", env={"MOUNTND_REGION": "x"}) == (None, None)


def test_fastmri_needs_its_links(here: Path) -> None:
    said = refused(here, "fastmri", "/x")
    assert "--urls FILE" in said
    assert "https://fastmri.med.nyu.edu/" in said
    assert "no such file of signed links" in refused(here, "fastmri", "/x", o="urls=none.txt")
    (here / "links").write_text("curl 'https://x'\n")
    config = resolved_mount(here, "fastmri", "/x", o="urls=links").config.sources[0]
    assert (config.url, config.urls) == ("", here / "links")
    (here / "home").mkdir()
    (here / "home" / "mountnd").mkdir()
    (here / "home" / "mountnd" / "l.txt").touch()
    file = '[sources.knees]\npreset = "fastmri"\nurls = "l.txt"\n[sources.own]\nurls = "l.txt"\n'
    for word in ("knees", "own"):
        assert resolved_mount(here, word, "/x", file=file).config.sources[0].urls == here / "home" / "mountnd" / "l.txt"


def test_one_source_without_a_mount(here: Path) -> None:
    inputs = read_inputs(parse_dash_o(["region=r"], here), environ={}, cwd=here, profiles=lambda: ())
    config, preset, *_ = resolve_source("s3://bucket/p", inputs)
    assert (config.url, config.region, preset) == ("s3://bucket/p", "r", None)
    _, preset, *_ = resolve_source("indi", read_inputs({}, environ={}, cwd=here))
    assert preset is not None
    assert preset.name == "indi"


def test_profiles_of_the_aws_files(tmp_path: Path) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text(
        '[default]\nregion=x\n[profile lab]\n [profile "two words"]\n[sso-session s]\n[hcp]\n# [profile no]\n'
    )
    credentials.write_text("[hcp]\naws_access_key_id = [x]\n[other]\n")
    environ = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    assert aws_profiles(environ) == ["default", "lab", "two words", "hcp", "other"]
    assert aws_profiles({**environ, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}) == [
        "default",
        "lab",
        "two words",
    ]


def test_botocore_sees_the_same_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.session

    (tmp_path / "config").write_text("[default]\n[profile lab]\nregion=x\n[profile 'q r']\na=b\n[plain]\na=b\n")
    (tmp_path / "credentials").write_text("[hcp]\naws_access_key_id=x\naws_secret_access_key=y\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    import os

    assert sorted(aws_profiles(os.environ)) == sorted(botocore.session.Session().available_profiles)


# caching proxies


def test_via_is_for_s3_alone(here: Path) -> None:
    """A source that is not on S3 passes them by, which is said; typed for such sources alone, it is a mistake."""
    via = "http://node2:8090,HTTP://Node1:80/"
    resolved = resolved_mount(here, "openneuro", "https://example.org/data", "mnt", env={"MOUNTND_VIA": via})
    ours, other = (source.config.via for source in resolved.sources)
    assert (ours, other) == (("http://node2:8090", "http://node1"), ())
    (notice,) = resolved.sources[1].notices
    assert "https://example.org/data is read without --via" in notice and not resolved.sources[0].notices
    assert "only sources on S3" in refused(here, "https://example.org/data", "mnt", o="via=http://node1")


def test_via_in_the_config_file_and_against_it(here: Path) -> None:
    file = '[defaults]\nvia = ["http://a", "http://b:8090"]\n'
    assert resolved_mount(here, "openneuro", "mnt", file=file).config.sources[0].via == ("http://a", "http://b:8090")
    assert resolved_mount(here, "openneuro", "mnt", file=file, o="via=none").config.sources[0].via == ()
    escaped = resolved_mount(here, "openneuro", "mnt", o=r"via=http://a\,http://b")
    assert escaped.config.sources[0].via == ("http://a", "http://b")


@pytest.mark.parametrize(
    "wrong",
    ["", "node1:8090", "ftp://node1", "http://user:secret@node1", "http://node1?x", "http://a,", "http://a:99999"],
)
def test_what_is_no_list_of_proxies(here: Path, wrong: str) -> None:
    said = refused(here, "openneuro", "mnt", o=f"via={wrong}".replace(",", "\\,"))
    assert "via" in said and "http://node1:8090" in said
