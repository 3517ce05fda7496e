"""Each error of ours is the one that Python's own file functions raise."""

from __future__ import annotations

import errno

import pytest

from mountnd import errors
from mountnd.api.oserrors import as_os_errors, os_error, read_only


@pytest.mark.parametrize(
    ("error", "kind", "number", "text"),
    [
        (errors.NotFound("no s3://b/k"), FileNotFoundError, errno.ENOENT, "No such file or directory"),
        (
            errors.NoSuchBucket("s3://b: no such bucket", code="NoSuchBucket"),
            FileNotFoundError,
            errno.ENOENT,
            "no such bucket",
        ),
        (errors.Forbidden("s3://b/k: access denied"), PermissionError, errno.EACCES, "Permission denied: s3://b/k"),
        (errors.NoCredentials("none"), PermissionError, errno.EACCES, "none"),
        (errors.IsADirectory("d"), IsADirectoryError, errno.EISDIR, "Is a directory"),
        (errors.NotADirectory("f"), NotADirectoryError, errno.ENOTDIR, "Not a directory"),
        (errors.Changed("gone"), OSError, errno.ESTALE, "Stale file handle: gone"),
        (errors.TimedOut("60 s"), TimeoutError, errno.ETIMEDOUT, "60 s"),
        (errors.Unreachable("no network"), OSError, errno.EIO, "no network"),
        (errors.MountError("no threads"), OSError, errno.EIO, "no threads"),
    ],
)
def test_classes_and_numbers(error: errors.MountndError, kind: type[OSError], number: int, text: str) -> None:
    found = os_error(error, "a/b")
    assert type(found) is kind
    assert (found.errno, found.filename) == (number, "a/b")
    assert text in str(found)
    with pytest.raises(kind) as raised, as_os_errors("a/b"):
        raise error
    assert raised.value.__cause__ is error


def test_writing() -> None:
    assert (read_only("f").errno, read_only("f").filename) == (errno.EROFS, "f")
