"""Keys that are written down: in variables, or in a profile of the AWS files that says nothing else of credentials.

botocore's own providers read them, those that its chain would come to. The chain is not built for that: its session
and its HTTP client take 0.2 s to import, which a mount by such keys does not need.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .aws_files import AwsProfile, read_profile

# Variables of other places that the chain asks before the files, and of keys that end.
_DYNAMIC_VARIABLES = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CREDENTIAL_EXPIRATION")
# All that a profile may hold beside keys: whatever is not known here may be another place where keys come from.
_STATIC = frozenset(
    ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", "aws_account_id",
     "region", "output", "endpoint_url", "services", "s3", "ca_bundle", "retry_mode", "max_attempts", "cli_pager",
     "cli_timestamp_format", "ignore_configured_endpoint_urls", "use_dualstack_endpoint", "use_fips_endpoint")
)  # fmt: skip


class StaticKeys:
    """Keys that do not change, with the face of botocore's credentials."""

    def __init__(self, found: Any) -> None:
        self.method = found.method
        self._keys = found.get_frozen_credentials()

    async def get_frozen_credentials(self) -> Any:
        return self._keys


def find_static(
    named: str | None, anonymous: bool | None, environ: Mapping[str, str] = os.environ
) -> StaticKeys | None:
    """The keys that botocore's chain would find, where these are written down; None where only the chain can tell.

    Args:
        named: the profile that the source names; then variables with keys do not count.

    Raises what botocore raises, for one half of the keys without the other.
    """
    if anonymous or any(environ.get(name) for name in _DYNAMIC_VARIABLES):
        return None
    profile = read_profile(named, environ)
    if not profile.sound:
        return None
    in_variables = named is None and bool(environ.get("AWS_ACCESS_KEY_ID"))
    if not in_variables and not _is_static(profile):
        return None
    from botocore import credentials

    providers: list[Any]
    if in_variables:
        providers = [credentials.EnvProvider(dict(environ))]
    else:
        providers = [
            credentials.SharedCredentialProvider(
                creds_filename=environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
                profile_name=profile.name,
            ),
            credentials.ConfigProvider(
                config_filename=environ.get("AWS_CONFIG_FILE", "~/.aws/config"), profile_name=profile.name
            ),
        ]
    found = next(filter(None, (provider.load() for provider in providers)), None)
    return None if found is None else StaticKeys(found)


def _is_static(profile: AwsProfile) -> bool:
    return bool(profile.values.get("aws_access_key_id")) and _STATIC.issuperset(profile.values)
