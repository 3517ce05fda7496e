"""A cache directory that somebody else made, filled or aimed elsewhere: nothing of his is shown, nothing of a victim's
is touched. Foreign things in a cache of our own: absent, and nothing waits for them. Through real mounts."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mountnd.blocks.disk.chunk_file import ChunkFile
from mountnd.blocks.geometry import block_size
from mountnd.catalog.cache.disk import ListingDiskCache
from mountnd.catalog.model.keys import classify
from mountnd.catalog.model.listing import listing_of
from mountnd.stores.base import ObjectId, ObjectStat
from tests.support import cli, strangers, tree
from tests.support.cli import daemon_record, run_mountnd

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give files to another user"),
]

OBJECTS = {f"sub-0{i}/bold.nii": tree.content(f"strangers {i}", 300_000 + i) for i in range(3)}
NAMES = sorted({"sub-00", "sub-01", "sub-02", *OBJECTS})


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    tree.Bucket(server, "strangers").put_all(OBJECTS)
    options = ["--endpoint-url", server, "--region", "us-east-1", "--anonymous", "--ttl", "indefinite"]
    return ["s3://strangers", *options]


@pytest.fixture
def place() -> Iterator[Path]:
    with strangers.shared_place() as place:
        yield place


@pytest.fixture(scope="module")
def filled(source: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache as a mount leaves it."""
    top = tmp_path_factory.mktemp("filled").resolve()
    with cli.mountpoint(top / "mnt") as where:
        Mounted(source, where, top / "cache").check()
    assert len(chunks(top / "cache")) == len(OBJECTS)
    return top / "cache"


@pytest.fixture
def cache(filled: Path, place: Path) -> Path:
    """A copy of it, in a place where all may make something."""
    return Path(shutil.copytree(filled, place / "cache"))


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


class Mounted:
    """What a mount said and showed, from its begin to its end."""

    def __init__(self, source: list[str], where: Path, cache: Path, *options: str) -> None:
        done = run_mountnd(*source, where, "--cache-dir", cache, *options)
        assert done.returncode == 0, done.stderr
        self.said = done.stderr
        self.names = sorted(str(path.relative_to(where)) for path in where.rglob("*"))
        self.bodies = {key: (where / key).read_bytes() for key in OBJECTS if key in self.names}
        log = Path(daemon_record(where).log)
        done = run_mountnd("umount", where)
        assert done.returncode == 0, done.stderr
        self.log = log.read_text()

    def check(self) -> None:
        """The tree is the bucket's."""
        assert self.names == NAMES
        assert self.bodies == OBJECTS
        assert "Traceback" not in self.log

    def lines_about(self, path: Path) -> list[str]:
        return [line for line in self.log.splitlines() if str(path) in line and "WARNING" in line]


def chunks(cache: Path) -> list[Path]:
    return [path for path in cache.glob("blocks/*/*") if path.is_file()]


def poison(cache: Path) -> None:
    """What an adversary writes into a cache: other bytes with the checksums that belong to them, and other names.

    These at the top, which a mount lists anew, and below it, where it need not.
    """
    for path in chunks(cache):
        file = ChunkFile.open(str(path), write=True)
        size = file.identity.size
        lies = [memoryview(b"\xee" * block_size(i, size)) for i in range(*file.identity.span)]
        file.write(file.identity.span, lies)
    (said,) = cache.glob("names/*/source")
    kept = ListingDiskCache(cache / "names", said.read_text(), clock=time.monotonic, wall=time.time)
    assert kept.get("") is not None
    for directory in ("", "sub-00/"):
        stat = ObjectStat(ObjectId(said.read_text(), f"{directory}lies.nii", '"e"', "", 1), 1, 7, "STANDARD")
        kept.add(directory, listing_of(classify(directory, [stat], []), time.monotonic()))
    kept.close()


def names_of(cache: Path) -> Path:
    (path,) = cache.glob("names/*/")
    return path


OF_ANOTHER: dict[str, Callable[[Path], list[Path]]] = {
    "the cache directory": lambda cache: [cache],
    "blocks and names": lambda cache: [cache / "blocks", cache / "names"],
    "directories below them": lambda cache: [*cache.glob("blocks/??"), names_of(cache)],
    "the files": lambda cache: [*chunks(cache), *cache.glob("names/*/*.names")],
}


