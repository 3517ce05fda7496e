"""Options by name are those of the table, and reach the command as they were meant."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mountnd.api import keywords
from mountnd.cli.verbs.mount import mount as command
from mountnd.config.options import OPTIONS
from mountnd.config.resolve import resolve_mount
from mountnd.errors import UsageError


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("memory", 64 << 20, 64 << 20), ("memory", "64M", 64 << 20), ("cache_size", 0, 0), ("timeout", 7.5, 7.5),
        ("ttl", math.inf, math.inf), ("ttl", "indefinite", math.inf), ("ttl", 0, 0), ("anonymous", True, True),
        ("anonymous", False, False), ("probe", False, False), ("file_mode", 0o440, 0o440), ("dir_mode", "0550", 0o550),
        ("cache_dir", Path("/tmp/x"), Path("/tmp/x")), ("verbose", 2, 2), ("verbose", True, 1), ("uid", 0, 0),
        ("path_style", True, True), ("endpoint_url", "http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("log_file", "/tmp/log", Path("/tmp/log")), ("debug", True, True), ("memory", None, None),
    ],
)  # fmt: skip
def test_a_value_of_python(name: str, value: object, meant: Any) -> None:
    """And its flag means the same to the command."""
    inputs = keywords.read({name: value}, mounts=True)
    flags = keywords.flags(inputs.typed)
    if value is None:
        assert not inputs.typed and not flags
        return
    resolved = resolve_mount(["s3://bucket", "/nowhere"], inputs)
    options = {**resolved.sources[0].options, **resolved.options}
    assert options[name].value == meant
    parsed = command.make_context("mount", [*flags, "--", "s3://bucket", "/nowhere"]).params
    again = keywords.read({name: parsed[name]}, mounts=True)
    resolved = resolve_mount(["s3://bucket", "/nowhere"], again)
    assert {**resolved.sources[0].options, **resolved.options}[name].value == meant


def test_each_option_is_taken_or_refused_by_name() -> None:
    for option in OPTIONS:
        if option.name == "foreground":
            continue
        taken = option.scope == "source" or option.name in (*keywords.READING, "config")
        if taken and option.name != "config":
            keywords._raw(option.name, "1", Path("/"), mounts=False)
        elif not taken:
            with pytest.raises(UsageError, match="only a mount takes it"):
                keywords.read({option.name: "1"}, mounts=False)


@pytest.mark.parametrize("options", [{"memmory": 1}, {"ttl": [1]}, {"file_mode": 0o7777}, {"cache_dir": 3}])
def test_what_is_wrong_names_the_option(options: dict[str, object]) -> None:
    with pytest.raises(UsageError) as raised:
        resolve_mount(["s3://bucket", "/nowhere"], keywords.read(options, mounts=True))
    assert str(raised.value).startswith(next(iter(options)))
