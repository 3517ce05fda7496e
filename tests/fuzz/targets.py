"""All targets by name, the fast ones first."""

from __future__ import annotations

from pathlib import Path

from . import answers, from_disk, from_packs, from_people, from_programs, from_servers, from_trees
from .target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (from_servers, from_disk, from_packs, from_people, from_programs, from_trees, answers)
    for target in module.TARGETS
}

REGRESSIONS = Path(__file__).parent / "regressions"


def regressions(name: str) -> list[bytes]:
    """Inputs that once broke the target."""
    return [path.read_bytes() for path in sorted((REGRESSIONS / name).glob("*")) if path.is_file()]
