"""Where an ordinary bucket is: what botocore comes to for it, without its models of S3. Pure, but for `is_plain`.

botocore reads 4 MB of models and rules to say `https://s3.us-east-1.amazonaws.com`, which takes 0.3 s with its imports.
Here are the plain cases only: a bucket of AWS's ordinary partition, or one at an endpoint that somebody named, with
nothing configured that moves it. Whatever is not known here is botocore's to decide (`connect.py`). A test compares
both, for each region that botocore knows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from .aws_files import AwsProfile
from .bucket_options import BucketOptions

# Variables and values of the profile that say nothing of where S3 is, or what `identity.py` has settled.
_NEUTRAL_VARIABLES = frozenset(
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ACCOUNT_ID",
     "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
     "AWS_DEFAULT_OUTPUT", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL",
     "AWS_ENDPOINT_URL_S3", "AWS_EC2_METADATA_DISABLED", "AWS_PAGER", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS")
)  # fmt: skip
_NEUTRAL_VALUES = frozenset(
    ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", "aws_account_id",
     "region", "output", "endpoint_url", "retry_mode", "max_attempts", "cli_pager", "cli_timestamp_format", "role_arn",
     "role_session_name", "source_profile", "credential_source", "credential_process", "web_identity_token_file",
     "duration_seconds", "external_id", "mfa_serial", "sso_session", "sso_start_url", "sso_region", "sso_account_id",
     "sso_role_name", "login_session")
)  # fmt: skip
# Models of one's own take the place of botocore's.
_MODELS = "~/.aws/models"

# Names of today's buckets; "--" is of those that botocore has rules for (`--x-s3`, `--op-s3`, ...).
_BUCKET = re.compile(r"(?!.*--)(?!.*\.\.)(?![\d.]+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# The regions of the ordinary partition (`regionRegex` of botocore's partitions.json).
_REGION = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d")
_ANY_REGION = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_ENDPOINT = re.compile(rf"https?://(?!.*amazonaws){_LABEL}(\.{_LABEL})*(:(?P<port>\d{{1,5}}))?/?")
_PORT_MAX = 65535


def is_plain(profile: AwsProfile, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether nothing is configured that changes where S3 is found."""
    return (
        profile.sound
        and _NEUTRAL_VARIABLES.issuperset(name for name in environ if name.startswith("AWS_"))
        and _NEUTRAL_VALUES.issuperset(profile.values)
        and not os.path.exists(os.path.expanduser(_MODELS))
    )


def plain_endpoint(options: BucketOptions, region: str) -> tuple[str, bool] | None:
    """URL of the bucket and False, or URL of the service and True for path style; None where botocore must say."""
    if options.is_arn or options.is_express or not _BUCKET.fullmatch(options.bucket):
        return None
    path_style = options.addressing == "path"
    if options.endpoint_url is not None:
        known = _ENDPOINT.fullmatch(options.endpoint_url)
        if not (path_style and known and _ANY_REGION.fullmatch(region)) or int(known["port"] or 0) > _PORT_MAX:
            return None
        return options.endpoint_url.rstrip("/"), True
    if not _REGION.fullmatch(region) or ("." in options.bucket and not path_style):
        return None  # the latter becomes path style, whatever was asked for
    host = f"s3.{region}.amazonaws.com"
    return (f"https://{host}", True) if path_style else (f"https://{options.bucket}.{host}", False)
