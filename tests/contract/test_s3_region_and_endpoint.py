"""In which region and at which endpoint S3 is asked; both clients alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mountnd.errors import StoreError, WrongRegion
from mountnd.stores.base import ObjectId
from mountnd.stores.s3 import S3Store
from mountnd.stores.s3.access.bucket_options import BucketOptions
from mountnd.stores.s3.access.connect import BucketAccess, connect
from mountnd.stores.s3.loop import wait
from mountnd.stores.s3.translate import Subject

from ..support.servers import Answer, Scripted
from .reading import first_name, read, soon
from .s3_stage import ALL, ETAG, Make, ask_all, scopes


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize("status", [200, 301, 403, 400])
def test_an_open_region_is_asked_by_one_unsigned_head(make: Make, stage: Scripted, status: int) -> None:
    stage.play({**ALL, "HEAD /bkt": Answer(status, {"x-amz-bucket-region": "eu-west-1", "Content-Length": "0"})})
    store = make(region=None)
    first_name(store)
    assert store.region == "eu-west-1"
    ask_all(store)
    asked = stage.log()
    heads = [headers for method, target, headers in asked if (method, target) == ("HEAD", "/bkt")]
    assert len(heads) == 1
    assert "authorization" not in heads[0]
    assert scopes(asked) == {"", "test/eu-west-1"}


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize("said", ["evil.example.org/", "x; touch y", "eu-west-1.evil", "\x1b[31m", "e" * 300])
def test_what_can_be_no_region_is_none(make: Make, stage: Scripted, said: str) -> None:
    """A region becomes part of a host name, and of a command that is suggested."""
    stage.play({**ALL, "HEAD /bkt": Answer(301, {"x-amz-bucket-region": said, "Content-Length": "0"})})
    store = make(region=None)
    first_name(store)
    assert store.region == "us-east-1"
    assert scopes(stage.log()) == {"", "test/us-east-1"}


@pytest.mark.usefixtures("signed")
def test_a_server_that_knows_no_regions_is_in_us_east_1(make: Make, stage: Scripted) -> None:
    ask_all(make(region=None))
    assert scopes(stage.log()) == {"", "test/us-east-1"}


@pytest.mark.usefixtures("signed")
def test_a_named_region_is_not_asked(make: Make, stage: Scripted) -> None:
    ask_all(make(region="ap-south-1"))
    assert scopes(stage.log()) == {"test/ap-south-1"}
    assert not [target for method, target, _ in stage.log() if target == "/bkt" and method == "HEAD"]


MOVED = b"<Error><Code>PermanentRedirect</Code><Endpoint>elsewhere</Endpoint></Error>"
MALFORMED = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize(
    "answer",
    [
        Answer(301, {"x-amz-bucket-region": "eu-west-1", "Content-Length": str(len(MOVED))}, MOVED),
        Answer(400, {"Content-Length": str(len(MALFORMED))}, MALFORMED),
    ],
    ids=["301", "400"],
)
def test_the_wrong_region_is_an_error_that_names_the_right_one(make: Make, stage: Scripted, answer: Answer) -> None:
    """Nothing is redirected behind our back: names would work then, and bytes would not."""
    stage.play({"GET *": answer, "HEAD *": Answer(answer.status, {"x-amz-bucket-region": "eu-west-1"})})
    store = make()
    for ask in (
        lambda: first_name(store),
        lambda: store.head("k", deadline=soon()),
        lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1),
    ):
        with pytest.raises(WrongRegion, match="--region eu-west-1") as caught:
            ask()
        assert caught.value.region == "eu-west-1"
    assert scopes(stage.log()) == {"test/us-east-1"}
    store.close()


POISON = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_ENDPOINT": "http://127.0.0.1:1",
    "AWS_REGION": "xx-nowhere-1",
    "AWS_DEFAULT_REGION": "xx-nowhere-1",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_REQUEST_PAYER": "true",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    "AWS_S3_EXPRESS": "true",
    "AWS_BUCKET": "another",
    "AWS_BUCKET_NAME": "another",
}


@pytest.mark.usefixtures("signed")
def test_what_the_source_names_goes_before_the_environment(
    make: Make, stage: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in POISON.items():
        monkeypatch.setenv(name, value)
    ask_all(make())
    asked = stage.log()
    assert scopes(asked) == {"test/us-east-1"}
    assert all(target.startswith("/bkt") for _, target, _ in asked)
    assert all("x-amz-request-payer" not in headers for _, _, headers in asked)


@pytest.mark.usefixtures("signed")
def test_what_the_source_leaves_open_the_environment_fills_for_all(
    make: Make, stage: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stage.url)
    ask_all(make(endpoint_url=None))
    assert {method for method, _, _ in stage.log()} == {"GET", "HEAD"}
    assert len(stage.log()) == 4


@pytest.mark.usefixtures("signed")
def test_settings_for_fsspec_change_nothing(make: Make, stage: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names would be signed with other keys than bytes."""
    import fsspec.config

    settings = {"key": "other", "secret": "other", "endpoint_url": "http://127.0.0.1:1", "requester_pays": True}
    monkeypatch.setitem(fsspec.config.conf, "s3", settings)
    monkeypatch.setenv("AWS_ENDPOINT_URL", stage.url)
    ask_all(make(endpoint_url=None))
    assert scopes(stage.log()) == {"test/us-east-1"}
    assert all("x-amz-request-payer" not in headers for _, _, headers in stage.log())


