"""Where keys are found: botocore's chain of providers, asked by a client's session, and anew by sessions of their own.

A session reads each file once, and keeps what it found: only a new one sees a new login.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ....errors import NoCredentials
from .aws_files import anchor
from .clock import ServerClock
from .credentials import Credentials
from .static_keys import find_static


class Wanted(NamedTuple):
    """Whose credentials.

    Attributes:
        bucket: for messages.
        profile, anonymous: see `S3Store`.
        signs: False where the source's identity says that nobody asks: then none are looked for.
        directory: where relative paths in the AWS files start; "": the working directory.
        ca_bundle: whose certificates are trusted in servers that give credentials; "": botocore's choice.
    """

    bucket: str
    profile: str | None
    anonymous: bool | None
    signs: bool = True
    directory: str = ""
    ca_bundle: str = ""


async def find(session: Any, wanted: Wanted) -> tuple[Any, str]:
    """botocore's credentials, None where requests go unsigned; and what a person should be told of that, or "".

    Raises NoCredentials, and what botocore raises.
    """
    bucket, profile, anonymous = wanted.bucket, wanted.profile, wanted.anonymous
    if anonymous:
        return None, ""
    if not wanted.signs:
        return None, unsigned_notice(bucket)
    if profile and profile not in session.available_profiles:
        have = ", ".join(sorted(session.available_profiles)) or "none"
        raise NoCredentials(
            f"s3://{bucket}: no AWS profile {profile!r} (there are: {have}); "
            f"make it with `aws configure --profile {profile}`",
            code="ProfileNotFound",
        )
    found = await session.get_component("credential_provider").load_credentials()
    if found is not None:
        return found, ""
    if profile or anonymous is False:
        where = f"profile {profile!r} holds no" if profile else "found no AWS"
        raise NoCredentials(
            f"s3://{bucket}: {where} credentials; set them with `aws configure`, AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or name another profile with --profile",
            code="NoCredentials",
        )
    return None, unsigned_notice(bucket)


def unsigned_notice(bucket: str) -> str:
    """What a person should know where nobody said how the bucket is read, and no keys are there."""
    return f"s3://{bucket}: found no AWS credentials, reading unsigned"


def new_session(wanted: Wanted, clock: ServerClock) -> Any:
    """A session that has read no file yet. Its clients, those that ask STS among them, sign by `clock`.

    Raises what botocore raises.
    """
    from aiobotocore.session import AioSession

    def sign_by_it(*, request: Any, **_: Any) -> None:
        clock.apply(request)

    session = AioSession(profile=wanted.profile)
    session.register("before-sign", sign_by_it)
    if wanted.directory and wanted.directory != _working_directory():
        anchor(session, wanted.directory)
    if wanted.ca_bundle:
        session.set_config_variable("ca_bundle", wanted.ca_bundle)
    return session


async def find_anew(wanted: Wanted, clock: ServerClock, *, signed: bool) -> Any:
    """As `find`, by what has read no file yet. `signed`: whether there were credentials before."""
    if (found := find_static(wanted.profile, wanted.anonymous)) is not None:
        return found
    session = new_session(wanted, clock)
    if not signed:
        # No role was attached to this machine a while ago, and to ask again takes seconds where nobody answers.
        session.get_component("credential_provider").remove("iam-role")
    found, _ = await find(session, wanted)
    return found


def give(session: Any, credentials: Credentials) -> None:
    """Have the clients of a session sign with these, whatever they change to."""
    from aiobotocore.credentials import AioCredentials

    class Shared(AioCredentials):  # type: ignore[misc]
        async def get_frozen_credentials(self) -> Any:
            return credentials.kept() or await credentials.keys()

    class Provider:
        async def load_credentials(self) -> Any:
            return Shared("", "", method="mountnd")

    session.register_component("credential_provider", Provider())


def named_profile() -> str:
    """The profile that the environment names, as botocore reads it; "" for none."""
    return os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE") or ""


# What botocore calls where keys were found (`method` of its credentials), in words.
_ORIGINS = {
    "env": "the keys of the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "shared-credentials-file": "the keys{of} in the AWS credentials file",
    "config-file": "the keys{of} in the AWS config file",
    "sso": "keys of the SSO session{of}",
    "login": "keys of the login session{of}",
    "assume-role": "keys of the role{of}",
    "assume-role-with-web-identity": "keys of a role, by a web identity",
    "custom-process": "keys of the credential process{of}",
    "container-role": "keys of the role of this container",
    "iam-role": "keys of the role of this machine",
}


def origin(found: Any, profile: str) -> str:
    """Where credentials of botocore's came from, in words; "" for none. Pure."""
    if found is None:
        return ""
    method = str(getattr(found, "method", ""))
    of = f" of profile {profile!r}" if profile else " of the default profile"
    return _ORIGINS.get(method, f"keys found by {method or 'the AWS chain'}").format(of=of)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # removed