@pytest.mark.parametrize(
    ("what", "way"),
    [
        ("the cache directory", "his"),
        ("the cache directory", "writable"),
        ("blocks and names", "his and all below"),
        ("blocks and names", "writable"),
        ("directories below them", "his"),
        ("the files", "his"),
        ("the files", "writable"),
    ],
)
def test_what_another_user_could_have_put_there_is_not_shown(
    source: list[str], where: Path, place: Path, cache: Path, what: str, way: str
) -> None:
    poison(cache)
    bad = OF_ANOTHER[what](cache)
    assert bad
    for path in bad:
        if way == "writable":
            path.chmod(0o777 if path.is_dir() else 0o666)
        elif way == "his":
            os.chown(path, strangers.UID, strangers.UID)
        else:
            strangers.give(path)
    seen = strangers.picture(place)
    mounted = Mounted(source, where, cache)
    mounted.check()
    if what == "the cache directory":
        assert len(mounted.lines_about(place)) == 1, mounted.log
        assert f"{cache} is not used as a cache: " in mounted.said
        assert strangers.picture(place) == seen
        done = run_mountnd("doctor", env={"MOUNTND_CACHE_DIR": str(cache)})
        assert done.returncode == 1 and "put false data there" in " ".join(done.stdout.split())
    elif what == "blocks and names":
        assert len(mounted.lines_about(place)) == 2, mounted.log
        assert strangers.picture(place) == seen
    if what in ("the cache directory", "blocks and names"):
        for verb in ("ls", "verify", "clear"):
            done = run_mountnd("cache", verb, "--cache-dir", cache)
            assert done.returncode == 1
            assert done.stderr.startswith(f"mountnd: {bad[0]} is not used as a cache, and left alone: ")
            assert done.stderr.count("\n") == 1
        assert strangers.picture(place) == seen


def test_what_the_tests_above_plant_would_be_shown_were_it_ours(source: list[str], where: Path, cache: Path) -> None:
    poison(cache)
    mounted = Mounted(source, where, cache)
    assert mounted.names == sorted({*NAMES, "sub-00/lies.nii"} - {"sub-00/bold.nii"})
    assert set(mounted.bodies["sub-01/bold.nii"]) == {0xEE}


