"""What help/internals.md promises: a verb, an option, a preset, a store, a view, a policy: each is a file and a line.

Each test takes a copy of the product, adds exactly that, and uses it through the command line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USE = """from pathlib import Path
from mountnd.assembly import build
from mountnd.config.options import MountConfig, SourceConfig
source = SourceConfig(name="s", url=f"file://{Path('data').absolute()}")
mount = build(MountConfig(mountpoint=Path("/nowhere"), sources=(source,), cache_size=0))
"""


class Copy:
    """A copy of the product that can be added to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.copytree(ROOT / "mountnd", directory / "mountnd", ignore=shutil.ignore_patterns("__pycache__"))

    def add_file(self, path: str, text: str) -> None:
        file = self.directory / "mountnd" / path
        assert not file.exists()
        file.write_text(text)

    def add_line(self, path: str, line: str, *, after: str) -> None:
        """Insert `line` behind the only line of a file that begins with `after`."""
        file = self.directory / "mountnd" / path
        lines = file.read_text().splitlines()
        (at,) = [number for number, old in enumerate(lines) if old.startswith(after)]
        file.write_text("\n".join([*lines[: at + 1], line, *lines[at + 1 :], ""]))

    def replace_line(self, path: str, old: str, new: str) -> None:
        """Put `new` in place of the only line that is `old`."""
        file = self.directory / "mountnd" / path
        text = file.read_text()
        assert text.count(f"\n{old}\n") == 1
        file.write_text(text.replace(f"\n{old}\n", f"\n{new}\n"))

    def run(self, *argv: str, **env: str) -> str:
        """What `mountnd ARGV` prints. It must succeed."""
        environ = {**os.environ, "PYTHONPATH": str(self.directory), "COLUMNS": "120", **env}
        done = subprocess.run(
            [sys.executable, "-m", "mountnd", *argv],
            cwd=self.directory, env=environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def use(self, code: str) -> str:
        """What Python `code` prints; `mount` in it is a mount of the directory `data`, and is closed at its end."""
        done = subprocess.run(
            [sys.executable, "-c", f"{USE}try:\n{textwrap.indent(code, '    ')}finally:\n    mount.close()\n"],
            cwd=self.directory, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_a_verb_is_a_module_and_a_line(copy: Copy) -> None:
    copy.add_file(
        "cli/verbs/greet.py",
        "import click\n\n\n@click.command()\n@click.argument('name')\ndef greet(name):\n"
        "    '''Greet NAME.'''\n    click.echo(f'Hello {name}')\n",
    )
    copy.add_line("cli/verbs/__init__.py", '    "greet": "say hello",', after="VERBS: ")
    assert copy.run("greet", "Ada") == "Hello Ada\n"
    assert ["greet", "say", "hello"] in rows(copy.run("--help"))
    assert "Greet NAME." in copy.run("greet", "--help")


def test_an_option_is_a_line(copy: Copy, tmp_path: Path) -> None:
    line = '    colour: str = option(NAME, "colour of the tree", "grey", "grey")'
    copy.add_line("config/options.py", line, after="    dir_mode: int")
    file = tmp_path / "config.toml"
    file.write_text('[defaults]\ncolour = "blue"\n')
    mount = ("config", "openneuro", str(tmp_path / "m"))
    assert ["colour", "grey", "default"] in rows(copy.run(*mount))
    assert ["colour", "blue", str(file), "[defaults]"] in rows(copy.run(*mount, "--config", str(file), COLUMNS="400"))
    assert ["colour", "red", "MOUNTND_COLOUR"] in rows(copy.run(*mount, MOUNTND_COLOUR="red"))
    assert ["colour", "red", "-o", "colour"] in rows(copy.run(*mount, "-o", "colour=red"))
    assert ["colour", "red", "--colour"] in rows(copy.run(*mount, "--colour", "red"))
    assert ["--colour", "NAME", "colour", "of", "the", "tree", "[grey]"] in rows(copy.run("mount", "--help"))


def test_a_preset_is_a_file(copy: Copy, tmp_path: Path) -> None:
    copy.add_file(
        "config/presets/toy-brains.toml",
        'title = "Brains of toys"\nurl = "s3://toy-brains"\nregion = "eu-west-1"\nanonymous = true\nttl = 7\n',
    )
    assert ["toy-brains", "Brains", "of", "toys", "public"] in rows(copy.run("presets"))
    shown = rows(copy.run("config", str(tmp_path / "toy-brains")))
    assert ["url", "s3://toy-brains", "preset", "toy-brains"] in shown
    assert ["ttl", "7", "preset", "toy-brains"] in shown


def test_a_store_is_a_module_and_a_line(copy: Copy, tmp_path: Path) -> None:
    copy.add_file(
        "stores/toy.py",
        "from .memory import MemoryStore\n\n\nclass ToyStore(MemoryStore):\n    def __init__(self, url):\n"
        "        super().__init__({'a/b.txt': b'hello', 'a/..': b'hidden'}, url=url)\n",
    )
    copy.add_line("sources.py", "from .stores.toy import ToyStore", after="from .stores.retry import ")
    copy.add_line("sources.py", '    "toy": lambda source: ToyStore(source.url),', after="STORES: ")
    assert ["url", "toy://box", "given"] in rows(copy.run("config", "toy://box", str(tmp_path / "m")))
    code = (
        "from mountnd.cli.diagnose_source import diagnose_source, hidden_keys\n"
        "from mountnd.config.resolve import read_inputs, resolve_source\n"
        "from mountnd.cli.flags import store_schemes\n"
        "source = resolve_source('toy://box', read_inputs({}, store_schemes=store_schemes))\n"
        "for finding in diagnose_source(source.config, None, 5): print(finding.level, finding.what)\n"
        "print(hidden_keys(source.config, '', 5)[0][0][0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert "ok toy://box can be listed" in done.stdout, done.stderr
    assert "a/.." in done.stdout


def test_a_view_is_a_module_and_a_line(copy: Copy) -> None:
    """Here one that shows every object under a name with `.seen` behind it, to all callers of the assembly."""
    copy.add_file(
        "stores/seen.py",
        """from .common import WrappingStore


class SeenView(WrappingStore):
    def __init__(self, store, source):
        super().__init__(store)
        self.once = self

    def list_page(self, prefix, *, deadline, **rest):
        page = self._store.list_page(prefix, deadline=deadline, **rest)
        return page._replace(objects=[self._shown(stat) for stat in page.objects])

    def head(self, key, *, deadline):
        return self._shown(self._store.head(key.removesuffix(".seen"), deadline=deadline))

    def read(self, id, start, views, *, deadline):
        self._store.read(id._replace(key=id.key.removesuffix(".seen")), start, views, deadline=deadline)

    def _shown(self, stat):
        return stat._replace(id=stat.id._replace(key=stat.id.key + ".seen"))
""",
    )
    copy.add_line("sources.py", "from .stores.seen import SeenView", after="from .stores.retry import ")
    copy.add_line("sources.py", "    SeenView,", after="VIEWS: ")
    (copy.directory / "data").mkdir()
    (copy.directory / "data" / "a.txt").write_bytes(b"hello")
    code = "fh, _ = mount.vfs.open(mount.vfs.resolve(b'/a.txt.seen'))\nprint(mount.vfs.read(fh, 100, 0).decode())\n"
    assert copy.use(code) == "hello\n"


def test_a_readahead_policy_across_files_is_a_module_and_a_line(copy: Copy) -> None:
    """Here one that is plain: whoever opens a file gets the next one of its directory prefetched."""
    copy.add_file(
        "vfs/prefetch/next_file.py",
        """from .policy import Decision, Prediction


class NextFile:
    counter = "test.files"

    def __init__(self, known):
        self._known = known

    def opened(self, path, size):
        near = self._known.neighbours(path, 1)
        after = [file.name for file in near.files if file.places > 0] if near else []
        return Decision([Prediction((*path[:-1], name)) for name in after])

    def closed(self, path, size, stop):
        pass
""",
    )
    copy.add_line("vfs/prefetch/prefetcher.py", "from .next_file import NextFile", after="from .policy import ")
    copy.add_line("vfs/prefetch/prefetcher.py", "POLICIES = (*POLICIES, NextFile)", after="POLICIES: ")
    (copy.directory / "data").mkdir()
    for name in ("one", "two", "three"):
        (copy.directory / "data" / name).write_bytes(b"x")
    code = (
        "dh = mount.vfs.opendir(mount.vfs.root)\n"
        "print(len(list(mount.vfs.readdir(dh, 0))))\n"
        "mount.vfs.open(mount.vfs.resolve(b'/one'))\n"
        "print(mount.stats.snapshot().get('test.files'))\n"
    )
    assert copy.use(code) == "5\n1\n"


def test_a_readahead_policy_inside_a_file_is_a_module_and_a_line(copy: Copy) -> None:
    """Here one that fetches the whole file at the first read of it."""
    copy.add_file(
        "blocks/readahead/whole_file.py",
        """from ..geometry import Extent
from .base import Pattern


class WholeFile:
    def __init__(self, size):
        self._size = size

    def on_open(self, expected, trip):
        pass

    def on_miss(self, offset, size):
        return Extent(0, self._size)

    def on_read(self, offset, size, share):
        return []

    def on_cancel(self):
        pass

    def pattern(self):
        return Pattern("in order")
""",
    )
    copy.add_line(
        "assembly.py", "from .blocks.readahead.whole_file import WholeFile", after="from .blocks.readahead.window "
    )
    copy.replace_line("assembly.py", "        readahead=WindowPolicy,", "        readahead=WholeFile,")
    (copy.directory / "data").mkdir()
    (copy.directory / "data" / "file").write_bytes(bytes(3 << 20))
    code = (
        "fh, _ = mount.vfs.open(mount.vfs.resolve(b'/file'))\n"
        "for at in range(0, 3 << 20, 1 << 18): mount.vfs.read(fh, 1, at)\n"
        "print(mount.stats.snapshot()['bytes.fetched'])\n"
        "told = mount.vfs.explain([b'file']).facts\n"
        "print(told['open'][0]['pattern'], told['next_read']['memory'])\n"
    )
    assert copy.use(code) == f"{3 << 20}\nin order {128 << 10}\n"
