"""The exceptions of botocore, aiohttp and asyncio -> classes of `errors.StoreError`, by name. Pure."""

from __future__ import annotations

from ...errors import (
    BadAnswer,
    NoCredentials,
    NotFound,
    StoreError,
    TimedOut,
    Unreachable,
    WrongRegion,
)

# By class, looked up along the exception's own ancestry as `package.Class`, so that no library is imported for it.
BY_CLASS: dict[str, type[StoreError]] = {
    "botocore.NoCredentialsError": NoCredentials,
    "botocore.PartialCredentialsError": NoCredentials,
    "botocore.CredentialRetrievalError": NoCredentials,
    "botocore.ProfileNotFound": NoCredentials,
    "botocore.ConfigParseError": NoCredentials,
    "botocore.ConfigNotFound": NoCredentials,
    "botocore.InvalidConfigError": NoCredentials,
    "botocore.InfiniteLoopConfigError": NoCredentials,
    "botocore.UnknownCredentialError": NoCredentials,
    "botocore.MetadataRetrievalError": NoCredentials,
    "botocore.RefreshWithMFAUnsupportedError": NoCredentials,
    "botocore.SSOError": NoCredentials,
    "botocore.TokenRetrievalError": NoCredentials,
    "botocore.LoginError": NoCredentials,
    "botocore.NoAuthTokenError": NoCredentials,
    "botocore.ParamValidationError": NotFound,
    "botocore.ValidationError": NotFound,
    "botocore.InvalidRegionError": WrongRegion,
    "botocore.ConnectTimeoutError": TimedOut,
    "botocore.ReadTimeoutError": TimedOut,
    "botocore.ConnectionError": Unreachable,
    "botocore.HTTPClientError": Unreachable,
    "botocore.IncompleteReadError": Unreachable,
    "botocore.ResponseStreamingError": Unreachable,
    "botocore.ChecksumError": BadAnswer,
    "botocore.FlexibleChecksumError": BadAnswer,
    "botocore.ResponseParserError": BadAnswer,
    "botocore.BotoCoreError": StoreError,
    "builtins.FileNotFoundError": NoCredentials,  # a credential process that is gone
    "aiohttp.ServerTimeoutError": TimedOut,
    "aiohttp.ClientError": Unreachable,
    "asyncio.IncompleteReadError": Unreachable,
    "builtins.TimeoutError": TimedOut,
    "concurrent.CancelledError": TimedOut,
    "asyncio.CancelledError": TimedOut,
    "builtins.OSError": Unreachable,
}


def lookup(error: BaseException) -> tuple[str, type[StoreError]] | None:
    """The entry of BY_CLASS nearest in the ancestry of `error`."""
    for ancestor in type(error).__mro__:
        name = f"{ancestor.__module__.partition('.')[0]}.{ancestor.__name__}"
        if name in BY_CLASS:
            return name, BY_CLASS[name]
    return None
