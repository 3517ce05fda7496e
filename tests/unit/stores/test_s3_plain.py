"""What is said without botocore's session and s3fs's client is what these would say."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mountnd.stores.s3.access import connect as connecting
from mountnd.stores.s3.access.aws_files import AwsProfile, read_profile
from mountnd.stores.s3.access.bucket_options import BucketOptions
from mountnd.stores.s3.access.clock import ServerClock
from mountnd.stores.s3.access.credential_chain import Wanted, new_session
from mountnd.stores.s3.access.plain_endpoint import is_plain, plain_endpoint
from mountnd.stores.s3.access.s3fs_endpoint import ask_s3fs
from mountnd.stores.s3.access.static_keys import find_static

NOTHING = AwsProfile("default", {}, {})


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))


def options(bucket: str = "openneuro.org", **more: Any) -> BucketOptions:
    asked: dict[str, Any] = {
        "endpoint_url": None, "region": None, "profile": None, "anonymous": True, "requester_pays": False,
        "path_style": None, "connections": 1,
    }  # fmt: skip
    return BucketOptions(bucket=bucket, **asked | more)


def by_s3fs(asked: BucketOptions, regions: list[str]) -> list[tuple[str, bool, tuple[str, str]]]:
    async def ask() -> list[Any]:
        session = new_session(Wanted(asked.bucket, None, True), ServerClock())
        return [await ask_s3fs(session, asked, region, signed=False) for region in regions]

    return asyncio.run(ask())


def ordinary_regions() -> list[str]:
    from botocore.session import Session

    return sorted({*Session().get_available_regions("s3"), "us-east-1"})


@pytest.mark.parametrize(
    ("bucket", "path_style"),
    [("openneuro.org", None), ("openneuro.org", True), ("fcp-indi", None), ("fcp-indi", True), ("a1b", False)],
)
def test_each_region_is_where_s3fs_has_it(bucket: str, path_style: bool | None) -> None:
    asked = options(bucket, path_style=path_style)
    regions = ordinary_regions()
    assert len(regions) > 20
    for region, theirs in zip(regions, by_s3fs(asked, regions), strict=True):
        ours = plain_endpoint(asked, region)
        assert ours is not None, f"{region} is left to s3fs: that is slow, and no more"
        assert (*ours, (region, "s3")) == theirs


@pytest.mark.parametrize(
    "endpoint",
    ["http://127.0.0.1:9000", "http://minio:9000/", "https://s3.example.org", "https://storage.googleapis.com",
     "https://s3.lab-1.example.org:8443"],
)  # fmt: skip
@pytest.mark.parametrize("bucket", ["openneuro.org", "fcp-indi"])
@pytest.mark.parametrize("region", ["us-east-1", "minio", "eu-west-1", "cn-north-1"])
def test_an_endpoint_is_asked_as_s3fs_would(endpoint: str, bucket: str, region: str) -> None:
    asked = options(bucket, endpoint_url=endpoint)
    ours = plain_endpoint(asked, region)
    assert ours is not None
    assert [(*ours, (region, "s3"))] == by_s3fs(asked, [region])


@pytest.mark.parametrize(
    ("asked", "region"),
    [
        (options("arn:aws:s3:us-east-1:123456789012:accesspoint/x"), "us-east-1"),
        (options("data--use1-az4--x-s3"), "us-east-1"),
        (options("x--op-s3"), "us-east-1"),
        (options("Old_Bucket"), "us-east-1"),
        (options("192.168.1.1"), "us-east-1"),
        (options("a..b"), "us-east-1"),
        (options("openneuro.org", path_style=False), "us-east-1"),
        *((options(), region) for region in ("cn-north-1", "us-gov-west-1", "us-iso-east-1", "eu-isoe-west-1",
                                             "eusc-de-east-1", "aws-global", "s3-external-1", "", "US-EAST-1")),
        (options(endpoint_url="https://s3.us-west-2.amazonaws.com"), "us-east-1"),
        (options(endpoint_url="https://s3-accelerate.amazonaws.com"), "us-east-1"),
        (options(endpoint_url="http://host/under/a/path"), "us-east-1"),
        (options(endpoint_url="http://[::1]:9000"), "us-east-1"),
        (options(endpoint_url="ftp://host"), "us-east-1"),
        (options(endpoint_url="http://user:word@host"), "us-east-1"),
        (options("fcp-indi", endpoint_url="http://minio:9000", path_style=False), "us-east-1"),
    ],
)  # fmt: skip
def test_all_that_is_not_ordinary_is_left_to_s3fs(asked: BucketOptions, region: str) -> None:
    assert plain_endpoint(asked, region) is None


@pytest.mark.parametrize(
    "name",
    ["AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_DATA_PATH",
     "AWS_DEFAULTS_MODE", "AWS_OF_TOMORROW"],
)  # fmt: skip
def test_variables_that_are_not_known_are_left_to_s3fs(name: str) -> None:
    assert is_plain(NOTHING, {"AWS_ACCESS_KEY_ID": "x", "AWS_REGION": "y", "PATH": "z"})
    assert not is_plain(NOTHING, {name: "true"})


def test_values_of_a_profile_that_are_not_known_and_models_of_ones_own_are_left_to_s3fs(tmp_path: Path) -> None:
    assert is_plain(NOTHING._replace(values={"region": "eu-west-1", "output": "json"}), {})
    for values in ({"s3": {"use_accelerate_endpoint": "true"}}, {"use_dualstack_endpoint": "true"}, {"ca_bundle": "x"}):
        assert not is_plain(NOTHING._replace(values=values), {})
    assert not is_plain(NOTHING._replace(sound=False), {})
    (tmp_path / ".aws/models").mkdir(parents=True)
    assert not is_plain(NOTHING, {})


CONFIG = """
[default]
region = eu-west-1
[profile lab]
region = us-west-2
aws_access_key_id = OF-CONFIG
aws_secret_access_key = s1
[profile both]
aws_access_key_id = OF-CONFIG
aws_secret_access_key = s1
[profile role]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = lab
[profile program]
credential_process = echo '{"Version": 1, "AccessKeyId": "OF-PROGRAM", "SecretAccessKey": "s"}'
aws_access_key_id = OF-CONFIG
aws_secret_access_key = s1
[profile sso]
sso_session = x
sso_account_id = 1
sso_role_name = y
[profile half]
aws_access_key_id = HALF
[profile empty]
output = json
"""
CREDENTIALS = """
[default]
aws_access_key_id = OF-DEFAULT
aws_secret_access_key = s2
[both]
aws_access_key_id = OF-CREDENTIALS
aws_secret_access_key = s3
aws_session_token = t3
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(CONFIG)
    (tmp_path / ".aws/credentials").write_text(CREDENTIALS)
    return tmp_path / ".aws"


