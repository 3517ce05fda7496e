"""Every option from every layer, and which layer wins: flag > -o > environment > file > preset > default."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mountnd.config import option_types, parsers, presets, resolve
from mountnd.config.addresses import Address
from mountnd.config.layers import Layer, ResolvedOption, resolve_option
from mountnd.config.option_types import Kind, Option, RawValue
from mountnd.config.options import BY_NAME, OPTIONS, MountConfig, SourceConfig
from mountnd.config.presets import SETTINGS, Preset
from tests.unit.cli.calls import call

# For each kind of option: texts as they are written in a flag, and what they mean.
POOLS: dict[Kind, list[tuple[str, Any]]] = {
    option_types.SIZE: [
        ("0", 0),
        ("1K", 1024),
        ("2GiB", 2 << 30),
        ("5MB", 5_000_000),
        ("1.5M", 3 << 19),
        ("7t", 7 << 40),
    ],
    option_types.MEMORY: [("8M", 8 << 20), ("512MiB", 512 << 20), ("1G", 1 << 30), ("16777216", 16 << 20)],
    option_types.TTL: [("0", 0.0), ("300", 300.0), ("0.5", 0.5), ("indefinite", math.inf), ("86400", 86400.0)],
    option_types.SECONDS: [("60", 60.0), ("0.25", 0.25), ("5", 5.0), ("3600", 3600.0)],
    option_types.SHARED_MODE: [("0660", 0o660), ("640", 0o640), ("0o600", 0o600), ("0664", 0o664)],
    option_types.MODE: [("0444", 0o444), ("400", 0o400), ("0o755", 0o755), ("0000", 0)],
    option_types.ID: [("0", 0), ("1000", 1000), ("65534", 65534)],
    option_types.VIEW: [("nii", "nii"), (" nii ", "nii")],
    option_types.NAME: [("a", "a"), ("eu-west-1", "eu-west-1"), ("lab", "lab"), ("x_y", "x_y")],
    option_types.URL: [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("https://s3.example.org/", "https://s3.example.org"),
        ("https://h/p/", "https://h/p"),
    ],
    option_types.URLS: [
        ("http://node1:8090", ("http://node1:8090",)),
        ("HTTPS://Node2:443/", ("https://node2",)),
        ("none", ()),
    ],
    option_types.ADDRESS: [
        ("9464", Address("127.0.0.1", 9464)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("[::1]:80", Address("::1", 80)),
    ],
    option_types.DIR: [("/a/b", Path("/a/b")), ("/c", Path("/c")), ("/c/../d", Path("/d"))],
    option_types.SWITCH: [("true", True), ("false", False), ("1", True), ("no", False)],
    option_types.COUNT: [("0", 0), ("1", 1), ("2", 2)],
}
PROFILES = [text for text, _ in POOLS[option_types.NAME]]
LAYERS = ("flag", "dash_o", "environment", "mount", "source", "defaults", "preset")
IN_MOUNTS = [option for option in OPTIONS if option.scope != "call"]


def pool(option: Option, files: list[Path]) -> list[tuple[str, Any]]:
    if option.kind is option_types.FILE:
        return [(str(path), path) for path in files]
    return POOLS[option.kind]


def layers_of(option: Option) -> list[str]:
    """The layers that this option can come from."""
    left_out = set()
    if option.scope == "mount":
        left_out = {"source", "preset"}
    elif option.name not in SETTINGS:
        left_out = {"preset"}
    return [layer for layer in LAYERS if layer not in left_out]


def in_toml(option: Option, text: str) -> str:
    """The value as TOML would have it: numbers and booleans bare, the rest quoted."""
    meant = option.kind.parse(text, Path("/"))
    if isinstance(meant, bool):
        return "true" if meant else "false"
    if (
        option.kind not in (option_types.MODE, option_types.SHARED_MODE)
        and isinstance(meant, (int, float))
        and math.isfinite(meant)
    ):
        return str(meant)
    return json.dumps(text)


class Case:
    """One mount with one option set in some layers; `got` is what it came to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = [directory / name for name in ("one.html", "two.html", "three.html")]  # a report's ending counts
        for path in self.files:
            path.touch()

    def got(self, option: Option, texts: dict[str, str]) -> Any:
        links = option.name == "urls"
        place = self.directory / "place"
        tables = {"defaults": [], "mount": ['source = "thing"'], "source": ['preset = "testset"']}
        for layer, lines in tables.items():
            if layer in texts:
                lines.append(f"{option.name} = {in_toml(option, texts[layer])}")
        file = self.directory / "config.toml"
        heads = {"defaults": "[defaults]", "mount": f'[mounts."{place}"]', "source": "[sources.thing]"}
        file.write_text("\n".join("\n".join([heads[layer], *lines]) for layer, lines in tables.items()))
        argv = ["--config", str(file), str(place)]
        if links and not texts:
            argv += ["--urls", str(self.files[0])]  # such a source cannot be without
        argv += self._typed(option, texts)
        env = {option.variable: texts["environment"]} if "environment" in texts else {}
        preset = Preset(
            name="testset",
            title="for this test",
            url="" if links else "s3://bucket/prefix",
            settings={option.name: texts["preset"]} if "preset" in texts else {},
        )
        with (
            mock.patch.object(presets, "load_all", return_value={"testset": preset}),
            mock.patch.object(resolve, "aws_profiles", return_value=PROFILES),
        ):
            answer = call(argv, env)
        assert answer.code == 0, answer.err
        assert answer.config is not None
        holder: Any = answer.config if option.scope == "mount" else answer.config.sources[0]
        return getattr(holder, option.name)

    def _typed(self, option: Option, texts: dict[str, str]) -> list[str]:
        argv = []
        if "dash_o" in texts:
            argv += ["-o", f"{option.name.replace('_', '-')}={texts['dash_o']}"]
        if "flag" in texts:
            if option.kind is option_types.SWITCH:
                on = texts["flag"] in ("true", "1")
                argv.append(option.flag if on else f"--no-{option.flag[2:]}")
            elif option.kind is option_types.COUNT:
                argv += [option.short] * int(texts["flag"])
            else:
                argv += [option.flag, texts["flag"]]
        return argv


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    return Case(tmp_path_factory.mktemp("case"))


