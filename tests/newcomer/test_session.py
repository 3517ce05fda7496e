"""A wrong command is noticed, and README's are those that are typed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.newcomer.__main__ import SECTION
from tests.newcomer.session import Step, commands, play
from tests.promises.blocks import blocks

README = (Path(__file__).parents[2] / "README.md").read_text()


def played(*typed: str) -> list[Step]:
    with subprocess.Popen(
        ["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as shell:
        steps = list(play(shell, typed))
        assert shell.stdin is not None
        shell.stdin.close()
        shell.wait(20)
    return steps


def test_one_shell_runs_all_until_one_is_wrong() -> None:
    steps = played("cd /usr", "pwd", "echo no end of line | tr -d '\\n'", "ls /absent", "echo never")
    assert [(step.code, step.right) for step in steps] == [(0, True), (0, True), (0, True), (2, False)]
    assert steps[1].output == "/usr\n" and "No such file" in steps[3].output


def test_what_it_says_counts_too() -> None:
    assert [step.right for step in played("mountnd() { echo nothing; }", "mountnd stats DIR")] == [True, False]


def test_a_shell_that_ends_is_wrong() -> None:
    assert [(step.code, step.right) for step in played("exit 0", "pwd")] == [(None, False)]


def test_the_first_steps_are_those_of_readme() -> None:
    typed = list(commands(block for block in blocks(README) if block.section == SECTION))
    assert typed[:3] == ["make setup", ". .venv/bin/activate", "mountnd ~/openneuro"]
    assert typed[-1] == "mountnd umount ~/openneuro"
    assert not any("#" in command for command in typed)
