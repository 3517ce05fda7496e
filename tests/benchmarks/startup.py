"""How long a start takes: from the command to the first `ls` that answers, and verbs that mount nothing.

    python -m tests.benchmarks startup --command 'before=env PYTHONPATH=/tmp/before python -P -m mountnd'

Each kind of source is mounted in the foreground and in the background, by each command in turns, so that all see the
same machine. Beside the median of the seconds stands the CPU time of all processes, which other programs on the machine
disturb less; and with a round trip (`--rtt`) what is left of the seconds when each request, each connection and each
handshake is taken for one. Where some of them go side by side, or while something is computed, that is less than what
is computed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from .mount import mounted
from .place import RESULTS, WORK
from .processes import cpu_seconds, tree
from .startup_stage import Stage

PLACE = WORK / "startup"
LIMIT_S = 60.0
# Until the first `ls` answers, beside the round trips (issue 13).
GOAL_S = 0.25
_NO_KEYS = {"AWS_EC2_METADATA_DISABLED": "true"}


class Kind(NamedTuple):
    """A kind of source: what is typed after `mountnd`, and the environment."""

    words: str
    env: Mapping[str, str] = {}


KINDS = {
    "unsigned S3 (a preset)": Kind("openneuro {mnt} --endpoint-url {url}", _NO_KEYS),
    "unsigned S3, AWS files there": Kind("openneuro {mnt} --endpoint-url {url}", {"HOME": "{home}"}),
    "S3, keys of variables": Kind(
        "s3://lab {mnt} --endpoint-url {url}", {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    ),
    "S3, keys of a profile": Kind("s3://lab {mnt} --endpoint-url {url} --profile lab", {"HOME": "{home}"}),
    "web server": Kind("{url}/files/ {mnt}"),
}
# Verbs that mount nothing, with a mount there for those that look at one.
VERBS = ("--help", "mount --help", "ls", "stats {mnt}", "umount {mnt}")


class Taken(NamedTuple):
    """What one start took. `trips`: round trips, were none made side by side."""

    wall: float
    cpu: float
    trips: int


class Commands:
    """The commands that are compared, on one stage."""

    def __init__(self, stage: Stage, commands: Mapping[str, Sequence[str]]) -> None:
        self.stage, self.commands = stage, commands
        self.mnt, self.home = PLACE / "mnt", PLACE / "home"
        for place in (self.mnt, self.home / ".aws"):
            place.mkdir(parents=True, exist_ok=True)
        (self.home / ".aws/config").write_text("[default]\nregion = us-east-1\n[profile lab]\nregion = us-east-1\n")
        (self.home / ".aws/credentials").write_text("[lab]\naws_access_key_id = AKIA\naws_secret_access_key = secret\n")

    def argv(self, name: str, words: str) -> list[str]:
        filled = words.format(mnt=self.mnt, url=self.stage.url)
        return [*self.stage.client, *self.commands[name], *shlex.split(filled)]

    def env(self, kind: Kind | None = None) -> dict[str, str]:
        mine = ("AWS_", "MOUNTND_", "PYTHONDONTWRITEBYTECODE")
        env = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        env |= {"MOUNTND_RUN_DIR": str(PLACE / "run"), "HOME": str(PLACE / "nobody"), **self.stage.env}
        return env | {name: text.format(home=self.home) for name, text in (kind.env if kind else {}).items()}

    def start(self, name: str, kind: Kind, *, background: bool) -> Taken:
        """Mount, look, and unmount."""
        shutil.rmtree(PLACE / "cache", ignore_errors=True)
        self.stage.seen()
        words = f"{kind.words} --cache-dir {PLACE / 'cache'} -q" + ("" if background else " -f")
        argv, env = self.argv(name, words), self.env(kind)
        begun, used = time.perf_counter(), os.times().children_user + os.times().children_system
        process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL)
        try:
            if background:
                if process.wait(LIMIT_S):
                    raise RuntimeError(f"{name}: {shlex.join(argv)} ended with {process.returncode}")
            else:
                self._wait_mounted(process, argv)
            seen = len(os.listdir(self.mnt))
            wall = time.perf_counter() - begun
            cpu = os.times().children_user + os.times().children_system - used
            cpu += cpu_seconds(tree(process.pid) if not background else self._daemons())
            counts = self.stage.seen()
            if seen < 20:
                raise AssertionError(f"{name}: {seen} names")
        finally:
            self._unmount(process)
        trips = counts["requests"] + counts["connections"] * (2 if self.stage.ca else 1)  # TLS 1.3: one more
        return Taken(wall, cpu, trips)

    def verb(self, name: str, words: str) -> Taken:
        """Run a verb to its end; where it takes a mount, one of a web server is there."""
        env = self.env()
        needs_mount = "{mnt}" in words
        if needs_mount:
            mount = f"{KINDS['web server'].words} --cache-dir {PLACE / 'cache'} -q"
            subprocess.run(self.argv(name, mount), env=env, stdin=subprocess.DEVNULL, check=True, timeout=LIMIT_S)
        try:
            begun, used = time.perf_counter(), os.times().children_user + os.times().children_system
            argv = self.argv(name, words)
            subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=LIMIT_S)
            wall = time.perf_counter() - begun
            return Taken(wall, os.times().children_user + os.times().children_system - used, 0)
        finally:
            if needs_mount:
                self._unmount()

    def _wait_mounted(self, process: subprocess.Popen[bytes], argv: Sequence[str]) -> None:
        begun = time.perf_counter()
        while not mounted(self.mnt):
            if process.poll() is not None or time.perf_counter() - begun > LIMIT_S:
                raise RuntimeError(f"did not mount: {shlex.join(argv)}")
            time.sleep(0.002)

    def _daemons(self) -> list[int]:
        """The daemon of this stage's mount, by its record."""
        records = (json.loads(path.read_text()) for path in (PLACE / "run").glob("*.json"))
        return [record["pid"] for record in records if record.get("mountpoint") == str(self.mnt)]

    def _unmount(self, process: subprocess.Popen[bytes] | None = None) -> None:
        daemons = self._daemons()
        for _ in range(40):
            if not mounted(self.mnt):
                break
            subprocess.run(["fusermount3", "-u", self.mnt], capture_output=True, check=False)
            time.sleep(0.02)
        else:
            subprocess.run(["fusermount3", "-uz", self.mnt], check=False)
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        for pid in daemons:
            until = time.perf_counter() + 10
            while Path(f"/proc/{pid}").exists() and time.perf_counter() < until:
                time.sleep(0.005)
        if mounted(self.mnt):  # only now: we were ended in the middle of its start
            subprocess.run(["fusermount3", "-uz", self.mnt], check=False)


