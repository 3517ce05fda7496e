"""The process around a mount: fork and readiness, the run directory, unmounting, what the machine must have."""

from __future__ import annotations

from .run import run_mount

__all__ = ["run_mount"]
