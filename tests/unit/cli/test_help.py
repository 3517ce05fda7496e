"""`mountnd help`, the manual page and completion: what they are made from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from mountnd.blocks.disk.pins import Pin
from mountnd.cli import prefetch_summary
from mountnd.cli.man_page import MAN_PAGE, man_page
from mountnd.cli.pins_view import PinAmounts
from mountnd.cli.running import RunningMount
from mountnd.cli.verbs import ALIASES, VERBS, near_verbs
from mountnd.cli.verbs.help import files, readable, topics, with_narrow_tables
from mountnd.config.options import OPTIONS
from mountnd.daemon import rundir
from mountnd.errors import EXIT_CODES, StoreError
from mountnd.jobs.report import Report
from mountnd.vfs.failures import FailureLog
from tests.unit.cli.calls import call

HELP = MAN_PAGE.parent
ROOT = HELP.parents[1]
TABLE = "| a | b |\n|---|---|\n| `x` | a-word-of-thirty-letters-or-so |\n| `y\\|z` | |\n"


def test_every_page_is_a_topic_with_a_title() -> None:
    assert set(topics()) == {path.stem for path in HELP.glob("*.md")}
    assert all(topic.title for topic in topics().values())


def test_the_list_of_pages_names_each_one() -> None:
    told = call(["help"]).out
    assert not [page for page in topics() if page not in told.replace(",", " ").split()]


def test_files_that_pages_name_are_printed_as_they_are() -> None:
    assert set(files()) == {str(path.relative_to(HELP)) for path in HELP.glob("*/*") if path.is_file()}
    assert {"k8s/daemonset.yaml", "docker/Dockerfile"} <= set(files())
    told = "\n".join((HELP / f"{name}.md").read_text() for name in topics())
    for name, path in files().items():
        assert call(["help", name]).out == path.read_text()
        assert name in told, "a page tells of it"
    wrong = call(["help", "k8s/daemonsett.yaml"])
    assert wrong.code == 2 and "did you mean k8s/daemonset.yaml?" in wrong.err


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("page", topics())
def test_a_page_fits_and_breaks_no_word(page: str, width: int) -> None:
    answer = call(["help", page], {"COLUMNS": str(width)})
    assert answer.code == 0
    assert "<!--" not in answer.out and "…" not in answer.out
    assert max(map(len, answer.out.splitlines())) <= width


def test_comments_and_links_to_pages_are_not_shown() -> None:
    text = (
        "A sentence. <!-- tests:\nx::y --> Another: [names.md](names.md), [the rules](names.md#x), [home](https://x)."
    )
    assert readable(text) == (
        "A sentence. Another: `mountnd help names`, the rules (`mountnd help names`), [home](https://x)."
    )


def test_a_table_that_would_break_a_word_becomes_a_list() -> None:
    assert with_narrow_tables(TABLE, 80) == TABLE
    assert with_narrow_tables(f"x\n\n{TABLE}\ny\n", 30) == (
        "x\n\n- `x`: b: a-word-of-thirty-letters-or-so\n- `y|z`: \n\ny\n"
    )


@pytest.mark.parametrize("word", [*VERBS, *ALIASES, "Logs", "log", "umout", "confg"])
def test_a_word_like_a_verb(word: str) -> None:
    assert "mountnd" in near_verbs(word)


@pytest.mark.parametrize("word", ["openneuro", "hcp", "s3://bucket", "lab", "", "/mnt/x", "ds000001", "he"])
def test_a_word_unlike_any_verb(word: str) -> None:
    assert near_verbs(word) == ""


def test_the_commands_page_has_every_code_and_reason() -> None:
    page = (HELP / "commands.md").read_text()
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in page

    def reasons(kind: type[StoreError]) -> set[str]:
        return {kind.reason}.union(*(reasons(below) for below in kind.__subclasses__()))

    assert reasons(StoreError) - {"cancelled"} == set(
        re.findall(r"`([a-z ]+)`", page[page.index("The reasons of failures") :].partition(".")[0])
    )


def keys(value: Any, *, below: Collection[str] = ()) -> set[str]:
    """The keys of what `--json` gives; of the objects in it, those of the lists, and of the keys in `below`."""
    if isinstance(value, list):
        return set().union(*(keys(item, below=below) for item in value))
    if not isinstance(value, dict):
        return set()
    inner = (keys(item, below=below) for key, item in value.items() if isinstance(item, list) or key in below)
    return set(value).union(*inner)


def documented(verb: str, page: str = "commands") -> set[str]:
    (row,) = [line for line in (HELP / f"{page}.md").read_text().splitlines() if line.startswith(f"| `{verb}`")]
    return set(re.findall(r"`([a-z_]+)`", row.split("|")[3]))


@pytest.mark.parametrize(
    ("verb", "argv"),
    [
        ("presets", ["presets", "eeg"]),
        ("config", ["config", "openneuro", "DIR/m"]),
        ("cache ls", ["cache", "ls", "--cache-dir", "DIR"]),
        ("cache clear", ["cache", "clear", "--cache-dir", "DIR"]),
        ("cache verify", ["cache", "verify", "--cache-dir", "DIR"]),
        ("doctor", ["doctor", "--cache-dir", "DIR"]),
        ("ls", ["ls"]),
    ],
)
def test_each_key_of_json_is_documented(verb: str, argv: list[str], tmp_path: Path) -> None:
    answer = call([*(word.replace("DIR", str(tmp_path)) for word in argv), "--json"])
    assert answer.code in (0, 1), answer.err
    assert keys(json.loads(answer.out)) <= documented(verb)


def test_the_keys_of_ls_and_stats_are_documented() -> None:
    record = rundir.Record(mountpoint="/m", pid=1, started=1, since=1.0, sources=(("a", "s3://a"),))
    failures = FailureLog()
    failures.read_failed("a", StoreError("x"))
    counters = {"total": {"bytes.asked": 5}, "sources": {}, "memory": {}, "failures": failures.summary()}
    mount = RunningMount(Path("/m"), "ok", record, "s3://a", counters)
    told = mount.as_json()
    assert keys(told) <= documented("ls") and {"bytes_read", "failures", "since"} <= set(told)
    assert (told["bytes_read"], told["failures"]) == (5, 1)
    assert {"mountpoint", *keys(counters, below=("failures", "last"))} <= documented("stats DIR") | {"other"}


def test_the_keys_of_prefetch_and_pins_are_documented() -> None:
    report = Report()
    report.found(b"a.nii", 1)
    report.failed("a", "why")
    told = prefetch_summary.as_json({**report.snapshot(), "what": "x"})
    assert keys({"jobs": [told], "strays": []}) | keys(told) <= documented("prefetch", "prefetching")
    pin = PinAmounts(Pin("a", 1.0, ("b",), frozenset()), 1, 2, 3, 0)
    assert set(pin.as_json()) <= documented("cache ls")
    assert documented("cache unpin") == {"directory", "unpinned"}


def test_the_manual_page_is_of_today() -> None:
    page = man_page()
    assert MAN_PAGE.read_text() == page, "run: python -m mountnd.cli.man_page"
    plain = page.replace("\\-", "-")
    for option in OPTIONS:
        assert option.variable in plain and option.flag[2:] in plain
    for verb in VERBS:
        assert f".SS mountnd {verb}" in plain


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_manual_page_is_well_formed() -> None:
    done = subprocess.run(["groff", "-ww", "-man", "-Tutf8", MAN_PAGE], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"MOUNTND(1)") >= 3


def test_the_searches_that_the_help_gives_as_examples_find_something() -> None:
    examples = re.findall(r"^ *mountnd (presets .+)", call(["presets", "--help"]).out, re.MULTILINE)
    assert len(examples) == 2
    for typed in examples:
        assert call(typed.split()).code == 0, typed


@pytest.mark.parametrize("verb", VERBS)
def test_quiet_is_for_every_verb(verb: str) -> None:
    assert "--quiet" in call([verb, "--help"]).out


def test_quiet_leaves_out_remarks_and_no_error(tmp_path: Path) -> None:
    for argv in (["-q", "openneuro", str(tmp_path / "m")], ["openneuro", str(tmp_path / "m"), "--quiet"]):
        answer = call(argv)
        assert (answer.code, answer.out, answer.err) == (0, "", "")
        assert answer.config is not None
    assert "ready" in call(["openneuro", str(tmp_path / "m")]).err
    assert "did you mean" in call(["-q", "openneuo", str(tmp_path / "m")]).err


def test_a_source_called_like_a_verb_that_is_none_is_a_source(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[sources.list]\nurl = "s3://lab"\n')
    answer = call(["list", str(tmp_path / "m"), "--config", str(file)])
    assert answer.config is not None
    assert answer.config.sources[0].url == "s3://lab"


def on_a_terminal(*argv: str, env: dict[str, str]) -> bytes:
    """What `mountnd ARGV` writes to a terminal."""
    ours, theirs = os.openpty()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "PAGER": "less", **env}
    command = [sys.executable, "-P", "-m", "mountnd", *argv]
    written = bytearray()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environ, cwd="/"):
        os.close(theirs)
        try:
            while piece := os.read(ours, 1 << 16):
                written += piece
        except OSError:
            pass  # EIO: the other side is closed
    os.close(ours)
    return bytes(written)


def test_no_color_means_no_colour_on_a_terminal_either() -> None:
    """Bold, which is no colour, may stay (no-color.org)."""
    colour = re.compile(rb"\x1b\[(?:[0-9]+;)*(?:3|4|9|10)[0-7](?:;[0-9]+)*m")
    assert colour.search(on_a_terminal("help", "names", env={"NO_COLOR": ""}))
    for argv in (["help", "names"], ["presets", "eeg"]):
        written = on_a_terminal(*argv, env={"NO_COLOR": "1"})
        assert len(written) > 100 and not colour.search(written)
