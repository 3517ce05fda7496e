"""The outward table: every error of ours has an errno of its own choosing, and nothing else leaks out."""

from __future__ import annotations

import errno
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout

import pytest

from mountnd import errors
from mountnd.fuse.errnos import _ERRNO, errno_of, expected


def every_class(root: type) -> set[type]:
    return {root}.union(*(every_class(c) for c in root.__subclasses__()))


@pytest.mark.parametrize(
    "kind", sorted(every_class(errors.StoreError) | every_class(errors.VfsError), key=lambda c: c.__name__)
)
def test_every_error_is_in_the_table_or_below_one_that_is_more_than_the_root(kind: type[errors.MountndError]) -> None:
    nearest = next(c for c in kind.__mro__ if c in _ERRNO)
    assert nearest not in (errors.MountndError,)
    error = kind.__new__(kind, "x")  # whatever it is made with
    assert errno_of(error) == _ERRNO[nearest] > 0
    assert expected(error)


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (errors.NotFound("k"), errno.ENOENT),
        (errors.NoSuchBucket("b"), errno.ENOENT),
        (errors.Forbidden("k"), errno.EACCES),
        (errors.LinkExpired("k"), errno.EACCES),
        (errors.Changed("k"), errno.ESTALE),
        (errors.Archived("k"), errno.EIO),
        (errors.TimedOut("k"), errno.ETIMEDOUT),
        (errors.Interrupted("k"), errno.EINTR),
        (errors.ReadOnly("k"), errno.EROFS),
    ],
)
def test_what_programs_see(error: Exception, number: int) -> None:
    assert errno_of(error) == number


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        FutureTimeout(),
        CancelledError(),
        KeyError("x"),
        KeyboardInterrupt(),
        SystemExit(1),
        OSError(errno.ENOSPC, ""),
    ],
)
def test_whatever_else_is_an_input_output_error(error: BaseException) -> None:
    assert errno_of(error) == errno.EIO
    assert not expected(error)


def test_a_cancelled_future_does_not_end_the_mount() -> None:
    future: Future[int] = Future()
    future.cancel()
    with pytest.raises(CancelledError) as e:
        future.result(0)
    assert errno_of(e.value) == errno.EIO
