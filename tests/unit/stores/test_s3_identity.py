"""What a source is, from its options, the AWS environment and the AWS files; without a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mountnd.stores.s3.access.aws_files import AwsProfile, read_profile
from mountnd.stores.s3.access.identity import Asked, Settled, configured_endpoint, normal_endpoint, settle

NOTHING = AwsProfile("default", {}, {})
KEYS = {"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
ROLE = "arn:aws:iam::123456789012:role/readers"


def settled(
    environ: dict[str, str] | None = None, files: AwsProfile = NOTHING, *, on_ec2: bool = False, **how: Any
) -> Settled:
    asked: dict[str, Any] = {"bucket": "bkt", "endpoint_url": None, "region": None, "profile": None, "anonymous": None}
    asked |= {"requester_pays": False, "path_style": None, **how}
    return settle(Asked(**asked), files, environ or {}, on_ec2=on_ec2)


def test_plain_aws_is_what_it_always_was() -> None:
    for how in ({}, {"anonymous": True}, {"region": "eu-west-1"}, {"path_style": True}):
        found = settled(**how)
        assert (found.source, found.former, found.endpoint, found.signs) == ("s3://bkt", "s3://bkt", None, False)


@pytest.mark.parametrize(
    ("spelled", "one"),
    [
        ("http://minio.lab:9000", "http://minio.lab:9000"),
        ("http://minio.lab:9000/", "http://minio.lab:9000"),
        ("HTTP://MinIO.Lab:9000", "http://minio.lab:9000"),
        ("https://minio.lab:443/", "https://minio.lab"),
        ("http://minio.lab:80", "http://minio.lab"),
        ("https://minio.lab:80", "https://minio.lab:80"),
        ("https://gate.lab/S3//", "https://gate.lab/S3"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        ("minio.lab:9000", "minio.lab:9000"),
        ("http://minio.lab:port/", "http://minio.lab:port"),
    ],
)
def test_two_spellings_of_an_endpoint_are_one(spelled: str, one: str) -> None:
    assert normal_endpoint(spelled) == one
    assert settled(endpoint_url=spelled, anonymous=True).source == f"s3://bkt@{one}"


@pytest.mark.parametrize(
    ("environ", "values", "services", "endpoint"),
    [
        ({}, {}, {}, None),
        ({"AWS_ENDPOINT_URL": "http://a"}, {}, {}, "http://a"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"}, {}, {}, "http://b"),
        ({"AWS_ENDPOINT_URL": "http://a"}, {"endpoint_url": "http://c"}, {}, "http://a"),
        ({}, {"endpoint_url": "http://c"}, {}, "http://c"),
        ({}, {"endpoint_url": "http://c"}, {"s3": {"endpoint_url": "http://d"}}, "http://d"),
        ({}, {}, {"dynamodb": {"endpoint_url": "http://d"}}, None),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://a", "AWS_ENDPOINT_URL": ""}, {}, {}, None),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "http://a"}, {}, {}, None),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"}, {"endpoint_url": "http://c"}, {}, None),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}, {"endpoint_url": "http://c"}, {}, "http://c"),
        ({}, {"ignore_configured_endpoint_urls": "true", "endpoint_url": "http://c"}, {}, None),
    ],
)
def test_the_endpoint_is_the_one_that_botocore_would_take(
    environ: dict[str, str], values: dict[str, Any], services: dict[str, Any], endpoint: str | None
) -> None:
    profile = AwsProfile("default", values, services)
    assert configured_endpoint(profile, environ) == endpoint
    found = settled(environ, profile, anonymous=True)
    assert found.source == f"s3://bkt@{endpoint}" if endpoint else "s3://bkt"
    assert settled(environ, profile, anonymous=True, endpoint_url="http://own").source == "s3://bkt@http://own"


@pytest.mark.parametrize(
    ("environ", "values", "how", "asker"),
    [
        (KEYS, {}, {}, "env"),
        ({**KEYS, "AWS_ACCESS_KEY_ID": "ASIA2", "AWS_SESSION_TOKEN": "u"}, {}, {}, "env"),  # an hour later
        ({**KEYS, "AWS_ACCOUNT_ID": "123456789012"}, {}, {}, "env=123456789012"),
        (KEYS, {}, {"anonymous": True}, ""),
        (KEYS, {"aws_access_key_id": "AKIA"}, {"profile": "lab"}, "profile=lab"),
        (KEYS, {"aws_access_key_id": "AKIA"}, {}, "env"),
        ({}, {"aws_access_key_id": "AKIA"}, {}, "profile=lab"),
        ({}, {"credential_process": "keys"}, {}, "profile=lab"),
        ({}, {"region": "eu-west-1"}, {}, ""),
        ({}, {"role_arn": ROLE, "source_profile": "base"}, {}, f"role={ROLE}"),
        ({}, {"role_arn": "arn:xxx:xxx:xxx:xxxx"}, {}, "profile=lab"),  # as MinIO's users write it
        ({"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, {}, {}, f"role={ROLE}"),
        ({"AWS_ROLE_ARN": ROLE}, {}, {}, ""),
        ({}, {"sso_account_id": "1", "sso_role_name": "r", "sso_session": "s"}, {}, "sso=1/r"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/"}, {}, {}, "container"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1/"}, {}, {}, "instance"),
        ({"BOTO_CONFIG": "/etc/b"}, {}, {}, "boto"),
        ({}, {}, {"anonymous": False}, "signed"),
    ],
)
def test_who_asks_is_where_the_keys_come_from(
    environ: dict[str, str], values: dict[str, Any], how: dict[str, Any], asker: str
) -> None:
    found = settled(environ, AwsProfile("lab", values, {}), **how)
    assert found.source == ("s3://bkt#" + asker if asker else "s3://bkt")
    assert found.signs == bool(asker)
    assert "ASIA" not in found.source


def test_instance_credentials_are_looked_for_on_ec2_only() -> None:
    assert settled(on_ec2=True).source == "s3://bkt#instance"
    assert settled({"AWS_EC2_METADATA_DISABLED": "true"}, on_ec2=True).source == "s3://bkt"
    assert not settled().signs


def test_who_agreed_to_pay_shares_nothing_with_who_did_not() -> None:
    assert settled(KEYS, requester_pays=True).source == "s3://bkt#env,requester-pays"


@pytest.mark.parametrize(
    ("region", "source"),
    [
        ("cn-north-1", "s3://bkt@aws-cn"),
        ("us-gov-west-1", "s3://bkt@aws-us-gov"),
        ("us-isob-east-1", "s3://bkt@aws-us-isob"),
        ("us-west-2", "s3://bkt"),
        ("eu-west-1", "s3://bkt"),
    ],
)
def test_a_bucket_of_another_partition_is_another_bucket(region: str, source: str) -> None:
    assert settled(region=region).source == source
    assert settled({"AWS_DEFAULT_REGION": region}).source == source
    assert settled(files=NOTHING._replace(values={"region": region})).source == source


def test_the_same_profile_name_in_other_files_is_somebody_else(tmp_path: Path) -> None:
    sources = set()
    for name in ("one", "two"):
        (tmp_path / name).write_text("[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\n")
        environ = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / name), "AWS_CONFIG_FILE": str(tmp_path / "none")}
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in environ.items():
                patch.setenv(variable, value)
            sources.add(settled(environ, read_profile(None, environ)).source)
    assert len(sources) == 2
    assert all(source.startswith("s3://bkt#profile=default@") for source in sources)


def test_the_files_are_read_as_botocore_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text(
        "[profile lab]\nservices = lab\nendpoint_url = http://all\ns3 =\n  addressing_style = virtual\n"
        "[services lab]\ns3 =\n  endpoint_url = http://minio.lab:9000\n"
    )
    (tmp_path / "credentials").write_text("[lab]\naws_access_key_id = AKIA\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    profile = read_profile("lab")
    found = settled(files=profile._replace(files=""))
    assert (found.source, found.endpoint) == ("s3://bkt@http://minio.lab:9000#profile=lab", "http://minio.lab:9000")
    assert found.path_style is False
    assert settled(files=profile, path_style=True).path_style is True
    assert read_profile("nobody").values == {}
    for text in ("no section\n", "[profile other]\n", "[profile lab]\nservices =\n  s3 = x\nendpoint_url =\n  a = b\n"):
        (tmp_path / "config").write_text(text)
        assert settled(files=read_profile("lab")._replace(files="")).endpoint is None
    (tmp_path / "config").unlink()
    (tmp_path / "config").mkdir()
    assert read_profile("lab").values["aws_access_key_id"] == "AKIA"
