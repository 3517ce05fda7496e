"""Unmounting through the system's tools."""

from __future__ import annotations

import os

from mountnd import fusermount


def test_unmounting_what_is_not_mounted_says_so(tmp_path):
    said = fusermount.unmount(tmp_path / os.fsdecode(b"\xff"))
    assert said
    assert "\n" not in said
