"""One target under libFuzzer, in a process of its own: `python -m tests.fuzz.child TARGET SECONDS FOUND CORPUS`.

An input that breaks the target is written to the folder FOUND, one for each place in the code, and fuzzing goes on.
What takes too long or too much memory ends the process; libFuzzer then writes the input there.
"""

from __future__ import annotations

import importlib
import logging
import resource
import sys
import traceback
from pathlib import Path

import atheris

from .mutate import LONGEST

# What one input may take: seconds on a busy machine, and memory beside that of the interpreter and what it imports.
INPUT_S = 10
RSS_MB = 400
ADDRESS_SPACE = 2 << 30
# Libraries in Python that do the parsing for us: their branches count, too.
INSTRUMENTED = ["mountnd", "tomllib", "html", "shlex", "urllib", "email"]


def place_of(error: BaseException) -> str:
    """Which error, and where in our code it came from: one name for all inputs that break the same thing."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if "/tests/fuzz/" in f.filename or "mountnd/" in f.filename
    ]
    last = frames[-1]
    return f"{type(error).__name__}-{Path(last.filename).stem}-{last.lineno}"


def main(name: str, seconds: str, found: str, corpus: str) -> None:
    """Fuzz until the time is over; does not return."""
    logging.disable(logging.CRITICAL)
    sys.setswitchinterval(0.0005)  # servers of targets are threads
    with atheris.instrument_imports(include=INSTRUMENTED):
        targets = importlib.import_module("tests.fuzz.targets")
        give = importlib.import_module("tests.fuzz.target").give
    target = targets.TARGETS[name]
    for number, data in enumerate([*targets.regressions(name), *target.seeds()]):
        (Path(corpus) / f"seed-{number}").write_bytes(data[:LONGEST])
    words = Path(found) / ".words"
    words.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word[:60]) + '"\n' for word in target.words))
    seen: set[str] = set()
    with target.open() as run:

        def one(data: bytes) -> None:
            try:
                give(run, data)
            except Exception as error:
                if (place := place_of(error)) not in seen:
                    seen.add(place)
                    (Path(found) / place).write_bytes(data)
                    print(f"FOUND {place}: {str(error)[:200]}", flush=True)

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        atheris.Setup(
            [
                name,
                f"-max_total_time={seconds}",
                f"-timeout={INPUT_S}",
                f"-rss_limit_mb={RSS_MB}",
                f"-max_len={LONGEST}",
                f"-artifact_prefix={found}/",
                f"-dict={words}",
                "-print_final_stats=1",
                "-verbosity=1",
                corpus,
            ],
            one,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
