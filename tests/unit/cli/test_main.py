"""The command line as a person meets it: verbs, exit codes, help, and one line for every error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mountnd.cli import main as cli_main
from mountnd.cli.main import VerbGroup, cli, describe, one_line
from mountnd.cli.mount_helper import mountnd_arguments
from mountnd.cli.options_page import CONFIGURATION_PAGE, with_table
from mountnd.cli.verbs import VERBS
from mountnd.config.options import OPTIONS
from mountnd.errors import ConfigError, Forbidden, MountError, UsageError
from tests.unit.cli.calls import call

ROOT = Path(__file__).parents[3]
MOUNT_FUSE = Path("/sbin/mount.fuse3")


Done = subprocess.CompletedProcess[str]


def process(*argv: str | Path, env: dict[str, str] | None = None) -> Done:
    """Any program, with mountnd on its Python path."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, env=environ)


def run(*argv: str, env: dict[str, str] | None = None) -> Done:
    """`python -m mountnd ARGV` in a process of its own."""
    return process(sys.executable, "-m", "mountnd", *argv, env=env)


# exit codes, by the runner and by real processes

WRONG = [
    (("--tll", "4", "/mnt/openneuro"), "--tll"),
    (("/mnt/openneuro", "--ttl", "soon"), "--ttl: 'soon' is not a number of seconds"),
    (("/mnt/openneuro", "--memory", "lots"), "--memory: 'lots' is not a size"),
    (("/mnt/openneuro", "--file-mode", "999"), "--file-mode: '999' is not an octal mode"),
    (("/mnt/openneuro", "-o", "rw,tll=4"), "-o tll: unknown option: did you mean ttl?"),
    (("openneuo", "/mnt/x"), "did you mean openneuro"),
    (("openneuro",), "`mountnd ./openneuro`"),
    (("openneuro", "/mnt/x", "--profile", "lab"), "always read unsigned"),
    (("fastmri", "/mnt/x"), "https://fastmri.med.nyu.edu/"),
    (("/mnt/nothing-like-it",), "no source or preset is called nothing-like-it"),
    (("presets", "openneuo"), "openneuo: no such preset: did you mean openneuro"),
    (("config", "openneuo", "/x"), "did you mean openneuro"),
    (("mount",), "the mountpoint is missing"),
    (("--ttl",), "--ttl"),
    (("/mnt/x", "--config", "/nowhere/config.toml"), "/nowhere/config.toml: cannot read the config file"),
]


@pytest.mark.parametrize(("argv", "says"), WRONG)
def test_invalid_arguments_exit_2_with_one_line(argv: tuple[str, ...], says: str) -> None:
    answer = call(argv)
    assert (answer.code, answer.out, answer.config) == (2, "", None)
    assert answer.err.startswith("mountnd: ")
    assert answer.err.count("\n") == 1
    assert says in answer.err


@pytest.mark.parametrize(("argv", "says"), WRONG[::3])
def test_the_same_in_a_real_process(argv: tuple[str, ...], says: str) -> None:
    done = run(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mountnd: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_bad_toml_exits_2_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[defaults]\nttl = 3\nmemory = \n")
    done = run("/mnt/openneuro", env={"MOUNTND_CONFIG": str(path)})
    assert done.returncode == 2
    assert done.stderr.startswith(f"mountnd: {path}: bad TOML: ")
    assert "line 3" in done.stderr


def test_an_invalid_variable_exits_2() -> None:
    done = run("/mnt/openneuro", env={"MOUNTND_TIMEOUT": "never"})
    assert (done.returncode, done.stderr.startswith("mountnd: MOUNTND_TIMEOUT: 'never' is not")) == (2, True)


def test_what_fails_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def failing() -> None:
        raise MountError("the network is down")

    monkeypatch.setattr(VerbGroup, "get_command", lambda self, ctx, name: failing)
    answer = call(["mount"])
    assert (answer.code, answer.err) == (1, "mountnd: the network is down\n")


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (UsageError("x"), "x", 2),
        (ConfigError("x"), "x", 2),
        (MountError("x"), "x", 1),
        (Forbidden("x", code="AccessDenied"), "x", 1),
        (MountError(), "MountError", 1),
        (click.NoSuchOption("--x"), "No such option", 2),
        (click.ClickException("x"), "x", 1),
        (KeyboardInterrupt(), "", 130),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied", 1),
        (OSError(28, "No space left on device"), "No space left on device", 1),
        (KeyError("x"), "internal error: KeyError: 'x' (--debug shows where)", 1),
    ],
)
def test_errors_become_lines_and_codes(error: BaseException, message: str, code: int) -> None:
    said, got = describe(error)
    assert said.startswith(message)
    assert (bool(said), got) == (bool(message), code)


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    assert one_line("a\n  b\r\nc\x1b[31m\t\udcff é") == "a b c\\x1b[31m\\t\\udcff é"


