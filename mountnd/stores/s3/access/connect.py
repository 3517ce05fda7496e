"""How to reach one bucket, found out once: credentials, region, endpoint, addressing, certificates and proxy.

botocore decides most of it (environment, AWS files, container and instance roles, partitions, access points), with what
the source names taking precedence; our own HTTP client is told the outcome. The endpoint that is configured, and
whether to sign at all, are part of the source's identity and come from `identity.py`. Trusted certificates and the
proxy are decided by `http/trust.py` and `http/proxy.py`, and botocore is told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ....errors import StoreError, WrongRegion
from ...base import Renewals
from ...http.proxy import Proxy, parse_proxy, proxy_for
from ...http.timeouts import CONNECT_S, IDLE_S
from ...http.trust import Trust, settle_trust
from ..translate import Subject, translate
from .bucket_options import BucketOptions
from .clock import ServerClock
from .credential_chain import Wanted, find, find_anew, give, new_session
from .credentials import Credentials

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """What the options of a bucket came to: all that is needed to send it requests.

    Attributes:
        filesystem: s3fs's, which owns session and client; `loop` is the loop both live on.
        client: its botocore client.
        credentials: what both clients sign with; `unsigned`: they do not. `clock`: by which they sign.
        region: where the bucket is.
        signed_for: (region, service) that signatures are for; an access point's may be other ones.
        endpoint: URL of the bucket (`path_style` False) or of the service, for our own client.
        trust: whose certificates are trusted.
        proxy: what requests go through, None where they go directly.
        notice: how requests are signed, when a person may be surprised by it; else "".
    """

    filesystem: Any
    client: Any
    credentials: Credentials
    unsigned: bool
    clock: ServerClock
    region: str
    signed_for: tuple[str, str]
    endpoint: str
    path_style: bool
    trust: Trust
    proxy: Proxy | None
    notice: str

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = self.filesystem.loop
        return loop


def event_loop() -> asyncio.AbstractEventLoop:
    """The running loop of fsspec's thread (started if need be), on which `connect` must run."""
    from fsspec.asyn import get_loop

    loop: asyncio.AbstractEventLoop = get_loop()
    return loop


class _Client(NamedTuple):
    """A botocore client, and where it sends requests."""

    filesystem: Any
    client: Any
    endpoint: str
    path_style: bool
    signed_for: tuple[str, str]
    proxy: Proxy | None


