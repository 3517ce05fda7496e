"""How to reach one bucket, settled once: credentials, region, endpoint, addressing and trusted certificates.

botocore settles all of it (environment, AWS files, container and instance roles, partitions, access
points), with what the source names taking precedence; obstore is then told the outcome, because it
would read its own share of the environment.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import NoCredentials, StoreError
from .translate import Subject, translate

# A server that sends nothing for this long has lost us: connecting takes three round trips, the
# first byte of a ranged GET some 100-200 ms on S3.
CONNECT_S = 5.0
IDLE_S = 10.0

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a source says of its bucket; None means "nobody said". See `S3Store`."""

    bucket: str
    endpoint_url: str | None
    region: str | None
    profile: str | None
    anonymous: bool | None
    requester_pays: bool
    path_style: bool | None
    connections: int


@dataclass(frozen=True, slots=True)
class Link:
    """A bucket that can be reached.

    Attributes:
        filesystem: s3fs's, which owns session and client; `loop` is the loop both live on.
        client: its botocore client.
        credentials: botocore's, None when unsigned; `await credentials.get_frozen_credentials()` renews them.
        region: where the bucket is.
        endpoint: URL of the bucket (`path_style` False) or of the service, for obstore.
        certificates: PEM file of trusted certificates, None for the system's.
        notice: how requests are signed, when a person may be surprised by it; else "".
    """

    filesystem: Any
    client: Any
    credentials: Any
    region: str
    endpoint: str
    path_style: bool
    certificates: str | None
    notice: str

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = self.filesystem.loop
        return loop

    @property
    def unsigned(self) -> bool:
        return self.credentials is None


def event_loop() -> asyncio.AbstractEventLoop:
    """The running loop of fsspec's thread (started if need be), on which `connect` must run."""
    from fsspec.asyn import get_loop

    loop: asyncio.AbstractEventLoop = get_loop()
    return loop


async def connect(wanted: Wanted) -> Link:
    """Settle everything; at most one request, and that only where the region is open. Raises StoreError."""
    from aiobotocore.session import AioSession

    subject = Subject(f"s3://{wanted.bucket}", unsigned=wanted.anonymous is True)
    try:
        session = AioSession(profile=wanted.profile)
        credentials, notice = await _credentials(session, wanted)
        certificates = session.get_config_variable("ca_bundle") or os.environ.get("SSL_CERT_FILE")
        guess = wanted.region or session.get_config_variable("region") or DEFAULT_REGION
        filesystem, client = await _open(session, wanted, guess, certificates, signed=credentials is not None)
        region = wanted.region or await _bucket_region(client, wanted.bucket) or guess
        if region != guess:
            await client.close()
            filesystem, client = await _open(session, wanted, region, certificates, signed=credentials is not None)
        endpoint, path_style = await _endpoint(client, wanted.bucket)
    except StoreError:
        raise
    except (ValueError, FileNotFoundError) as error:  # a bad URL; a credential process that is not there
        raise StoreError(f"{subject.url}: {error}", code=type(error).__name__) from error
    except Exception as error:
        raise translate(error, subject) from error
    return Link(filesystem, client, credentials, region, endpoint, path_style, certificates, notice)


async def _credentials(session: Any, wanted: Wanted) -> tuple[Any, str]:
    if wanted.anonymous:
        return None, ""
    if wanted.profile and wanted.profile not in session.available_profiles:
        have = ", ".join(sorted(session.available_profiles)) or "none"
        raise NoCredentials(
            f"s3://{wanted.bucket}: no AWS profile {wanted.profile!r} (there are: {have}); "
            f"make it with `aws configure --profile {wanted.profile}`",
            code="ProfileNotFound",
        )
    credentials = await session.get_credentials()
    if credentials is not None:
        return credentials, ""
    if wanted.profile or wanted.anonymous is False:
        where = f"profile {wanted.profile!r} holds no" if wanted.profile else "found no AWS"
        raise NoCredentials(
            f"s3://{wanted.bucket}: {where} credentials; set them with `aws configure`, AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or name another profile with --profile",
            code="NoCredentials",
        )
    return None, f"s3://{wanted.bucket}: found no AWS credentials, reading unsigned"


async def _open(
    session: Any, wanted: Wanted, region: str, certificates: str | None, *, signed: bool
) -> tuple[Any, Any]:
    from botocore import handlers
    from s3fs import S3FileSystem

    filesystem = S3FileSystem(
        anon=not signed,
        endpoint_url=wanted.endpoint_url,
        session=session,
        client_kwargs={"region_name": region} | ({"verify": certificates} if certificates else {}),
        config_kwargs={
            "s3": {"addressing_style": _addressing(wanted), "us_east_1_regional_endpoint": "regional"},
            "retries": {"mode": "standard", "total_max_attempts": 1},  # `stores/retry.py` does it
            "connect_timeout": CONNECT_S,
            "read_timeout": IDLE_S,
            "max_pool_connections": wanted.connections,
            "response_checksum_validation": "when_required",  # they are of whole objects, and we read ranges
            "user_agent_extra": "mountnd",
        },
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    client = await filesystem.set_session()
    client.meta.events.register("before-parse.s3.ListObjectsV2", _keep_page)
    # It parses each page once more, 5 ms for 1,000 keys, to find errors that came with a 200; listing.py does.
    if (handler := getattr(handlers, "_handle_200_error", None)) is not None:
        client.meta.events.unregister("before-parse.s3.*", handler)
    client.meta.events.register("choose-signer.s3.HeadBucket", _unsigned)
    client.meta.events.register_last("before-parameter-build.s3", _stay)
    return filesystem, client


def _addressing(wanted: Wanted) -> str:
    path_style = wanted.path_style
    if path_style is None:
        # A bucket name with a dot does not fit the certificate of *.s3.amazonaws.com.
        path_style = wanted.endpoint_url is not None or "." in wanted.bucket
    return "path" if path_style else "virtual"


def _keep_page(*, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    # listing.py parses the page, ten times as fast; botocore gets an empty body, which it takes.
    if response_dict["status_code"] < 300:
        customized_response_dict["RawPage"] = response_dict["body"]
        response_dict["body"] = b""


def _unsigned(**_: Any) -> Any:
    from botocore import UNSIGNED

    return UNSIGNED


def _stay(*, context: dict[str, Any], **_: Any) -> None:
    # botocore would follow a bucket to its region by itself, and obstore would not: better one clear error.
    context.setdefault("s3_redirect", {})["redirected"] = True


async def _bucket_region(client: Any, bucket: str) -> str:
    """`x-amz-bucket-region` of an unsigned HEAD, which S3 gives with 200, 301 and 403 alike; "" without it."""
    from botocore.exceptions import ClientError

    try:
        answer = await client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", ""))


async def _endpoint(client: Any, bucket: str) -> tuple[str, bool]:
    """Where botocore would send a GET: (URL of the bucket, False) or (URL of the service, True for path style)."""
    url = await client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"})
    base = url.partition("?")[0].removesuffix("/x")
    service = base.removesuffix(f"/{bucket}")
    return service, service != base


def read_certificates(path: str | None) -> bytes | None:
    """The PEM file's bytes, for obstore; None where there is none (botocore reports a bad path itself)."""
    if not path or not Path(path).is_file():
        return None
    return Path(path).read_bytes()
