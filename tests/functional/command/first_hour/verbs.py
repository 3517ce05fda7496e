"""Verbs that everybody looks for, and words that are taken for verbs."""

from __future__ import annotations

from .row import Row


def _meant(word: str, *says: str) -> Row:
    """A word that is no verb: the answer names one, and does not speak of sources alone."""
    return Row(word, 2, ("did you mean", *says), never=("is not a source", "mountpoint is missing"))


ROWS = [
    # words that are no verbs
    _meant("log", "`mountnd logs`"),
    _meant("log -f", "`mountnd logs`"),
    _meant("list", "`mountnd ls`", "`mountnd presets`"),
    _meant("find", "`mountnd presets WORDS`"),
    _meant("find openneuro", "`mountnd presets WORDS`"),
    _meant("status", "`mountnd ls`", "`mountnd stats DIR`"),
    _meant("status --json", "`mountnd ls`"),
    _meant("version", "`mountnd --version`"),
    _meant("search eeg", "`mountnd presets WORDS`"),
    _meant("stop {mnt}", "`mountnd umount DIR`"),
    _meant("clear --all", "`mountnd cache clear`"),
    _meant("umout {mnt}", "`mountnd umount`"),
    _meant("Stats {mnt}", "`mountnd stats`"),
    _meant("mont openneuro {mnt}", "`mountnd mount`"),
    _meant("preset", "`mountnd presets`"),
    _meant("docter openneuro", "`mountnd doctor`"),
    _meant("completions bash", "`mountnd completion`"),
    # looking
    Row("ls --help", 0, ("Usage: mountnd ls",), 20),
    Row("ls nothing", 2, ("mountnd ls --help",)),
    Row("stats {tmp}", 1, ("{tmp} is not a mount of yours",)),
    Row("stats {tmp} --json", 1, ("{tmp} is not a mount of yours",)),
    Row("refresh {tmp}", 1, ("is not inside a mountnd mount",)),
    Row("logs {mnt}", 1, ("{mnt} has no log", "mountnd ls")),
    Row("logs {tmp}/data -n many", 2, ("mountnd logs --help",)),
    # ending
    Row("unmount {tmp}/data", 1, ("{tmp}/data is not mounted",)),
    Row("umount -l {tmp}/data", 1, ("{tmp}/data is not mounted",)),
    Row("umount {tmp}/data {mnt}", 1, ("{tmp}/data is not mounted", "{mnt} is not mounted")),
    Row("umount", 2, ("mountnd umount DIR", "mountnd umount --all")),
    Row("unmount --all {mnt}", 2, ("mountnd umount --all",)),
    # the manual
    Row("help", 0, ("troubleshooting", "commands", "mountnd help PAGE"), 20),
    Row("help configuration", 0, ("Configuration", "--endpoint-url"), 300, never=("<!--", "…")),
    Row("help names", 0, ("How keys become names",), 200, never=("<!--", "test_", ".md")),
    Row("help semantics", 0, ("What a program may rely on",), 900, never=("<!--", "::test_", "…")),
    Row("help commands", 0, ("130", "by_reason"), 120, never=("…",)),
    Row("help umount", 0, ("Usage: mountnd umount",), 25),
    Row("help unmount", 0, ("--lazy",), 25),
    Row("help trubleshooting", 2, ("did you mean troubleshooting", "mountnd help")),
    # sources
    Row("presets", 0, ("43 datasets", "openneuro"), 60),
    Row("presets eeg", 0, ("openneuro", "eegdash", "of 43 datasets"), 12, never=("abide",)),
    Row("presets mouse EM", 0, ("microns", "1 of 43"), 8, never=("allen-mouse",)),
    Row("presets human fmri", 0, ("abide",), 12, never=("nmdatasets",)),
    Row("presets openneuro --json", 0, ('"modality"', '"access": "public"'), 60),
    Row("presets no-such-thing-at-all", 2, ("no such preset", "`mountnd presets` lists them")),
    Row("config openneuro", 0, ("Source openneuro", "s3://openneuro.org", "preset openneuro"), 40, never=("Mount ",)),
    Row("config s3://bucket/prefix", 0, ("Source prefix", "s3://bucket/prefix"), 40),
    Row("config openneuro --json", 0, ('"from": "preset openneuro"',), 120),
    Row("config opennuero", 2, ("did you mean openneuro",)),
    Row("doctor --json --cache-dir {tmp}/cache", 0, ('"findings"', '"level": "ok"'), 90),
    Row("cache --json --cache-dir {tmp}/cache", 0, ('"objects": []',), 10),
    Row("cache verify --json --cache-dir {tmp}/cache", 0, ('"bad_blocks": 0',), 10),
    Row("cache clear --json --cache-dir {tmp}/cache", 0, ('"freed": 0',), 10),
    # the shell
    Row("completion bash", 0, ("complete ", "_MOUNTND_COMPLETE=bash_complete"), 60),
    Row("completion zsh", 0, ("#compdef mountnd", "_MOUNTND_COMPLETE=zsh_complete"), 60),
    Row("completion fish", 0, ("_MOUNTND_COMPLETE=fish_complete",), 60),
    Row("completion tcsh", 2, ("bash", "zsh", "fish")),
    Row("completion", 2, ("mountnd completion --help",)),
    Row("-q presets abide", 0, ("ABIDE I",), 20),
]
