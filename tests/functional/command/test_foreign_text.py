"""Text that a server or a key chose: no line of the log, no control of the terminal and no command is its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cli
from tests.support.cli import daemon_record, run_mountnd
from tests.support.quirky import Quirky, thing

pytestmark = pytest.mark.kernel

ESC, BIDI = "\x1b", "\u202e"
NASTY = f"a{ESC}[2J{ESC}]0;title\x07\n2026-01-01 00:00:00,000 ERROR forged{BIDI}"
# As log lines begin: a date, or a mark of a traceback's line.
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ |    \| |usage:|$")


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def is_clean(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


def source(quirky: Quirky, *more: str) -> list[str]:
    return ["s3://bkt", "--endpoint-url", quirky.url, "--region", "us-east-1", "--ttl", "0", "--anonymous", *more]


def test_keys_and_refusals_reach_the_log_in_escapes(quirky: Quirky, where: Path, tmp_path: Path) -> None:
    keys = {f"{NASTY}/f": thing(b"x" * 10), "good/f": b"y", f"good//{NASTY}": b"z", f"status{NASTY}": thing(b"q")}
    keys[f"status{NASTY}"]["status"] = [403, "AccessDenied"]
    quirky.hold(keys)
    done = run_mountnd(*source(quirky), where, "--log-file", tmp_path / "log", "--debug")
    assert done.returncode == 0, done.stderr
    for folder, _, names in os.walk(where):
        for name in names:
            try:
                Path(folder, name).read_bytes()
            except OSError:
                pass
    text = (tmp_path / "log").read_text()
    assert is_clean(text)
    assert [line for line in text.splitlines() if not LINE.match(line)] == []
    assert not [line for line in text.splitlines() if line.startswith("2026-01-01 00:00:00")]
    assert "\\x1b[2J" in text
    for args in (["doctor", *source(quirky)[:-3], "--anonymous", "--keys", ""], ["doctor"], ["stats", where]):
        done = run_mountnd(*args)
        assert is_clean(done.stdout + done.stderr), args


def test_a_refusal_is_one_line_on_the_terminal(quirky: Quirky, where: Path) -> None:
    quirky.hold({"f": b"x"}, refusal=[400, "Odd\nmountnd: forged [red]x[/red] \u202e \x9b31m"], keys=["nobody"])
    done = run_mountnd(*source(quirky), where)
    assert done.returncode == 1 and is_clean(done.stderr)
    assert [line for line in done.stderr.splitlines() if line.startswith("mountnd: ")] == done.stderr.splitlines()[-1:]
    done = run_mountnd("doctor", *source(quirky)[:-3], "--anonymous")
    assert done.returncode == 1 and is_clean(done.stdout + done.stderr)
    assert "[red]x[/red]" in " ".join(done.stdout.split()) and "\nmountnd: forged" not in done.stdout


def test_the_name_in_the_mount_table_is_printable(quirky: Quirky, where: Path) -> None:
    """df and /proc/mounts print it as it is."""
    prefix = f"p{ESC}[31m[link=x]"
    quirky.hold({f"{prefix}/f": b"x"})
    done = run_mountnd(f"s3://bkt/{prefix}", *source(quirky)[1:], where)
    assert done.returncode == 0, done.stderr
    assert is_clean(done.stderr)
    (row,) = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(where) in line]
    assert row.isprintable() and "[31m[link=x]" in row
    done = run_mountnd("doctor")
    assert is_clean(done.stdout) and "[link=x]" in "".join(done.stdout.split())
    assert (where / "f").read_bytes() == b"x"
    assert Path(daemon_record(where).log).stat().st_mode & 0o777 == 0o600
