"""Each fuzz target for a moment, so that none rots: its seeds, what once broke it, and a few mutations."""

from __future__ import annotations

import logging
from random import Random

import pytest

from .mutate import mutated
from .target import give
from .targets import REGRESSIONS, TARGETS, regressions

# Mutations of each target; those that go over a socket take a millisecond or more each.
MUTATIONS = 300
SLOW = {"control_request": 60, "control_reply": 60, "s3_read": 60, "s3_names": 20, "web_read": 30, "web_names": 20}


@pytest.mark.parametrize("name", TARGETS)
def test_only_documented_errors(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    target = TARGETS[name]
    seeds = list(target.seeds())
    inputs = [*regressions(name), *seeds, *mutated(seeds, target.words, SLOW.get(name, MUTATIONS), Random(7))]
    with target.open() as run:
        for data in inputs:
            try:
                give(run, data)
            except Exception as error:
                error.add_note(f"given to {name}: {data[:300]!r} ({len(data)} bytes)")
                raise


def test_every_regression_belongs_to_a_target() -> None:
    folders = {path.name for path in REGRESSIONS.iterdir() if path.is_dir()}
    assert folders <= set(TARGETS)
