"""The reference model, a seeded share: `python -m tests.model` runs more of it (`make soak` does)."""

from __future__ import annotations

import pytest

from .programs import against_a_mount, against_the_vfs

TestTheVfs = against_the_vfs(examples=120, seeded=True).TestCase
TestAMount = pytest.mark.kernel(against_a_mount(examples=1, seeded=True).TestCase)
