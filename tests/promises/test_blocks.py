"""Every command in README and the help: typed by a test, read by the product, or known to be neither."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest

from mountnd.cli.main import cli
from mountnd.cli.mount_helper import mountnd_arguments
from mountnd.cli.verbs import VERBS
from tests.promises.blocks import Block, blocks, inline_commands
from tests.promises.nodes import TESTS
from tests.promises.statements import pages

PAGES = dict(pages(TESTS.parent))
BLOCKS = [(page, block) for page, text in PAGES.items() for block in blocks(text)]
PARSED = [pytest.param(block, id=f"{page}:{block.line}") for page, block in BLOCKS if block.mark == "parsed"]
INLINE = sorted({command for text in PAGES.values() for command in inline_commands(text)})
# Blocks that nobody types and nothing reads, by their first words, and why.
UNRUN = {
    ("README.md", "make setup"): "builds an environment; `make newcomer` types it",
    ("README.md", "make demo"): "builds an environment; `make newcomer` types it",
    ("mountnd/help/programs.md", "export SUBJECTS_DIR=~/subjects"): "needs FreeSurfer, FSL and AFNI",
    ("mountnd/help/programs.md", "apptainer run"): "needs containers of some gigabytes",
    ("mountnd/help/batch.md", "mountnd exec"): "needs Apptainer, and a container of some gigabytes",
    ("mountnd/help/batch.md", "apptainer exec"): "needs Apptainer, and a container of some gigabytes",
    ("mountnd/help/batch.md", "docker build"): "needs a container engine, and images",
    ("mountnd/help/kubernetes.md", "mountnd help"): "needs a Kubernetes",
    ("mountnd/help/kubernetes.md", "docker build"): "needs a container engine, and images",
    ("mountnd/help/cluster.md", "# on"): "needs the network, and three machines",
    ("mountnd/help/cluster.md", "mkdir /lustre/lab/mountnd"): "needs a group, and a file system of several nodes",
    ("mountnd/help/performance.md", "make bench"): "takes hours, and wants peers that packages do not have",
}
# No commands, but pictures.
PICTURES = ("mermaid",)


def test_every_block_has_a_mark() -> None:
    kinds = r"run|run in order(, fails)?|printed|saved as \S+|parsed|no promise|tests: .*|not run: .+"
    bare = [f"{page}:{b.line}" for page, b in BLOCKS if b.language not in PICTURES and not re.fullmatch(kinds, b.mark)]
    assert not bare


def test_what_is_not_run_is_known() -> None:
    found = {}
    for page, block in BLOCKS:
        if block.mark.startswith("not run: "):
            words = " ".join(block.text.split()[:2])
            found[page, words] = block.mark.removeprefix("not run: ")
    assert found == UNRUN


def _read(argv: list[str]) -> None:
    """Have the command line read these words of a command, short of doing it. Raises click.UsageError."""
    at = cli.first_word(argv)
    verb = argv[at] if at is not None and argv[at] in VERBS else "mount"
    rest = [word for index, word in enumerate(argv) if index != at or word != verb]
    group = click.Context(cli, **cli.context_settings)  # which verbs take the names of --help from, and keep
    command = cli.get_command(group, verb)
    assert command is not None
    if rest != ["--version"]:
        with suppress(click.exceptions.Exit):  # --help ends there
            command.make_context(verb, rest, parent=group)


def _config(*argv: str) -> None:
    """What `mountnd config ARGV` finds wrong, it raises."""
    cli.main(["config", *argv], standalone_mode=False)


def _commands(block: Block) -> Iterator[list[str]]:
    for line in block.text.splitlines():
        if words := shlex.split(line, comments=True):
            yield words


@pytest.mark.parametrize("block", PARSED)
def test_what_is_to_be_read_is_read(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands by the command line, a config file and each of its sources and mounts by `config`, and fstab's lines."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fastmri-links.txt").write_text("https://example.org/a.h5?sig=1\n")
    (tmp_path / "aws").write_text("[profile lab]\n")  # whose profiles are named must have them
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    if block.language == "toml":
        file = tmp_path / "config.toml"
        file.write_text(block.text)
        tables = tomllib.loads(block.text)
        for source in tables.get("sources", {}):
            _config(source, "/mnt/x", "--config", str(file))
        for mountpoint in tables.get("mounts", {}):
            _config(mountpoint, "--config", str(file))
        assert tables
    elif block.language == "sh":
        for words in _commands(block):
            assert words[0] == "mountnd", words
            _read(words[1:])
    else:
        for words in _commands(block):
            source, mountpoint, kind, options, dump, check = words
            assert (kind, dump, check) == ("fuse.mountnd", "0", "0")
            verb, *rest = mountnd_arguments([source, mountpoint, "-o", f"rw,{options}", "-t", kind])
            assert verb == "mount"
            _config(*rest)


@pytest.mark.parametrize("command", INLINE)
def test_a_command_in_a_sentence_is_one(command: str) -> None:
    words = shlex.split(command.replace("[", "").replace("]", ""))
    assert words[0] == "mountnd"
    _read(words[1:])


def test_what_make_is_asked_for_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (TESTS.parent / "Makefile").read_text(), re.MULTILINE))
    asked = {name for text in PAGES.values() for name in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)}
    assert {"setup", "demo", "newcomer"} <= asked <= targets


def test_links_lead_to_files_that_are_there() -> None:
    for page, text in PAGES.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            assert ":" in link or ((TESTS.parent / page).parent / link.partition("#")[0]).exists(), (page, link)


@pytest.mark.parametrize(
    "wrong", ["umount --absent DIR", "~/openneuro --tll 5", "cache polish", "openneuro DIR --urls"]
)
def test_what_the_command_line_does_not_know_is_found(wrong: str) -> None:
    with pytest.raises(click.UsageError):
        _read(shlex.split(wrong))


def test_blocks_of_every_kind() -> None:
    page = "# One\n\n```sh\n# no heading\nls\n```\n<!-- not run: is\nslow -->\n\n"
    page += "## Two\n- item\n\n```\nx\n```\nText `mountnd a\nb`.\n"
    first, second = blocks(page)
    assert first == Block(3, "One", "sh", "# no heading\nls\n", "not run: is slow")
    assert second == Block(13, "Two", "", "x\n", "")
    assert list(inline_commands(page)) == ["mountnd a b"]