def test_roots_cache_is_used_by_a_user_who_may_read_it(cache: Path) -> None:
    for path in (cache, *cache.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (path,) = [path for path in chunks(cache) if ChunkFile.open(str(path)).identity.id.key == "sub-01/bold.nii"]

    def read() -> str:
        """As the user: through the disk tier that his mount would have."""
        from mountnd.blocks.disk.place import CacheDirectory

        file = ChunkFile.open(str(path.relative_to(cache / "blocks")), within=CacheDirectory(cache / "blocks"))
        buffer = memoryview(bytearray(file.identity.size))
        good, bad = file.read(file.identity.span, file.views(file.identity.span, buffer))
        return f"{len(good)} {len(bad)} {bytes(buffer) == OBJECTS['sub-01/bold.nii']}"

    assert strangers.as_stranger(read) == f"{-(-300_001 // (64 << 10))} 0 True"


@pytest.fixture
def victim(place: Path) -> Path:
    """Files of root's, some by names that a cache might have."""
    path = place / "victim"
    (path / "ab").mkdir(parents=True)
    (path / "ab" / ("0" * 30)).write_bytes(b"precious" * 1000)
    (path / "ab" / "thesis.docx").write_bytes(b"years of work" * 1000)
    (path / "ab" / ("0" * 30 + ".1-00000000.new")).write_bytes(b"old")
    os.utime(path / "ab" / ("0" * 30 + ".1-00000000.new"), (1, 1))
    (path / "00000000000000000001-12345678.names").write_bytes(b"named so")
    (path / "source").write_bytes(b"what root wrote")
    path.chmod(0o755)
    return path


LINKS: dict[str, Callable[[Path, Path], list[tuple[Path, Path]]]] = {
    "the cache directory": lambda cache, victim: [(cache, victim)],
    "blocks": lambda cache, victim: [(cache / "blocks", victim)],
    "names": lambda cache, victim: [(cache / "names", victim)],
    "a directory of blocks": lambda cache, victim: (
        [(path, victim / "ab") for path in cache.glob("blocks/??")] + [(cache / "blocks/ab", victim / "ab")]
    ),
    "the directory of a source": lambda cache, victim: [(names_of(cache), victim)],
    "files": lambda cache, victim: (
        [(path, victim / "ab" / ("0" * 30)) for path in chunks(cache)]
        + [(path, victim / "source") for path in cache.glob("names/*/*")]
        + [(names_of(cache) / "server.json", victim / "source")]
    ),
}


@pytest.mark.parametrize(("what", "dir_owner"), [*((what, 0) for what in LINKS), ("blocks", strangers.UID)])
def test_links_lead_nowhere(
    source: list[str], where: Path, cache: Path, victim: Path, what: str, dir_owner: int
) -> None:
    """Planted in a directory of a stranger's, or earlier in one that is ours now; with eviction, `clear`, `verify`."""
    for link, target in LINKS[what](cache, victim):
        if link.is_dir():
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        strangers.give(link)
    if dir_owner and not cache.is_symlink():
        strangers.give(cache)
    seen = strangers.picture(victim)
    mounted = Mounted(source, where, cache, "--cache-size", "400k")
    mounted.check()
    assert strangers.picture(victim) == seen
    for verb in ("verify", "clear"):
        assert run_mountnd("cache", verb, "--cache-dir", cache).returncode in (0, 1)
        assert strangers.picture(victim) == seen, verb


def test_only_files_of_our_own_making_are_removed(cache: Path, place: Path) -> None:
    """What a person keeps in a cache directory of his own stays there, and a second name of a file its content."""
    folder = chunks(cache)[0].parent
    mine = [cache / "blocks/ab/notes", cache / "blocks/README", folder / "thesis.docx", folder / "x.new", cache / "x"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
        os.utime(path, (1, 1))
    os.link(chunks(cache)[0], place / "backup")
    backup = (place / "backup").read_bytes()
    assert run_mountnd("cache", "verify", "--cache-dir", cache).returncode == 0
    assert run_mountnd("cache", "clear", "--cache-dir", cache).returncode == 0
    assert all(path.read_bytes() == b"mine" for path in mine)
    assert (place / "backup").read_bytes() == backup
    assert {path for path in cache.glob("blocks/*/*") if path.is_file()} == set(mine[:1] + mine[2:4])


@pytest.mark.parametrize("kind", ["fifo", "socket", "directory", "link"])
def test_nothing_waits_for_what_is_no_file(source: list[str], where: Path, cache: Path, kind: str) -> None:
    """In the place of every file of a cache and of the run directory at once."""
    planted = list(dict.fromkeys([*chunks(cache), *cache.glob("names/*/*"), names_of(cache) / "server.json"]))
    for path in planted:
        strangers.plant_special(path, kind)
    mounted = Mounted(source, where, cache)
    mounted.check()
    assert 1 <= len(mounted.lines_about(cache)) <= 4, mounted.log
    for verb in ("ls", "verify"):
        assert run_mountnd("cache", verb, "--cache-dir", cache).returncode == 0
    if kind != "directory":
        assert len(chunks(cache)) == len(OBJECTS)  # written anew in their place
    Mounted(source, where, cache).check()


def test_a_flip_in_a_footer_refuses_no_mount(source: list[str], where: Path, cache: Path) -> None:
    """The bytes that were fatal: each length's highest one, and the magic."""
    (path,) = cache.glob("names/*/*.names")
    whole = path.read_bytes()
    for back in (21, 17, 13, 1):  # of start, records, JSON's length, magic
        at = len(whole) - back
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])
        mounted = Mounted(source, where, cache)
        mounted.check()
        assert len(mounted.lines_about(path)) == 1
        path.write_bytes(whole)


@pytest.mark.parametrize("kind", ["fifo", "socket", "link"])
def test_a_run_directory_with_foreign_things(
    source: list[str], where: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(0o700)
    monkeypatch.setenv("MOUNTND_RUN_DIR", str(runtime / "mountnd"))
    Mounted(source, where, tmp_path / "cache").check()
    stem = next(path.stem for path in (runtime / "mountnd").glob("*.log"))
    for name in (f"{stem}.json", f"{stem}.log", "other-12345678.json", "other-12345678.log", f"{stem[-8:]}.sock"):
        strangers.plant_special(runtime / "mountnd" / name, kind)
    Mounted(source, where, tmp_path / "cache").check()
    assert run_mountnd("doctor").returncode in (0, 1)
    assert run_mountnd("umount", where).returncode == 1


@pytest.mark.parametrize("kind", [kind for kind in strangers.KINDS if kind != "loop"])
@pytest.mark.parametrize("way", ["--config", "found"])
def test_a_config_file_that_is_none(tmp_path: Path, kind: str, way: str) -> None:
    path = tmp_path / "mountnd" / "config.toml"
    path.parent.mkdir()
    strangers.plant_special(path, kind)
    if way == "--config":
        done = run_mountnd("config", "--config", path)
    else:
        done = run_mountnd("config", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert done.returncode == 2
    assert done.stderr.startswith(f"mountnd: {path}: cannot read the config file: ")
    assert done.stderr.count("\n") == 1
    assert "a named pipe, not a regular file" in done.stderr or kind not in ("fifo", "link")


def test_no_config_file_by_its_usual_name() -> None:
    done = run_mountnd("config", "--config", "/dev/null")
    assert (done.returncode, done.stderr) == (0, "")
