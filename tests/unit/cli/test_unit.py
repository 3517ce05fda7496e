"""The text of systemd units: what systemd makes of it is what was meant, whatever stands in paths."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.cli import unit
from tests.unit.cli.calls import call

NAMES = ["plain", "two words", "100%", "%h", "it's", '"quoted"', "back\\slash", "$HOME", "${HOME}", "tab\there",
         "new\nline", ";", "é漢", "#", "-", "a=b", "\udcff"]  # fmt: skip


def parsed(line: str) -> list[str]:
    """A command line as systemd.service(5) says that it is read."""
    words: list[str] = []
    for raw in re.findall(r'"(?:[^"\\]|\\.)*"|[^ ]+', line):
        if raw.startswith('"'):
            escapes = {"n": b"\n", "t": b"\t", "r": b"\r", '"': b'"', "\\": b"\\"}
            out, at, text = b"", 0, raw[1:-1]
            while at < len(text):
                if text[at] != "\\":
                    out, at = out + text[at].encode(), at + 1
                elif text[at + 1] == "x":
                    out, at = out + bytes([int(text[at + 2 : at + 4], 16)]), at + 4
                else:
                    out, at = out + escapes[text[at + 1]], at + 2
            raw = os.fsdecode(out)
        word = raw.replace("%%", "%")
        words.append(word.replace("$$", "$") if words else word)
    return words


WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1)


@given(WORDS)
def test_a_command_line_says_what_was_meant(words: list[str]) -> None:
    line = unit.command(words)
    assert "\n" not in line and "\r" not in line and line.isprintable()
    got = parsed(line)
    assert got in (words, ["/bin/sh", "-c", 'exec "$0" "$@"', *words])
    assert not re.search(r"(?<!%)%(?:%%)*(?!%)", line), "no specifier is left"


def test_names_that_are_no_utf_8() -> None:
    assert unit.command(["/x", "a\udcffb"]) == r'/x "a\xffb"'
    assert parsed(unit.command(["/x", "a\udcffb"])) == ["/x", "a\udcffb"]


@pytest.mark.parametrize(
    ("mountpoint", "name"),
    [("/home/me/openneuro", "mountnd-openneuro.service"), ("/a/it's 100%", "mountnd-it-s-100.service"),
     ("/", "mountnd-mount.service"), ("/a/...", "mountnd-mount.service")],
)  # fmt: skip
def test_the_name_of_the_file(mountpoint: str, name: str) -> None:
    assert unit.unit_name(mountpoint) == name


def verified(texts: list[str], place: Path, *, system: bool) -> tuple[int, str]:
    """What `systemd-analyze verify` says of units. Skips where there is none."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    paths = [place / f"mountnd-{number}.service" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    argv = ["systemd-analyze", *([] if system else ["--user"]), "--man=no", "verify", *map(str, paths)]
    environ = {"PATH": os.environ["PATH"], "HOME": str(place), "XDG_RUNTIME_DIR": str(place), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(argv, env=environ, capture_output=True, timeout=120, check=False)
    return done.returncode, os.fsdecode(done.stdout + done.stderr)


@pytest.mark.parametrize("system", [False, True])
def test_systemd_has_nothing_to_complain_of(tmp_path: Path, system: bool) -> None:
    """Whatever stands in the program's own path, which must lead there, and in the mountpoint's."""
    texts = []
    for number, name in enumerate(NAMES):
        folder = tmp_path / f"x{name}y"
        folder.mkdir()
        program = folder / "mountnd"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        made = unit.Unit(
            name=f"mountnd-{number}.service",
            description=f"mountnd: {name}",
            start=[str(program), "mount", name, f"/mnt/{name}", "--foreground"],
            stop=[str(program), "umount", f"/mnt/{name}"],
            system=system,
            user="root" if system else "",
            environment=[f"MOUNTND_RUN_DIR=/run/{name}"] if name != "\udcff" else [],
        )
        texts.append(unit.unit_text(made))
    assert verified(texts, tmp_path, system=system) == (0, "")


def test_systemd_would_complain(tmp_path: Path) -> None:
    absent = unit.Unit("mountnd-0.service", "x", [f"{tmp_path}/absent"], [f"{tmp_path}/absent"], False, "", [])
    code, said = verified([unit.unit_text(absent)], tmp_path, system=False)
    assert code != 0 and "absent is not executable" in said
    strange = re.sub("^ExecStart=.*$", "ExecStart=/bin/it's", unit.unit_text(absent), flags=re.MULTILINE)
    code, said = verified([strange], tmp_path, system=False)
    assert code != 0 and "Unbalanced quoting" in said


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_runs_a_program_with_any_name(tmp_path: Path, name: str) -> None:
    program = tmp_path / f"x{name}y"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    program.chmod(0o755)
    argv = parsed(unit.command([str(program), name, "--foreground"]))
    done = subprocess.run(argv, capture_output=True, check=True, timeout=20)
    assert os.fsdecode(done.stdout) == f"{name}|--foreground|"


def test_options_are_those_of_the_call(tmp_path: Path) -> None:
    options = ["--ttl", "60", "-o", "allow_other,memory=1G", "--cache-dir", "cache", "--no-probe", "-vv"]
    answer = call(["systemd", "openneuro", str(tmp_path / "my brains"), *options, "--file-mode", "0600"],
                  {"MOUNTND_TIMEOUT": "30", "MOUNTND_TTL": "99", "AWS_PROFILE": "lab"})  # fmt: skip
    assert answer.code == 0, answer.err
    (start,) = re.findall("^ExecStart=(.*)$", answer.out, re.MULTILINE)
    (stop,) = re.findall("^ExecStop=-(.*)$", answer.out, re.MULTILINE)
    words = parsed(start)
    assert words[1:4] == ["mount", "openneuro", str(tmp_path / "my brains")]
    assert words[-1] == "--foreground" and words.count("--verbose") == 2
    given_ = dict(itertools.pairwise(words))
    assert given_["--ttl"] == "60" and given_["--timeout"] == "30" and given_["--memory"] == "1G"
    assert given_["--cache-dir"] == os.path.abspath("cache") and given_["--file-mode"] == "0600"
    assert {"--allow-other", "--no-probe"} <= set(words)
    assert parsed(stop)[1:] == ["umount", str(tmp_path / "my brains")]
    assert "Set here, and not in the unit: " in answer.err and "AWS_PROFILE" in answer.err
    assert answer.config is None, "nothing is mounted"
    for line in (
        "Type=notify",
        "Wants=network-online.target",
        "After=network-online.target",
        "WantedBy=default.target",
    ):
        assert f"\n{line}\n" in answer.out + "\n"
    assert "User=" not in answer.out


def test_a_unit_of_the_machine() -> None:
    answer = call(["systemd", "--system", "s3://lab-data/bids", "/mnt/lab"])
    assert answer.code == 0, answer.err
    assert "WantedBy=multi-user.target" in answer.out
    assert "# Save it as /etc/systemd/system/mountnd-lab.service" in answer.out
    assert ("User=" in answer.out) == (os.getuid() != 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the mountpoint is missing"),
        (["no-such-source", "/mnt/x"], "no-such-source"),
        (["https://me:secret@example.org/x/", "/mnt/x"], "would hold a secret"),
        (["openneuro", "/mnt/x", "--ttl", "soon"], "--ttl"),
        (["openneuro", "/dev/fd/3"], "needs no unit"),
    ],
)
def test_mistakes(words: list[str], said: str) -> None:
    answer = call(["systemd", *words])
    assert answer.code == 2
    assert said in answer.err and answer.err.count("\n") == 1
    assert answer.out == "" and "secret@" not in answer.err