@pytest.mark.usefixtures("signed")
def test_requester_pays_goes_with_every_request(make: Make, stage: Scripted) -> None:
    ask_all(make(requester_pays=True))
    assert [headers.get("x-amz-request-payer") for _, _, headers in stage.log()] == ["requester"] * 4


AP = "arn:aws:s3:us-west-2:123456789012:accesspoint/my-ap"
OUTPOST = "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01234567890123456/accesspoint/my-ap"


def access_of(bucket: str, **how: Any) -> BucketAccess:
    """How botocore reaches a bucket; no request is made."""
    named = {"endpoint_url": None, "region": "us-east-1", "path_style": None, "anonymous": True, **how}
    options = BucketOptions(bucket=bucket, profile=None, requester_pays=False, connections=4, **named)
    return wait(connect(options), Subject("s3://x"), soon())


@pytest.mark.parametrize(
    ("bucket", "how", "endpoint", "path_style"),
    [
        (AP, {}, "https://my-ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com", False),
        (
            AP.replace("accesspoint/", "accesspoint:"),
            {"region": None},
            "https://my-ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com",
            False,
        ),
        (OUTPOST, {}, "https://my-ap-123456789012.op-01234567890123456.s3-outposts.us-west-2.amazonaws.com", False),
        (
            "my-ap-abcdefghijk-s3alias",
            {"region": "eu-west-1"},
            "https://my-ap-abcdefghijk-s3alias.s3.eu-west-1.amazonaws.com",
            False,
        ),
        ("fast--use1-az4--x-s3", {}, "https://fast--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com", False),
        ("fcp-indi", {}, "https://fcp-indi.s3.us-east-1.amazonaws.com", False),
        ("fcp-indi", {"region": "us-west-2"}, "https://fcp-indi.s3.us-west-2.amazonaws.com", False),
        ("fcp-indi", {"path_style": True}, "https://s3.us-east-1.amazonaws.com", True),
        ("openneuro.org", {}, "https://s3.us-east-1.amazonaws.com", True),
        ("fcp-indi", {"region": "cn-north-1"}, "https://fcp-indi.s3.cn-north-1.amazonaws.com.cn", False),
        ("b-b", {"endpoint_url": "https://minio.lab:9000"}, "https://minio.lab:9000", True),
        ("b-b", {"endpoint_url": "https://minio.lab", "path_style": False}, "https://b-b.minio.lab", False),
        ("b-b", {"endpoint_url": "https://gate.lab/s3/"}, "https://gate.lab/s3", True),
    ],
)
def test_both_clients_go_where_botocore_goes(bucket: str, how: dict[str, Any], endpoint: str, path_style: bool) -> None:
    access = access_of(bucket, **how)
    assert (access.endpoint, access.path_style) == (endpoint, path_style)


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize(
    ("bucket", "signed_for"),
    [
        ("bkt", ("us-east-1", "s3")),
        (AP, ("us-west-2", "s3")),
        (OUTPOST, ("us-west-2", "s3-outposts")),
        ("fast--use1-az4--x-s3", ("us-east-1", "s3express")),
    ],
)
def test_bytes_are_signed_for_what_names_are(bucket: str, signed_for: tuple[str, str]) -> None:
    assert access_of(bucket, anonymous=None).signed_for == signed_for


@pytest.mark.parametrize(
    ("switches", "endpoint"),
    [
        ({"use_dualstack_endpoint": "true"}, "https://bkt.s3.dualstack.us-east-1.amazonaws.com"),
        ({"use_fips_endpoint": "true"}, "https://bkt.s3-fips.us-east-1.amazonaws.com"),
        (
            {"use_dualstack_endpoint": "true", "use_fips_endpoint": "true"},
            "https://bkt.s3-fips.dualstack.us-east-1.amazonaws.com",
        ),
        ({"s3": "\n  use_dualstack_endpoint = true"}, "https://bkt.s3.dualstack.us-east-1.amazonaws.com"),
    ],
)
def test_dualstack_and_fips_of_the_aws_files_are_for_names_and_bytes(
    switches: dict[str, str], endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in switches.items()))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert access_of("bkt").endpoint == endpoint


@pytest.mark.parametrize("variable", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
@pytest.mark.parametrize("by_variable", [False, True])
def test_another_server_is_not_changed_by_them(
    make: Make, stage: Scripted, variable: str, by_variable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "true")
    if by_variable:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stage.url)
    ask_all(make(anonymous=True, endpoint_url=None if by_variable else stage.url))
    assert len(stage.log()) == 4


def test_a_directory_bucket_wants_its_region_named() -> None:
    with pytest.raises(WrongRegion, match="--region"):
        first_name(S3Store("fast--use1-az4--x-s3", anonymous=True))


def test_no_request_is_made_before_the_first(stage: Scripted) -> None:
    stage.play(ALL)
    S3Store("bkt", endpoint_url=stage.url).close()
    assert stage.log() == []


def test_a_bad_endpoint_is_an_error_that_is_not_asked_again() -> None:
    with pytest.raises(StoreError, match="minio.lab") as caught:
        first_name(S3Store("bkt", endpoint_url="minio.lab:9000", region="us-east-1", anonymous=True))
    assert not caught.value.transient