async def connect(
    options: BucketOptions,
    renewals: Renewals | None = None,
    clock: ServerClock | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> BucketAccess:
    """Find out all of it; at most one request, and that only where the region is open. Raises StoreError.

    Args:
        renewals: counts how often the keys change.
        clock: what is known of the server's.
        monotonic: seconds, by which keys are kept.
    """
    subject, clock = Subject(f"s3://{options.bucket}", unsigned=options.anonymous is True), clock or ServerClock()
    try:
        wanted = Wanted(options.bucket, options.profile, options.anonymous, options.signs, options.directory)
        session = new_session(wanted, clock)
        plain = (options.endpoint_url or "").startswith("http:")  # needs no certificates, and no error about them
        trust = Trust() if plain else settle_trust(session.get_scoped_config().get("ca_bundle"))
        if trust.file:
            wanted = wanted._replace(ca_bundle=trust.file)  # for the servers that give credentials, too
            session.set_config_variable("ca_bundle", trust.file)
        found, notice = await find(session, wanted)
        # A source that is unsigned by its identity stays so: its cache is for everybody.
        never = options.anonymous or not options.signs
        load = None if never else partial(find_anew, wanted, clock, signed=found is not None)
        credentials = Credentials(found, load, renewals or Renewals(), name=subject.url, clock=monotonic)
        if found is not None:
            await credentials.keys()
            give(session, credentials)
        known, configured = options.known_region, session.get_config_variable("region")
        if options.is_express:
            known = known or configured
            if not known:  # its host name holds the region: nobody can be asked
                raise WrongRegion(f"{subject.url}: a directory bucket: name its region with --region")
        guess = known or configured or DEFAULT_REGION
        open_in = partial(_open, session, options, trust=trust, signed=found is not None)
        opened = await open_in(guess)
        subject = subject._replace(proxy=str(opened.proxy or ""))
        region = known or await _bucket_region(opened.client, options.bucket) or guess
        if region != guess:
            await opened.client.close()
            opened = await open_in(region)
    except StoreError:
        raise
    except (ValueError, FileNotFoundError) as error:  # a bad URL; a credential process that is not there
        raise StoreError(f"{subject.url}: {error}", code=type(error).__name__) from error
    except Exception as error:
        raise translate(error, subject) from error
    return BucketAccess(
        opened.filesystem,
        opened.client,
        credentials,
        found is None,
        clock,
        region,
        opened.signed_for,
        opened.endpoint,
        opened.path_style,
        trust,
        opened.proxy,
        notice,
    )


async def _open(session: Any, options: BucketOptions, region: str, *, trust: Trust, signed: bool) -> _Client:
    """A client of a region, which goes through the proxy that `http/proxy.py` says. No request is made."""
    make = partial(_make_client, session, options, region, trust=trust, signed=signed)
    filesystem, client = await make(proxies=None)
    endpoint, path_style, signed_for = await _endpoint(client, options.bucket)
    proxy = proxy_for(endpoint)
    if proxy != _proxy_of(client):
        await client.close()
        filesystem, client = await make(proxies={urlsplit(endpoint).scheme: proxy.url} if proxy is not None else {})
    if proxy is not None and proxy.scheme != "http":
        raise StoreError(f"s3://{options.bucket}: the proxy {proxy} is spoken to by TLS; name one with http://")
    return _Client(filesystem, client, endpoint, path_style, signed_for, proxy)


def _proxy_of(client: Any) -> Proxy | None:
    """What botocore goes through by itself: it looks at the URL of the service, once, and knows no ALL_PROXY."""
    from botocore.utils import get_environ_proxies

    service = client.meta.endpoint_url
    text = get_environ_proxies(service).get(urlsplit(service).scheme)
    return parse_proxy(text) if text else None


async def _make_client(
    session: Any,
    options: BucketOptions,
    region: str,
    *,
    trust: Trust,
    signed: bool,
    proxies: dict[str, str] | None,
) -> tuple[Any, Any]:
    from botocore import handlers
    from s3fs import S3FileSystem

    s3_options: dict[str, object] = {"addressing_style": options.addressing, "us_east_1_regional_endpoint": "regional"}
    if options.is_express:
        # Both clients sign each request with the keys themselves, instead of a session that only one would know.
        s3_options["disable_s3_express_session_auth"] = True
    filesystem = S3FileSystem(
        anon=not signed,
        endpoint_url=options.endpoint_url,
        session=session,
        # Said, so that settings for fsspec (FSSPEC_S3_KEY, ~/.config/fsspec) do not sign names with other keys.
        key=None,
        secret=None,
        token=None,
        username=None,
        password=None,
        requester_pays=False,
        use_ssl=True,
        cache_regions=False,
        # What is trusted is said below.
        client_kwargs={"region_name": region, "verify": True},
        config_kwargs={
            "s3": s3_options,
            "retries": {"mode": "standard", "total_max_attempts": 1},  # `stores/retry.py` does it
            "connect_timeout": CONNECT_S,
            "read_timeout": IDLE_S,
            "max_pool_connections": options.most_requests,
            "response_checksum_validation": "when_required",  # they are of whole objects, and we read ranges
            "user_agent_extra": "mountnd",
            "proxies": proxies,  # None: as the environment says
        },
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    client = await filesystem.set_session()
    # Its context is made by this method when the first connection is; botocore's options name one PEM file at most.
    client._endpoint.http_session._get_ssl_context = trust.context
    client.meta.events.register("before-parse.s3.ListObjectsV2", _keep_page)
    client.meta.events.register("before-parse.s3.ListObjects", _keep_page)
    client.meta.events.register("before-parse.s3.HeadObject", _keep_date)
    # It parses each page once more, 5 ms for 1,000 keys, to find errors that came with a 200; listing.py does.
    if (handler := getattr(handlers, "_handle_200_error", None)) is not None:
        client.meta.events.unregister("before-parse.s3.*", handler)
    client.meta.events.register("choose-signer.s3.HeadBucket", _unsigned)
    client.meta.events.register_last("before-parameter-build.s3", _refuse_redirects)
    return filesystem, client


def _keep_page(*, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    # listing.py parses the page, ten times as fast; botocore gets an empty body, which it takes.
    if response_dict["status_code"] < 300:
        customized_response_dict["RawPage"] = response_dict["body"]
        response_dict["body"] = b""


def _keep_date(*, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    # botocore fails on a date that is none, and with it the whole HEAD; `stores/facts.py` reads what there is.
    customized_response_dict["RawLastModified"] = response_dict["headers"].pop("Last-Modified", "")


def _unsigned(**_: Any) -> Any:
    from botocore import UNSIGNED

    return UNSIGNED


def _refuse_redirects(*, context: dict[str, Any], **_: Any) -> None:
    # botocore would follow a bucket to its region by itself, and our own client would not: better one clear error.
    context.setdefault("s3_redirect", {})["redirected"] = True


async def _bucket_region(client: Any, bucket: str) -> str:
    """`x-amz-bucket-region` of an unsigned HEAD, which S3 gives with 200, 301 and 403 alike; "" without it."""
    from botocore.exceptions import ClientError

    try:
        answer = await client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", ""))


async def _endpoint(client: Any, bucket: str) -> tuple[str, bool, tuple[str, str]]:
    """Where botocore would send a GET, and what it would sign it for.

    Returns:
        URL of the bucket and False, or URL of the service and True for path style; (region, service).
    """
    signed_for = client.meta.region_name, "s3"

    def note(*, region_name: str, signing_name: str, **_: Any) -> None:
        nonlocal signed_for
        signed_for = region_name, signing_name

    client.meta.events.register("choose-signer.s3.GetObject", note)
    url = await client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"})
    client.meta.events.unregister("choose-signer.s3.GetObject", note)
    base = url.partition("?")[0].removesuffix("/x")
    service = base.removesuffix(f"/{bucket}")
    return service, service != base, signed_for
