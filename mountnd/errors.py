"""Every error that mountnd raises on purpose, as one tree.

    MountndError
    ├── UsageError            what was typed is invalid             exit code 2
    │   └── ConfigError       a file or a variable is invalid       exit code 2
    ├── MountError            mounting or unmounting failed         exit code 1
    ├── StoreError            a provider refused, or did not answer
    │   ├── NotFound          no such key
    │   │   └── NoSuchBucket
    │   ├── Forbidden         403: the key, the listing or the credentials
    │   │   ├── NoCredentials none were found, and the source needs some
    │   │   └── LinkExpired   a signed URL whose time is over
    │   ├── Archived          in a storage tier from which it must be restored first
    │   ├── Changed           the object is not the version that was pinned (412)
    │   ├── WrongRegion       the bucket lives elsewhere
    │   ├── Cancelled         nobody waits for the answer any more
    │   ├── BadAnswer         an answer that breaks the protocol
    │   │   ├── Intercepted   somebody between answers in the server's place    transient
    │   │   └── Unviewable    a compressed file that `--view` cannot show inflated
    │   ├── Throttled         slow down            transient
    │   ├── ServerFault       5xx                  transient
    │   ├── Unreachable       no connection        transient
    │   └── TimedOut          no answer in time    transient
    └── VfsError              what the tree itself refuses
        ├── NotADirectory
        ├── IsADirectory
        ├── ReadOnly
        ├── Denied            the modes shut this user out
        ├── Interrupted       the reader got a signal
        └── StaleHandle       the handle was closed

Stores turn what their libraries raise into StoreErrors; `fuse/errnos.py` turns all of these into errnos,
`cli/main.py` into one line and an exit code. Between them only `vfs/tree.py` converts one: NotFound of an open file's
version into Changed.
"""

from __future__ import annotations

# Of every verb: what each means.
EXIT_CODES = {
    0: "done",
    1: "it failed: the machine, the mountpoint or the source does not allow it; `doctor`: something is wrong",
    2: "invalid arguments or configuration; nothing was done",
    3: "`verify`: nothing could be checked, since nothing is known of the files",
    130: "interrupted (Ctrl-C), as shells have it: 128 + 2",
}


class MountndError(Exception):
    """Root of the tree. `str()` of it is one line for a person: what, why, and what to do.

    Attributes:
        exit_code: what the command line exits with when this error ends it.
    """

    exit_code = 1


class UsageError(MountndError):
    exit_code = 2


class ConfigError(UsageError):
    pass


class MountError(MountndError):
    pass


class StoreError(MountndError):
    """A provider refused, or did not answer.

    Args:
        message: one line for a person.
        code: the provider's own code where it has one (S3 `Error.Code`, an HTTP status), for the log.

    Attributes:
        transient: a retry may help; `stores/retry.py` makes it, within a deadline.
        request_id: what the provider calls the request, by which its operators find it; "" where untold.
        reason: what happened, in two or three words; failures are counted by it.
    """

    transient = False
    request_id = ""
    reason = "other"

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class NotFound(StoreError):
    """Attributes: passing: it holds for this call only, as where a listing that could tell is refused."""

    reason = "not found"
    passing = False


class NoSuchBucket(NotFound):
    pass


class Forbidden(StoreError):
    """Attributes: server_time: the server's clock as it refused, in seconds since the epoch; None where not told."""

    reason = "access denied"
    server_time: float | None = None


class NoCredentials(Forbidden):
    reason = "no credentials"


class LinkExpired(Forbidden):
    reason = "link expired"


class Archived(StoreError):
    reason = "archived"


class Changed(StoreError):
    reason = "changed while open"


class WrongRegion(StoreError):
    """Attributes: region: where the bucket lives, "" when the server did not tell."""

    reason = "wrong region"

    def __init__(self, message: str = "", *, code: str = "", region: str = "") -> None:
        super().__init__(message, code=code)
        self.region = region


class Cancelled(StoreError):
    reason = "cancelled"


class BadAnswer(StoreError):
    reason = "bad answer"


class Intercepted(BadAnswer):
    reason = "intercepted"
    transient = True


class Unviewable(BadAnswer):
    """Attributes: why: what is wrong with it, in words."""

    reason = "unfit for the view"

    def __init__(self, message: str = "", *, code: str = "View", why: str = "") -> None:
        super().__init__(message, code=code)
        self.why = why


class Throttled(StoreError):
    reason = "throttled"
    transient = True


class ServerFault(StoreError):
    reason = "server error"
    transient = True


class Unreachable(StoreError):
    reason = "no connection"
    transient = True


class TimedOut(StoreError):
    reason = "no answer in time"
    transient = True


class VfsError(MountndError):
    pass


class NotADirectory(VfsError):
    pass


class IsADirectory(VfsError):
    pass


class ReadOnly(VfsError):
    pass


class Denied(VfsError):
    pass


class Interrupted(VfsError):
    pass


class StaleHandle(VfsError):
    pass