def by_the_chain(profile: str | None) -> Any:
    async def ask() -> Any:
        session = new_session(Wanted("x", profile, None), ServerClock())
        found = await session.get_component("credential_provider").load_credentials()
        return found.method, await found.get_frozen_credentials()

    return asyncio.run(ask())


def statically(profile: str | None) -> Any:
    found = find_static(profile, None, os.environ)
    assert found is not None
    return found.method, asyncio.run(found.get_frozen_credentials())


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("profile", [None, "lab", "both", "default"])
@pytest.mark.parametrize(
    "variables",
    [{}, {"AWS_ACCESS_KEY_ID": "OF-VARIABLES", "AWS_SECRET_ACCESS_KEY": "s4", "AWS_SESSION_TOKEN": "t4"},
     {"AWS_PROFILE": "both"}, {"AWS_DEFAULT_PROFILE": "lab", "AWS_PROFILE": "both"}],
)  # fmt: skip
def test_keys_that_are_written_down_are_those_of_the_chain(
    profile: str | None, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (method, ours), (their_method, theirs) = statically(profile), by_the_chain(profile)
    assert (method, ours[:3]) == (their_method, theirs[:3])


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("profile", ["role", "program", "sso", "empty", "nobody"])
def test_any_other_place_of_keys_is_left_to_the_chain(profile: str) -> None:
    assert find_static(profile, None, os.environ) is None
    assert find_static(None, None, {**os.environ, "AWS_PROFILE": profile}) is None


@pytest.mark.usefixtures("files")
def test_what_the_chain_asks_before_the_files_is_left_to_it() -> None:
    assert find_static(None, True, os.environ) is None
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CREDENTIAL_EXPIRATION"):
        assert find_static(None, None, {**os.environ, name: "x"}) is None


@pytest.mark.usefixtures("files")
def test_half_of_the_keys_is_the_chains_own_error() -> None:
    from botocore.exceptions import PartialCredentialsError

    with pytest.raises(PartialCredentialsError):
        find_static("half", None, os.environ)
    with pytest.raises(PartialCredentialsError):
        by_the_chain("half")


def test_the_files_are_those_of_a_session(files: Path) -> None:
    from botocore.session import Session

    theirs = Session().full_config["profiles"]
    for profile in theirs:
        assert read_profile(profile).values == theirs[profile]
        assert read_profile(profile).sound
    assert not read_profile("nobody").sound
    (files / "config").write_text("[damaged")
    assert not read_profile("lab").sound


@pytest.mark.parametrize("anonymous", [True, None])
def test_a_source_that_is_unsigned_is_reached_as_botocore_would(anonymous: bool | None) -> None:
    asked = options("fcp-indi", anonymous=anonymous, signs=False)
    ours = connecting.connect_unsigned(asked)
    assert ours is not None
    for region in ("", "eu-central-1"):
        ours = connecting.connect_unsigned(asked, region=region)
        assert ours is not None
        theirs = asyncio.run(connecting.connect(asked if not region else options("fcp-indi", region=region)))
        for name in ("unsigned", "region", "guessed", "signed_for", "endpoint", "path_style", "trust", "proxy", "keys"):
            assert getattr(ours, name) == getattr(theirs, name), name
    assert ("reading unsigned" in ours.notice) == (anonymous is None)
    assert asyncio.run(ours.in_region("cn-north-1")).endpoint == "https://fcp-indi.s3.cn-north-1.amazonaws.com.cn"


def test_keys_go_along_where_the_bucket_turns_out_to_be_in_an_odd_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    async def both() -> tuple[Any, Any]:
        first = await connecting.connect(options("fcp-indi", anonymous=None))
        return first, await first.in_region("cn-north-1")

    first, moved = asyncio.run(both())
    assert (first.region, first.guessed, first.unsigned) == ("us-east-1", True, False)
    assert moved.endpoint == "https://fcp-indi.s3.cn-north-1.amazonaws.com.cn"
    assert (moved.signed_for, moved.credentials) == (("cn-north-1", "s3"), first.credentials)


@pytest.mark.parametrize(
    ("env", "needed"),
    [
        ({}, []),
        ({"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}, ["botocore", "urllib3"]),
        ({"AWS_PROFILE": "role"}, ["aiobotocore", "aiohttp", "botocore", "fsspec", "s3fs", "urllib3"]),
        ({"AWS_PROFILE": "lab"}, ["botocore", "urllib3"]),
        ({"AWS_PROFILE": "empty", "AWS_USE_FIPS_ENDPOINT": "true"},
         ["aiobotocore", "aiohttp", "botocore", "fsspec", "s3fs", "urllib3"]),
    ],
)  # fmt: skip
def test_a_source_imports_the_libraries_that_it_needs(env: dict[str, str], needed: list[str], files: Path) -> None:
    code = (
        "import sys, json; from mountnd.stores.s3 import S3Store;"
        "S3Store('fcp-indi').load_libraries();"
        "heavy = {'s3fs', 'aiobotocore', 'botocore', 'aiohttp', 'urllib3', 'fsspec', 'boto3', 'numpy'};"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    if not env:
        for file in files.iterdir():
            file.unlink()
    said = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, check=True, capture_output=True, timeout=60
    )
    assert json.loads(said.stdout) == needed
