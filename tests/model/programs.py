"""The machines that are run: which world, how many examples."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings

from .machine import Machine
from .mount_world import MountWorld
from .worlds import VfsWorld, World


class AgainstTheVfs(Machine):
    def make(self, **draws: Any) -> World:
        return VfsWorld(self.files, root=self.root, **draws)


class AgainstAMount(Machine):
    def make(self, *, page: int, kept: bool, **draws: Any) -> World:
        return MountWorld(self.files, root=self.root, page=page, kept=kept)

    def takes(self, key: str) -> bool:
        """S3's keys are UTF-8; others cannot be asked for (help/names.md)."""
        return "\0" not in key and not any("\ud800" <= c < "\ue000" for c in key)


def _set(machine: type[Machine], examples: int, steps: int, *, seeded: bool, shrink: bool) -> type[Machine]:
    machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=seeded,
        database=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    return machine


def against_the_vfs(examples: int, *, seeded: bool = False, shrink: bool = False) -> type[Machine]:
    """The vfs over a store in memory."""
    return _set(AgainstTheVfs, examples, 40, seeded=seeded, shrink=shrink)


def against_a_mount(examples: int, *, seeded: bool = False, shrink: bool = False) -> type[Machine]:
    """A mount over a server, through the kernel: a second or two an example, and more where time must pass."""
    return _set(AgainstAMount, examples, 25, seeded=seeded, shrink=shrink)
