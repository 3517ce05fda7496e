"""How to reach one bucket, found out once: credentials, region, endpoint, addressing, certificates and proxy.

botocore decides most of it (environment, AWS files, container and instance roles, partitions, access points), with what
the source names taking precedence; our own HTTP client is told the outcome, and sends all requests. The endpoint that
is configured, and whether to sign at all, are part of the source's identity and come from `identity.py`. Trusted
certificates and the proxy are decided by `http/trust.py` and `http/proxy.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from ....errors import StoreError, WrongRegion
from ...base import Renewals
from ...http.proxy import Proxy, proxy_for
from ...http.trust import Trust, settle_trust
from ..translate import Subject, translate
from .bucket_options import BucketOptions
from .clock import ServerClock
from .credential_chain import Wanted, find, find_anew, give, named_profile, new_session, origin
from .credentials import Credentials

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """What the options of a bucket came to: all that is needed to send it requests.

    Attributes:
        credentials: what requests are signed with; `unsigned`: they are not. `clock`: by which they are signed.
        region: where the bucket is.
        guessed: whether nobody named the region: the bucket may be in another one.
        signed_for: (region, service) that signatures are for; an access point's may be other ones.
        endpoint: URL of the bucket (`path_style` False) or of the service.
        trust: whose certificates are trusted.
        proxy: what requests go through, None where they go directly.
        notice: how requests are signed, when a person may be surprised by it; else "".
        profile: of the AWS files, "" where none is named. `keys`: where the keys come from, in words; "" without any.
        in_region: the same with the bucket in another region; awaited on the loop that `connect` ran on.
    """

    credentials: Credentials
    unsigned: bool
    clock: ServerClock
    region: str
    guessed: bool
    signed_for: tuple[str, str]
    endpoint: str
    path_style: bool
    trust: Trust
    proxy: Proxy | None
    notice: str
    profile: str
    keys: str
    in_region: Callable[[str], Coroutine[Any, Any, BucketAccess]]


async def connect(
    options: BucketOptions,
    renewals: Renewals | None = None,
    clock: ServerClock | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> BucketAccess:
    """Find out all that can be without a request to the bucket. Raises StoreError.

    Args:
        renewals: counts how often the keys change.
        clock: what is known of the server's.
        monotonic: seconds, by which keys are kept.
    """
    clock, profile = clock or ServerClock(), options.profile or named_profile()
    subject = Subject(f"s3://{options.bucket}", unsigned=options.anonymous is True, profile=profile)
    with _translated(subject):
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
        credentials = Credentials(
            found, load, renewals or Renewals(), name=subject.url, profile=profile, clock=monotonic
        )
        if found is not None:
            await credentials.keys()
            give(session, credentials)
        known, configured = options.known_region, session.get_config_variable("region")
        if options.is_express:
            known = known or configured
            if not known:  # its host name holds the region: nobody can be asked
                raise WrongRegion(f"{subject.url}: a directory bucket: name its region with --region")

        async def in_region(region: str, guessed: bool = False) -> BucketAccess:
            with _translated(subject):
                endpoint, path_style, signed_for = await _endpoint(session, options, region, signed=found is not None)
                proxy = proxy_for(endpoint)
                if proxy is not None and proxy.scheme != "http":
                    raise StoreError(f"{subject.url}: the proxy {proxy} is spoken to by TLS; name one with http://")
                return BucketAccess(
                    credentials,
                    found is None,
                    clock,
                    region,
                    guessed,
                    signed_for,
                    endpoint,
                    path_style,
                    trust,
                    proxy,
                    notice,
                    profile,
                    origin(found, profile),
                    in_region,
                )

        return await in_region(known or configured or DEFAULT_REGION, guessed=not known)


def load_libraries() -> None:
    """Import what connecting needs. That takes a third of a second, on a busy machine several: too much to be done in
    a deadline that is there for the network."""
    for name in ("aiobotocore.session", "botocore.auth", "botocore.awsrequest", "s3fs"):
        import_module(name)


@contextmanager
def _translated(subject: Subject) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except ValueError as error:  # a bad URL
        raise StoreError(f"{subject.url}: {error}", code="URL") from error
    except Exception as error:
        raise translate(error, subject) from error


async def _endpoint(
    session: Any, options: BucketOptions, region: str, *, signed: bool
) -> tuple[str, bool, tuple[str, str]]:
    """Where botocore would send a GET, and what it would sign it for. No request is made.

    Returns:
        URL of the bucket and False, or URL of the service and True for path style; (region, service).
    """
    from s3fs import S3FileSystem

    s3_options: dict[str, object] = {"addressing_style": options.addressing, "us_east_1_regional_endpoint": "regional"}
    if options.is_express:
        # We sign each request with the keys themselves, instead of a session that botocore would begin.
        s3_options["disable_s3_express_session_auth"] = True
    filesystem = S3FileSystem(
        anon=not signed,
        endpoint_url=options.endpoint_url,
        session=session,
        # Said, so that settings for fsspec (FSSPEC_S3_KEY, ~/.config/fsspec) change nothing.
        key=None,
        secret=None,
        token=None,
        username=None,
        password=None,
        requester_pays=False,
        use_ssl=True,
        cache_regions=False,
        client_kwargs={"region_name": region, "verify": True},
        config_kwargs={"s3": s3_options},
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    client = await filesystem.set_session()
    signed_for = client.meta.region_name, "s3"

    def note(*, region_name: str, signing_name: str, **_: Any) -> None:
        nonlocal signed_for
        signed_for = region_name, signing_name

    try:
        client.meta.events.register("choose-signer.s3.GetObject", note)
        url = await client.generate_presigned_url("get_object", Params={"Bucket": options.bucket, "Key": "x"})
    finally:
        await client.close()
    base = url.partition("?")[0].removesuffix("/x")
    service = base.removesuffix(f"/{options.bucket}")
    return service, service != base, signed_for
