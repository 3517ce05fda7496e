"""How to reach one bucket, found out once: credentials, region, endpoint, addressing, certificates and proxy.

botocore and s3fs decide most of it (environment, AWS files, container and instance roles, partitions, access points),
with what the source names taking precedence; our own HTTP client is told the outcome, and sends all requests. Where
nothing is to be decided (an ordinary bucket, read unsigned or by keys that are written down) they are not asked, and
not imported: that takes longer than all else between the command and the first `ls` (`plain_endpoint.py`,
`static_keys.py`). The endpoint that is configured, and whether to sign at all, are part of the source's identity and
come from `identity.py`. Trusted certificates and the proxy are decided by `http/trust.py` and `http/proxy.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from ....errors import StoreError, WrongRegion
from ...base import Renewals
from ...http.proxy import Proxy, proxy_for
from ...http.trust import Trust, settle_trust
from ..translate import Subject, translate
from .aws_files import AwsProfile, read_profile
from .bucket_options import BucketOptions
from .clock import ServerClock
from .credential_chain import Wanted, find, find_anew, give, named_profile, new_session, origin, unsigned_notice
from .credentials import Credentials, Unsigned
from .plain_endpoint import is_plain, plain_endpoint
from .s3fs_endpoint import ask_s3fs
from .static_keys import StaticKeys, find_static

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

    credentials: Credentials | Unsigned
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


def connect_unsigned(
    options: BucketOptions, renewals: Renewals | None = None, clock: ServerClock | None = None, region: str = ""
) -> BucketAccess | None:
    """As `connect`, for a source that is not signed, without botocore; None where that must be asked.

    Args:
        region: where the bucket turned out to be.

    Raises StoreError.
    """
    if options.signs and options.anonymous is not True:
        return None
    clock = clock or ServerClock()
    subject = _subject(options)
    with _translated(subject):
        profile = read_profile(options.profile)
        known = region or options.known_region
        where = known or _configured_region(profile) or DEFAULT_REGION
        if not is_plain(profile) or (found := plain_endpoint(options, where)) is None:
            return None

        async def in_region(region: str) -> BucketAccess:
            return await connect(replace(options, region=region), renewals, clock)

        endpoint, path_style = found
        trust = _trust(options)
        return BucketAccess(
            credentials=Unsigned(),
            unsigned=True,
            clock=clock,
            region=where,
            guessed=not known,
            signed_for=(where, "s3"),
            endpoint=endpoint,
            path_style=path_style,
            trust=trust,
            proxy=_proxy(endpoint, subject),
            notice="" if options.anonymous else unsigned_notice(options.bucket),
            profile=subject.profile,
            keys="",
            in_region=in_region,
        )


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
    clock, subject = clock or ServerClock(), _subject(options)
    profile = subject.profile
    with _translated(subject):
        wanted = Wanted(options.bucket, options.profile, options.anonymous, options.signs, options.directory)
        static = _static(options)
        session: Any = None if static is not None else new_session(wanted, clock)
        trust = _trust(options, session)
        if trust.file:
            wanted = wanted._replace(ca_bundle=trust.file)  # for the servers that give credentials, too
        if static is not None:
            found, notice, configured = static.keys, "", static.region
        else:
            if trust.file:
                session.set_config_variable("ca_bundle", trust.file)
            found, notice = await find(session, wanted)
            configured = session.get_config_variable("region")
        # A source that is unsigned by its identity stays so: its cache is for everybody.
        never = options.anonymous or not options.signs
        load = None if never else partial(find_anew, wanted, clock, signed=found is not None)
        credentials = Credentials(
            found, load, renewals or Renewals(), name=subject.url, profile=profile, clock=monotonic
        )
        if found is not None:
            await credentials.keys()
            if session is not None:
                give(session, credentials)
        known = options.known_region
        if options.is_express:
            known = known or configured
            if not known:  # its host name holds the region: nobody can be asked
                raise WrongRegion(f"{subject.url}: a directory bucket: name its region with --region")

        async def in_region(region: str, guessed: bool = False) -> BucketAccess:
            nonlocal session
            with _translated(subject):
                plain = plain_endpoint(options, region) if static is not None else None
                if plain is not None:
                    (endpoint, path_style), signed_for = plain, (region, "s3")
                else:
                    if session is None:  # the bucket turned out to be in an odd region
                        session = new_session(wanted, clock)
                        give(session, credentials)
                    endpoint, path_style, signed_for = await ask_s3fs(
                        session, options, region, signed=found is not None
                    )
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
                    _proxy(endpoint, subject),
                    notice,
                    profile,
                    origin(found, profile),
                    in_region,
                )

        return await in_region(known or configured or DEFAULT_REGION, guessed=not known)


class _Static(NamedTuple):
    """What signs, and the region that is configured, where both are written down and nothing else is."""

    keys: StaticKeys
    region: str


def _static(options: BucketOptions) -> _Static | None:
    """What can be said without a session of botocore's; None where that must be asked. Raises what botocore raises."""
    if options.anonymous or not options.signs:
        return None
    profile = read_profile(options.profile)
    region = _configured_region(profile)
    if not is_plain(profile) or plain_endpoint(options, options.known_region or region or DEFAULT_REGION) is None:
        return None
    keys = find_static(options.profile, options.anonymous)
    return None if keys is None else _Static(keys, region)


def _configured_region(profile: AwsProfile) -> str:
    """As botocore's session has it."""
    return os.environ.get("AWS_DEFAULT_REGION", profile.values.get("region")) or ""


def _trust(options: BucketOptions, session: Any = None) -> Trust:
    """`session`: botocore's, where the AWS files may name certificates."""
    if (options.endpoint_url or "").startswith("http:"):  # needs no certificates, and no error about them
        return Trust()
    return settle_trust(session.get_scoped_config().get("ca_bundle") if session is not None else None)


def _proxy(endpoint: str, subject: Subject) -> Proxy | None:
    proxy = proxy_for(endpoint)
    if proxy is not None and proxy.scheme != "http":
        raise StoreError(f"{subject.url}: the proxy {proxy} is spoken to by TLS; name one with http://")
    return proxy


def load_libraries(options: BucketOptions) -> None:
    """Import what connecting, signing and looking for other keys need. That takes up to a third of a second, on a busy
    machine several: too much to be done in a deadline that is there for the network."""
    names = ["asyncio", "botocore.auth", "botocore.awsrequest", "botocore.credentials"]
    try:
        if connect_unsigned(options) is not None:
            return
        with _translated(_subject(options)):
            static = _static(options)
    except StoreError:
        static = None  # the first request says it
    if static is None:
        names += ["aiobotocore.session", "s3fs"]
    for name in names:
        import_module(name)


def _subject(options: BucketOptions) -> Subject:
    profile = options.profile or named_profile()
    return Subject(f"s3://{options.bucket}", unsigned=options.anonymous is True, profile=profile)


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
