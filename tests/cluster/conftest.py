"""A Slurm and an S3 server that counts what it sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.mounts import watchdog

from .slurm import CannotStart, Slurm, slurm

HANG_S = 900.0


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    with watchdog(HANG_S):
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Slurm]:
    try:
        stack = slurm()
        one = stack.__enter__()
    except CannotStart as e:
        pytest.skip(f"Slurm cannot be started here: {e}")
    try:
        yield one
    finally:
        stack.__exit__(None, None, None)