def test_a_traceback_only_with_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    for argv, env in ((["openneuro"], {}), (["--debug", "openneuro"], {}), (["openneuro"], {"MOUNTND_DEBUG": "1"})):
        done = run(*argv, env=env)
        assert done.returncode == 2
        assert ("Traceback" in done.stderr) == (len(argv) == 2 or bool(env))
        assert done.stderr.splitlines()[-1].startswith("mountnd: openneuro is a preset")


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = f"{sys.executable} -m mountnd presets | true; exit ${{PIPESTATUS[0]}}"
    done = process("bash", "-c", script, env={"PYTHONUNBUFFERED": "1"})
    assert done.stderr == ""


# verbs


@pytest.mark.parametrize(
    "argv",
    [
        ["openneuro", "MNT", "--ttl", "7"],
        ["--ttl", "7", "openneuro", "MNT"],
        ["openneuro", "--ttl=7", "MNT"],
        ["mount", "openneuro", "MNT", "--ttl", "7"],
        ["--ttl", "7", "mount", "openneuro", "MNT"],
        ["--ttl", "7", "-o", "rw,nodev", "-fv", "openneuro", "MNT"],
        ["-fo", "ttl=7", "openneuro", "MNT"],
        ["openneuro", "MNT", "-o", "rw,ttl=7,x-systemd.automount"],
        ["--ttl", "7", "--", "openneuro", "MNT"],
    ],
)
def test_options_may_stand_anywhere(argv: list[str], tmp_path: Path) -> None:
    answer = call([arg.replace("MNT", str(tmp_path / "m")) for arg in argv])
    assert answer.code == 0, answer.err
    assert answer.config is not None
    assert (answer.config.mountpoint, answer.config.sources[0].ttl) == (tmp_path / "m", 7)
    assert answer.config.sources[0].url == "s3://openneuro.org"


def test_a_verb_goes_before_a_directory_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "presets").mkdir()
    answer = call(["presets"])
    assert answer.config is None
    assert "openneuro" in answer.out
    file = tmp_path / "config.toml"
    file.write_text(f'[mounts."{tmp_path}/presets"]\nsource = "openneuro"\n')
    for word in ("./presets", f"{tmp_path}/presets"):
        answer = call([word, "--config", str(file)])
        assert answer.config is not None
        assert answer.config.mountpoint == tmp_path / "presets"
    answer = call(["--config", str(file), "--", "presets"])
    assert answer.config is not None, answer.err


def test_an_option_of_another_verb_may_stand_before_it() -> None:
    group = cli
    assert isinstance(group, VerbGroup)
    assert group.first_word(["--lazy", "umount", "DIR"]) == 1
    assert group.first_word(["--urls", "umount", "doctor"]) == 2
    assert group.first_word(["--urls=x", "doctor"]) == 1
    assert group.first_word(["-o", "a=b", "-vv", "-f", "doctor"]) == 4
    assert group.first_word(["--help"]) is None


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_fits_80_columns_and_takes_debug(verb: str) -> None:
    answer = call([verb, "--help"])
    assert answer.code == 0
    assert f"mountnd {verb}" in answer.out
    assert "debug" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    assert call(["--help", verb]).out == answer.out
    assert call([verb, "-h"]).out == answer.out


def test_help_of_the_whole() -> None:
    answer = call(["--help"])
    assert answer.code == 0
    for verb, line in VERBS.items():
        assert f"  {verb} " in answer.out
        assert line in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    nothing = call([])
    assert (nothing.code, nothing.out, nothing.err) == (2, "", answer.out)


def test_mount_help_tells_of_every_option() -> None:
    answer = call(["mount", "--help"])
    for option in OPTIONS:
        assert f"--{option.flag[2:]}" in answer.out or f"--[no-]{option.flag[2:]}" in answer.out


def test_version() -> None:
    from mountnd import __version__

    answer = call(["--version"])
    assert (answer.code, answer.out) == (0, f"mountnd {__version__}\n")


def test_help_is_quick_because_it_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom mountnd.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n"
        "    heavy = {'s3fs', 'fsspec', 'botocore', 'aiobotocore', 'nibabel', 'numpy', 'rich', 'moto',\n"
        "             'mfusepy', 'asyncio'}\n"
        "    print('LOADED', sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    for argv in (["--help"], ["mount", "--help"], ["openneuro"], ["/mnt/nothing-like-it"]):
        done = process(sys.executable, "-c", code, *argv)
        assert "LOADED []" in done.stderr, (argv, done.stderr)