def run(
    rtt: float | None,
    port: int,
    *,
    tls: bool,
    runs: int,
    given: Sequence[str],
    only: str = "",
    say: Callable[[str], None] = print,
) -> None:
    """Print a table, and keep it and the figures in `results/`. `only`: rows whose title holds this."""
    commands = {"ours": [sys.executable, "-m", "mountnd"]}
    for each in given:
        name, _, command = each.partition("=")
        commands[name] = shlex.split(command)
    taken: dict[str, dict[str, list[Taken]]] = {}
    if mounted(PLACE / "mnt"):  # of a run that was killed
        subprocess.run(["fusermount3", "-uz", PLACE / "mnt"], check=True)
    shutil.rmtree(PLACE, ignore_errors=True)
    with Stage(rtt=rtt, port=port, tls=tls) as stage:
        bench = Commands(stage, commands)
        rows: dict[str, Callable[[str], Taken]] = {
            f"{title}, {'background' if background else 'foreground'}": lambda name, kind=kind, background=background: (
                bench.start(name, kind, background=background)
            )
            for title, kind in KINDS.items()
            for background in (False, True)
        }
        rows |= {f"`mountnd {words.format(mnt='DIR')}`": lambda name, w=words: bench.verb(name, w) for words in VERBS}
        rows = {title: row for title, row in rows.items() if only in title}
        for turn in range(-1, runs):  # the first is to have all that is read in memory
            for title, row in rows.items():
                for name in commands:
                    one = row(name)
                    if turn >= 0:
                        taken.setdefault(title, {}).setdefault(name, []).append(one)
            say(f"run {turn + 1} of {runs}")
    network = ("loopback" if rtt is None else f"{rtt:g}ms") + ("-tls" if tls else "")
    (RESULTS / f"startup-{network}.json").write_text(json.dumps({"rtt": rtt, "tls": tls, "taken": taken}, indent=1))
    shown = table(taken, rtt)
    (RESULTS / f"startup-{network}.md").write_text(shown + "\n")
    say(f"\n{shown}\n")


def table(taken: Mapping[str, Mapping[str, Sequence[Taken]]], rtt: float | None) -> str:
    """Markdown: medians of each command, and the verdict on ours."""
    names = list(next(iter(taken.values())))
    out = [
        "| until the first `ls` answers, or the verb ends | " + " | ".join(names) + " | verdict |",
        "|---|" + "--:|" * len(names) + "---|",
    ]
    for title, by_name in taken.items():
        cells, verdict = [], ""
        for name, all_taken in by_name.items():
            wall, cpu = median(one.wall for one in all_taken), median(one.cpu for one in all_taken)
            over = wall - median(one.trips for one in all_taken) * (rtt or 0) / 1000
            beside = f", {over:.2f} s over {median(one.trips for one in all_taken):.0f} round trips" if rtt else ""
            cells.append(f"{wall:.3f} s{beside}, {cpu:.2f} s of CPU")
            if name == names[0]:
                verdict = "held" if over <= GOAL_S else "**missed**"
        out.append(f"| {title} | {' | '.join(cells)} | {verdict} ({GOAL_S} s) |")
    return "\n".join(out)
