"""What is wrong with the keys, by each step of the AWS chain that failed, in words; and the command against it. Pure.

botocore's exceptions are known by name and by their `kwargs` (`botocore.exceptions`), so that none is imported.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

_SSO = "the SSO session {of} has ended, or was never begun: aws sso login{profile}"
_LOGIN = "the login session {of} has ended, or was never begun: aws login{profile}"

# By class, the nearest of the ancestry first. `{of}`: "of profile 'x'"; `{profile}`: " --profile x"; the rest are
# `kwargs` of the exception.
_WORDS = {
    "ProfileNotFound": "there is no AWS profile {name}: aws configure --profile {name}",
    "NoCredentialsError": "no keys were found: aws configure{profile}   (for a public bucket: --anonymous)",
    "PartialCredentialsError": "the keys {of} lack {cred_var} ({provider}): aws configure{profile}",
    "UnauthorizedSSOTokenError": _SSO,
    "SSOTokenLoadError": _SSO,
    "TokenRetrievalError": _SSO,
    "SSOError": _SSO,
    "NoAuthTokenError": _SSO,
    "LoginInsufficientPermissions": "the login {of} may not make keys (signin:CreateOAuth2Token)",
    "LoginError": _LOGIN,
    "RefreshWithMFAUnsupportedError": "the keys {of} need an MFA code, which nobody can be asked for here: "
    "aws sts get-session-token{profile}   and export the keys that it prints",
    "ConfigParseError": "the AWS file {path} cannot be read: correct it, or write it anew with aws configure",
    "ConfigNotFound": "the AWS file {path} is not there: check AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE",
    "InfiniteLoopConfigError": "the keys {of} lead in a circle (source_profile in ~/.aws/config): correct it",
    "MetadataRetrievalError": "the service of this machine that gives keys does not answer as it should: {error_msg}",
    "InvalidConfigError": "the AWS files {of} are wrong: {error_msg}",
    "UnknownCredentialError": "credential_source {name} of the AWS files is not known here",
    "FileNotFoundError": "{path} {of} is not there (credential_process, or web_identity_token_file): correct it in "
    "~/.aws/config",
}
# By what `CredentialRetrievalError` names as its provider.
_PROVIDERS = {
    "custom-process": "the program of credential_process {of} failed: {error_msg}",
    "sso": _SSO,
}


def words(error: BaseException, profile: str = "") -> str:
    """What is wrong and what to do, without a subject; "" for an exception that is not about keys.

    Args:
        profile: that the source names, "" for none.
    """
    given: Mapping[str, Any] = getattr(error, "kwargs", {})
    name = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _WORDS), "")
    text = _WORDS.get(name, "")
    if type(error).__name__ == "CredentialRetrievalError":
        text = _PROVIDERS.get(str(given.get("provider")), "the keys {of} could not be had from {provider}: {error_msg}")
    if not text:
        return ""
    of = f"of profile {profile!r}" if profile else "of the default profile"
    filled = {
        "provider": "the provider", "error_msg": "", "path": "", "cred_var": "a part", "of": of,
        "name": shlex.quote(str(given.get("profile") or given.get("name") or profile)),
        "profile": f" --profile {shlex.quote(profile)}" if profile else "",
    }  # fmt: skip
    if isinstance(error, OSError) and error.filename:
        filled["path"] = _first_line(error.filename)
    filled |= {
        key: _first_line(value) for key, value in given.items() if key in ("provider", "error_msg", "path", "cred_var")
    }
    return " ".join(text.format_map(filled).split(" ")).rstrip(": ")


def _first_line(value: object) -> str:
    return next((line.strip() for line in str(value).splitlines() if line.strip()), "")[:300]