def test_the_help_page_holds_the_table_of_options() -> None:
    page = CONFIGURATION_PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), "run: python -m mountnd.cli.options_page"
    assert all(option.variable in page for option in OPTIONS)


# called by mount(8)


@pytest.mark.parametrize(
    ("args", "becomes"),
    [
        (["lab", "/mnt", "-o", "rw,ttl=4"], ["mount", "lab", "/mnt", "-o", "rw,ttl=4"]),
        (["lab", "/mnt", "-sn", "-o", "rw"], ["mount", "lab", "/mnt", "-o", "rw"]),
        (["lab", "/mnt", "-v", "-t", "fuse.mountnd", "-N", "ns"], ["mount", "lab", "/mnt", "-v"]),
        (["lab", "/mnt", "-f", "-o", "rw"], ["--version"]),
    ],
)
def test_the_letters_of_a_mount_helper(args: list[str], becomes: list[str]) -> None:
    assert mountnd_arguments(args) == becomes


def test_as_a_mount_helper_f_does_not_mean_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def record(args: list[str]) -> None:
        seen.append(args)
        raise SystemExit(0)

    monkeypatch.setattr(cli_main.cli, "main", record)
    for program in ("/sbin/mount.fuse.mountnd", "/usr/bin/mountnd"):
        monkeypatch.setattr(sys, "argv", [program, "lab", "/mnt", "-f"])
        with pytest.raises(SystemExit):
            cli_main.main()
    assert seen == [["--version"], ["lab", "/mnt", "-f"]]


@pytest.mark.skipif(not MOUNT_FUSE.exists(), reason="fuse3 is not installed")
def test_what_mount_fuse3_hands_over_is_understood(tmp_path: Path) -> None:
    """mount(8) runs this helper for an fstab line of type fuse.mountnd; here `config` shows what would be mounted."""
    stand_in = tmp_path / "mountnd"
    stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} -m mountnd config "$@"\n')
    stand_in.chmod(0o755)
    options = "rw,noauto,user,_netdev,nofail,x-systemd.automount,ttl=7,cache-dir=/c,allow_other"
    done = process(
        MOUNT_FUSE,
        "s3://bucket/a b",
        str(tmp_path / "m"),
        *("-o", options, "-t", "fuse.mountnd"),
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    for row in (
        ["url", "s3://bucket/a", "b", "given"],
        ["ttl", "7", "-o", "ttl"],
        ["cache_dir", "/c", "-o", "cache-dir"],
    ):
        assert row in rows
    assert ["allow_other", "true", "-o", "allow_other"] in rows


# the shell


def complete(words: str) -> list[str]:
    env = {"_MOUNTND_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = run(env=env)
    assert done.returncode == 0, done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_completion() -> None:
    assert "umount" in complete("mountnd um")
    assert "openneuro" in complete("mountnd openn")
    assert "openneuro" in complete("mountnd mount openn")
    assert "--endpoint-url" in complete("mountnd openneuro /mnt --end")
    assert "openneuro" in complete("mountnd presets openn")


# from a checkout


def test_bin_mountnd_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "checkout" / "bin").mkdir(parents=True)
    script = tmp_path / "checkout" / "bin" / "mountnd"
    script.write_bytes((ROOT / "bin" / "mountnd").read_bytes())
    script.chmod(0o755)
    (tmp_path / "path").mkdir()
    bare = tmp_path / "path" / "python3"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o755)
    done = process(script, "--version", env={"PATH": f"{tmp_path}/path:/usr/bin:/bin"})
    assert done.returncode == 1
    assert done.stderr.startswith(f"mountnd: {bare} lacks cachetools, click, ")
    assert f"make -C {tmp_path}/checkout setup" in done.stderr


def test_bin_mountnd_through_a_link_uses_the_checkouts_python(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "bin").mkdir(parents=True)
    (checkout / "bin" / "mountnd").write_bytes((ROOT / "bin" / "mountnd").read_bytes())
    (checkout / "bin" / "mountnd").chmod(0o755)
    (checkout / "mountnd").symlink_to(ROOT / "mountnd")
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho used-this-one >&2\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    link = tmp_path / "mountnd"
    link.symlink_to(checkout / "bin" / "mountnd")
    done = process(link, "--version", env={"PYTHONPATH": ""})
    assert (done.returncode, done.stderr) == (0, "used-this-one\n")
    assert done.stdout.startswith("mountnd ")
