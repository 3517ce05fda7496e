"""Operations by kind and outcome, their longest waits, and what of it must not be. Pure."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# What a program may be told while a server fails: ESTALE of replaced objects, EACCES of refused keys. EFAULT is how
# write(2) tells of a mapped page that could not be had.
WHILE_FAULTS_LAST = frozenset({"EIO", "ETIMEDOUT", "ESTALE", "EACCES", "EFAULT"})
# What the kernel says of a mount whose daemon was killed.
AFTER_A_KILL = frozenset({"ENOTCONN", "ECONNABORTED"})
WRONG = "wrong"
MOST_SHOWN = 20


def outcome_of(error: OSError) -> str:
    """`EIO`, `ESTALE`, ..."""
    return errno.errorcode.get(error.errno or 0, str(error))


@dataclass
class Tally:
    """What was done and what came of it.

    Attributes:
        counts: kind of operation -> outcome ("ok", an errno's name, "wrong") -> how often.
        longest: kind of operation -> seconds of its longest wait.
        bytes: read and compared.
        violations: sentences on what must not have happened.
    """

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    longest: dict[str, float] = field(default_factory=dict)
    bytes: int = 0
    violations: list[str] = field(default_factory=list)

    def add(self, kind: str, outcome: str, seconds: float) -> None:
        of_kind = self.counts.setdefault(kind, {})
        of_kind[outcome] = of_kind.get(outcome, 0) + 1
        self.longest[kind] = max(self.longest.get(kind, 0.0), seconds)

    def wrong(self, kind: str, what: str, seconds: float = 0.0) -> None:
        """Bytes, a name or a size that the bucket never had."""
        self.add(kind, WRONG, seconds)
        self.violations.append(f"{kind}: {what}")

    def merge(self, other: Tally) -> None:
        for kind, outcomes in other.counts.items():
            of_kind = self.counts.setdefault(kind, {})
            for outcome, n in outcomes.items():
                of_kind[outcome] = of_kind.get(outcome, 0) + n
        for kind, seconds in other.longest.items():
            self.longest[kind] = max(self.longest.get(kind, 0.0), seconds)
        self.bytes += other.bytes
        self.violations += other.violations

    def judge(self, allowed: Iterable[str], longest: float) -> list[str]:
        """All violations: those told, outcomes that are not `allowed`, waits of more than `longest` seconds."""
        found, allowed = list(self.violations), {"ok", WRONG, *allowed}
        for kind, outcomes in self.counts.items():
            found += [f"{kind}: {n} times {outcome}" for outcome, n in outcomes.items() if outcome not in allowed]
            if self.longest[kind] > longest:
                found.append(f"{kind}: waited {self.longest[kind]:.1f} s, at most {longest:.1f} are promised")
        return found

    def operations(self) -> int:
        return sum(n for outcomes in self.counts.values() for n in outcomes.values())

    def table(self) -> str:
        """For people, in Markdown."""
        lines = ["| operation | ok | expected errors | wrong | longest wait |", "|---|--:|---|--:|--:|"]
        for kind, outcomes in sorted(self.counts.items()):
            errors = ", ".join(f"{n} {name}" for name, n in sorted(outcomes.items()) if name not in ("ok", WRONG))
            ok, wrong = outcomes.get("ok", 0), outcomes.get(WRONG, 0)
            lines.append(f"| {kind} | {ok:,} | {errors or '-'} | {wrong} | {self.longest[kind]:.1f} s |")
        return "\n".join(lines)

    def to_json(self) -> str:
        return json.dumps({**vars(self), "violations": self.violations[:MOST_SHOWN]})

    @classmethod
    def from_json(cls, text: str) -> Tally:
        what: dict[str, Any] = json.loads(text)
        return cls(**what)