@pytest.mark.parametrize("option", IN_MOUNTS, ids=lambda option: option.name)
def test_each_layer_alone(case: Case, option: Option) -> None:
    for layer in layers_of(option):
        for text, meant in pool(option, case.files):
            if layer == "flag" and option.kind is option_types.COUNT and text == "0":
                continue  # not given at all
            assert case.got(option, {layer: text}) == meant, layer


@pytest.mark.parametrize("option", [o for o in IN_MOUNTS if o.name != "urls"], ids=lambda option: option.name)
def test_without_any_layer_the_default_stands(case: Case, option: Option) -> None:
    got = case.got(option, {})
    known = {"uid": os.getuid(), "gid": os.getgid()}
    if option.name == "cache_dir":
        assert got.name == "mountnd"
    else:
        assert got == known.get(option.name, option.default_value())


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_strongest_layer_that_holds_the_option_wins(case: Case, data: st.DataObject) -> None:
    option = data.draw(st.sampled_from(IN_MOUNTS))
    values = pool(option, case.files)
    chosen = {
        layer: data.draw(st.sampled_from(values))
        for layer in layers_of(option)
        if data.draw(st.booleans(), label=layer)
    }
    if option.kind is option_types.COUNT and chosen.get("flag", ("1",))[0] == "0":
        del chosen["flag"]
    got = case.got(option, {layer: text for layer, (text, _) in chosen.items()})
    if chosen:
        assert got == next(chosen[layer][1] for layer in LAYERS if layer in chosen)


@given(
    present=st.lists(st.none() | st.sampled_from([text for text, _ in POOLS[option_types.TTL]]), max_size=6),
)
def test_a_resolved_option_names_the_origin_of_the_winner(present: list[str | None]) -> None:
    option = BY_NAME["ttl"]
    layers = {
        Layer(number): {} if text is None else {"ttl": RawValue(text, f"layer {number}", Path("/"))}
        for number, text in enumerate(present)
    }
    got = resolve_option(option, layers)
    first = next((number for number, text in enumerate(present) if text is not None), None)
    if first is None:
        assert got == ResolvedOption(option, 300.0, "default", Layer.TABLE_DEFAULT)
    else:
        assert (got.value, got.origin, got.layer) == (parsers.ttl(present[first]), f"layer {first}", first)


def test_a_weaker_layer_that_is_wrong_does_no_harm_but_a_config_file_is_checked_whole(case: Case) -> None:
    place = str(case.directory / "p")
    assert call(["s3://bucket", place, "--ttl", "5"], {"MOUNTND_TTL": "soon"}).code == 0
    file = case.directory / "wrong.toml"
    file.write_text('[sources.other]\nurl = "s3://b"\nttl = "soon"\n')
    answer = call(["s3://bucket", place, "--ttl", "5", "--config", str(file)])
    assert (answer.code, answer.config) == (2, None)
    assert str(file) in answer.err
    assert "[sources.other] ttl: 'soon' is not a number of seconds" in answer.err


def test_the_dataclasses_and_the_table_agree() -> None:
    import dataclasses

    for scope, kind in (("source", SourceConfig), ("mount", MountConfig)):
        fields = {field.name: field for field in dataclasses.fields(kind)}
        named = {option.name for option in OPTIONS if option.scope == scope}
        not_options = {"name", "url", "preset", "one_object", "snapshot", "lockfile", "below", "mountpoint", "sources"}
        assert named == set(fields) - not_options
        for option in OPTIONS:
            if option.scope == scope and fields[option.name].default is not dataclasses.MISSING:
                assert fields[option.name].default == option.default, option.name
            if option.default is not None:
                assert option.kind.parse(option.default_text, Path("/")) == option.default, option.name
