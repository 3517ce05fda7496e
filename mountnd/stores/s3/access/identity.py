"""What a source is: the bucket, the settled endpoint, and who asks. Caches are kept by it. No request is made for it.

    s3://BUCKET[@ENDPOINT][#ASKER]

Who asks is where credentials come from, never the access key's id, which changes every hour with STS, and a cache must
outlive that. Unsigned access has no ASKER: everybody may read what it read, and nobody who signs shares it, since the
bytes that a signature opened are for its owner only. So a source that is said here to be unsigned never signs
(`connect.py` is told).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from .aws_files import AwsProfile

_DEFAULT_PORTS = {"http": 80, "https": 443}
# A role's name is unique on AWS; other servers (MinIO) give all of theirs one and the same.
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
# Bucket names are unique within a partition only.
_PARTITIONS = re.compile(r"(cn|us-gov|us-iso[a-z]*|eu-iso[a-z]*|eusc)-")
_KEYS = ("aws_access_key_id", "credential_process", "web_identity_token_file", "login_session", "role_arn")
_BOTO2 = ("~/.boto", "/etc/boto.cfg")


class Asked(NamedTuple):
    """What a source says of its access; None where it says nothing. See `S3Store`."""

    bucket: str
    endpoint_url: str | None
    region: str | None
    profile: str | None
    anonymous: bool | None
    requester_pays: bool
    path_style: bool | None


class Settled(NamedTuple):
    """What it comes to.

    Attributes:
        source: the identity that caches are kept by.
        endpoint: URL, None for AWS's own.
        signs: whether credentials are looked for at all.
        path_style: None: by endpoint and bucket.
        former: the identity that versions before this rule used; they did not ask who had read what.
    """

    source: str
    endpoint: str | None
    signs: bool
    path_style: bool | None
    former: str


def settle(asked: Asked, profile: AwsProfile, environ: Mapping[str, str], *, on_ec2: bool) -> Settled:
    """The identity of a source, and what else is known of its access without a request. Pure but for `~/.boto`.

    Args:
        profile: see `read_profile`.
        on_ec2: whether instance credentials may be had here.
    """
    endpoint = asked.endpoint_url or configured_endpoint(profile, environ)
    path_style = asked.path_style
    if path_style is None and not asked.endpoint_url and endpoint:
        style = _s3_options(profile).get("addressing_style")
        path_style = {"path": True, "virtual": False}.get(str(style))
    who = asker(asked.profile, asked.anonymous, profile, environ, on_ec2=on_ec2)
    where = f"@{normal_endpoint(endpoint)}" if endpoint else _partition(asked, profile, environ)
    marks = [who] if who else []
    if asked.requester_pays:
        marks.append("requester-pays")  # who did not agree to pay may not read what was paid for
    source = f"s3://{asked.bucket}{where}" + ("#" + ",".join(marks) if marks else "")
    former = f"s3://{asked.bucket}" + (f"@{asked.endpoint_url.rstrip('/')}" if asked.endpoint_url else "")
    return Settled(source, endpoint, bool(who), path_style, former)


def configured_endpoint(profile: AwsProfile, environ: Mapping[str, str]) -> str | None:
    """The endpoint of S3 that the AWS environment and files name, in botocore's order; None for AWS's own. Pure."""
    ignore = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or profile.values.get("ignore_configured_endpoint_urls")
    if str(ignore).lower() == "true":
        return None
    of_service = profile.services.get("s3")
    configured = (
        environ.get("AWS_ENDPOINT_URL_S3"),
        environ.get("AWS_ENDPOINT_URL"),
        of_service.get("endpoint_url") if isinstance(of_service, Mapping) else None,
        profile.values.get("endpoint_url"),
    )
    return next((url for url in configured if url and isinstance(url, str)), None)


def normal_endpoint(url: str) -> str:
    """One spelling of an endpoint: lower-case host, no default port, no final slash. Pure."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return url.rstrip("/")  # the first request says what is wrong with it
    if not parts.scheme or not host:
        return url.rstrip("/")
    host = f"[{host}]" if ":" in host else host
    shown = f":{port}" if port is not None and port != _DEFAULT_PORTS.get(parts.scheme) else ""
    return f"{parts.scheme}://{host}{shown}{parts.path.rstrip('/')}"


def asker(
    named: str | None, anonymous: bool | None, profile: AwsProfile, environ: Mapping[str, str], *, on_ec2: bool
) -> str:
    """Where credentials come from, in the order of the AWS chain; "" where requests are not signed.

    Args:
        named: the profile that the source names; then variables with keys do not count.
    """
    if anonymous:
        return ""
    values = profile.values
    if named is None and environ.get("AWS_ACCESS_KEY_ID"):
        account = environ.get("AWS_ACCOUNT_ID")
        return f"env={account}" if account else "env"
    role = values.get("role_arn") or ("" if named else environ.get("AWS_ROLE_ARN", ""))
    if values.get("role_arn") or (role and environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")):
        if _ROLE.fullmatch(role):
            return f"role={role}"
        if not values.get("role_arn"):
            return f"web-identity={role}"
    if values.get("sso_account_id") and values.get("sso_role_name"):
        return f"sso={values['sso_account_id']}/{values['sso_role_name']}"
    if named or any(values.get(key) for key in _KEYS):
        return f"profile={profile.name}" + (f"@{profile.files}" if profile.files else "")
    if environ.get("AWS_CREDENTIAL_FILE") or environ.get("BOTO_CONFIG") or _boto2():
        return "boto"
    if environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return "container"
    if _asks_instance(profile, environ, on_ec2=on_ec2):
        return "instance"
    return "signed" if anonymous is False else ""


def is_on_ec2() -> bool:
    """Whether this machine says that it is one of EC2's; no request is made."""
    said = []
    for name in ("sys_vendor", "bios_vendor", "bios_version", "product_version"):
        try:
            said.append(Path("/sys/class/dmi/id", name).read_text(errors="replace"))
        except OSError:
            pass
    return "amazon" in " ".join(said).lower()


def _asks_instance(profile: AwsProfile, environ: Mapping[str, str], *, on_ec2: bool) -> bool:
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    return bool(
        on_ec2
        or environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        or profile.values.get("ec2_metadata_service_endpoint")
    )


def _boto2() -> bool:
    return any(os.path.exists(os.path.expanduser(path)) for path in _BOTO2)


def _s3_options(profile: AwsProfile) -> Mapping[str, object]:
    options = profile.values.get("s3")
    return options if isinstance(options, Mapping) else {}


def _partition(asked: Asked, profile: AwsProfile, environ: Mapping[str, str]) -> str:
    """`@aws-PARTITION` where the region says that it is another one than the ordinary; "" else."""
    region = asked.region or environ.get("AWS_DEFAULT_REGION") or profile.values.get("region") or ""
    found = _PARTITIONS.match(region)
    return f"@aws-{found[1]}" if found and not asked.bucket.startswith("arn:") else ""
