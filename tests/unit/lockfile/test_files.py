"""What is written is read back, whatever keys look like; what was damaged or edited is told with its line."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mountnd.errors import ConfigError, MountndError, UsageError
from mountnd.lockfile import reading, writing
from mountnd.lockfile.header import Header
from mountnd.lockfile.record import UNKNOWN_MTIME_NS, Locked
from mountnd.lockfile.table import Cursor, Table
from mountnd.private_directory import PrivatePath
from mountnd.stores import facts

HEADER = Header(source="s3://bkt/ds", root="ds/", name="ds", anonymous=True, created="2026-01-01T00:00:00Z")
ODD = (
    "a\tb", "a\nb", "#first", "%25", "-", "\udcff\udc80", "/leading", "trailing/", "a//b", "../up", "é", "\u202eabc",
    "", " ", "a b ", "a\rb", "=", "\u2028", "---", "\x00nul", "\x7f", "a" * 1024,
)  # fmt: skip


def record(path: str, **changes: object) -> Locked:
    one = Locked(path, f"ds/{path}", "v1", 5, '"0cc175b9c0f1b6a831c399e269772661"', 1_700_000_000 * 10**9)
    return one._replace(**changes)


def in_order(records: list[Locked]) -> list[Locked]:
    return sorted(records, key=lambda one: one.path.encode("utf-8", "surrogateescape"))


paths = st.text(
    st.characters(codec="utf-8", exclude_characters="") | st.sampled_from([chr(0xDC80 + n) for n in range(128)]),
    max_size=40,
).filter(lambda text: text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") == text)
tokens = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
records = st.builds(
    Locked,
    path=paths,
    key=paths,
    version=tokens,
    size=st.integers(0, 2**63 - 1),
    etag=tokens,
    mtime_ns=st.integers(0, facts.SECONDS_END - 1).map(lambda s: s * 10**9) | st.integers(0, 10**18),
    digest=st.just("") | st.sampled_from(["md5:0cc175b9c0f1b6a831c399e269772661", "git-sha1:abc", "sha256:AA=="]),
)


@given(st.lists(records, unique_by=lambda one: one.path, max_size=30))
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, many: list[Locked]) -> None:
    path = tmp_path_factory.mktemp("lock") / "data.lock"
    assert writing.write(path, HEADER, many) == (len(many), sum(one.size for one in many))
    header, found = reading.read(path)
    assert header == HEADER
    assert list(found) == in_order(many)


@pytest.mark.parametrize("name", ["data.lock", "data.lock.gz"])
def test_odd_keys_stay_what_they_are_and_hurt_no_terminal(tmp_path: Path, name: str) -> None:
    many = [record(path) for path in ODD]
    path = tmp_path / name
    writing.write(path, HEADER, reversed(many))
    assert list(reading.read(path)[1]) == in_order(many)
    data = path.read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    assert text.count("\n") == text.count("\n---\n") + len(many) + text[: text.index("\n---\n")].count("\n") + 3
    assert all(line.replace("\t", "").isprintable() for line in text.splitlines())


def test_the_same_objects_make_the_same_bytes_in_whatever_order(tmp_path: Path) -> None:
    many = [record(f"sub-{n:02d}/x") for n in range(50)]
    for name in ("a.lock", "b.lock", "a.lock.gz", "b.lock.gz"):
        writing.write(tmp_path / name, HEADER, many if name[0] == "a" else reversed(many))
    assert (tmp_path / "a.lock").read_bytes() == (tmp_path / "b.lock").read_bytes()
    assert (tmp_path / "a.lock.gz").read_bytes() == (tmp_path / "b.lock.gz").read_bytes()


def test_diff_shows_a_line_for_each_object_that_changed(tmp_path: Path) -> None:
    many = [record(f"sub-{n:02d}/x") for n in range(50)]
    writing.write(tmp_path / "a.lock", HEADER, many)
    writing.write(tmp_path / "b.lock", HEADER, [*many[:7], many[7]._replace(version="v2"), *many[8:]])
    done = subprocess.run(
        ["diff", tmp_path / "a.lock", tmp_path / "b.lock"], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stdout.splitlines() if line[0] in "<>"] == [
        '< sub-07/x\t5\t2023-11-14T22:13:20Z\t"0cc175b9c0f1b6a831c399e269772661"\tv1',
        '> sub-07/x\t5\t2023-11-14T22:13:20Z\t"0cc175b9c0f1b6a831c399e269772661"\tv2',
    ]


def test_a_table_finds_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    many = in_order([record(f"sub-{n // 40:03d}/run-{n:05d}{odd}") for n in range(3000) for odd in ("", "\t%")])
    for name, place in (("a.lock", None), ("b.lock.gz", PrivatePath(tmp_path / "cache"))):
        writing.write(tmp_path / name, HEADER, many)
        table = Table.load(tmp_path / name, place)
        (tmp_path / name).write_text("overwritten meanwhile")
        assert (table.objects, table.moved, table.pages > 10) == (len(many), False, True)
        for one in many[::97]:
            path = one.path.encode()
            assert table.find(path) == one
            assert table.find(path + b"\0") is None
        cursor = Cursor(table)
        assert cursor.seek(b"sub-07") == b"sub-070/run-02800"
        assert (cursor.step(), cursor.record()) == (b"sub-070/run-02800\t%", many[5601])
        assert cursor.seek(b"sub-1") is None
    assert os.listdir(tmp_path / "cache") == []


def test_an_empty_lockfile_is_one(tmp_path: Path) -> None:
    writing.write(tmp_path / "data.lock", HEADER, [])
    assert list(reading.read(tmp_path / "data.lock")[1]) == []
    table = Table.load(tmp_path / "data.lock")
    assert (table.find(b""), Cursor(table).seek(b"")) == (None, None)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "data.lock"
    writing.write(path, HEADER, [record("a")])
    before = path.read_bytes()
    with pytest.raises(UsageError, match="--force"):
        writing.write(path, HEADER, [record("b")])
    with pytest.raises(MountndError, match="'a' is there twice"):
        writing.write(path, HEADER, [record("a"), record("b"), record("a")], overwrite=True)
    with pytest.raises(MountndError, match="-1 is not the size"):
        writing.write(path, HEADER, [record("a", size=-1)], overwrite=True)

    def interrupted() -> list[Locked]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writing.write(path, HEADER, (one for _ in "x" for one in interrupted()), overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["data.lock"]
    with pytest.raises(MountndError, match="cannot be written"):
        writing.write(tmp_path / "none" / "data.lock", HEADER, [])


def lines(tmp_path: Path) -> tuple[Path, list[str]]:
    path = tmp_path / "data.lock"
    writing.write(path, HEADER, [record(name) for name in ("a", "b", "c")])
    return path, path.read_text().splitlines(keepends=True)


def damage(tmp_path: Path, number: int, new: str) -> str:
    """What is said of a lockfile whose line `number` (from 1) is another one."""
    path, text = lines(tmp_path)
    text[number - 1] = new
    path.write_text("".join(text), errors="surrogateescape", newline="")
    with pytest.raises(ConfigError) as error:
        Table.load(path)
    told = str(error.value)
    assert "\n" not in told
    assert told.startswith(str(path))
    return told.removeprefix(str(path))


# Lines 1 to 8 are the header, 9 is ---, 10 names the columns, 11 to 13 are objects, 14 counts them.
@pytest.mark.parametrize(
    ("number", "new", "told"),
    [
        (1, "# something else\n", "not a lockfile of mountnd"),
        (2, "format = 2\n", "update it"),
        (2, "format = \n", ", line 2: the header is not TOML"),
        (3, "source = 5\n", ", line 3: source must be a text in quotes"),
        (3, "\n", "does not name its source"),
        (3, 'sourec = "s3://x"\n', ", line 3: 'sourec' is nothing a lockfile says"),
        (4, 'root = "ds"\n', ", line 4: root must end in /"),
        (7, 'origin = "nowhere"\n', "origin is one of"),
        (9, "\n", "before the line ---"),
        (10, "path\tsize\n", ", line 10: the columns must be"),
        (11, "a\n", ", line 11: 1 columns"),
        (11, "b\t5\t-\t-\tv\n", ", line 12: a second line for one path"),
        (12, "a0\tfive\t-\t-\tv\n", ", line 12: size 'five' is not a number of bytes"),
        (12, f"b\t{2**63}\t-\t-\tv\n", ", line 12: size '9223372036854775808' is not a number of bytes"),
        (12, "b\t9999999999999999999\t-\t-\tv\n", ", line 12: size"),
        (12, "b\t5\t2024-13-01T00:00:00Z\t-\tv\n", ", line 12: mtime"),
        (12, "b\t5\t-\t\tv\n", ", line 12: etag '' is not"),
        (12, "b\t5\t-\t-\tv\tmd4\n", ", line 12: digest 'md4' is not"),
        (12, "b\t5\t-\t-\tv\t-\tk\tmore\n", ", line 12: 8 columns"),
        (12, "b%zz\t5\t-\t-\tv\n", ", line 12: path 'b%zz' is not"),
        (12, "b\x1b[2J\t5\t-\t-\tv\n", ", line 12: path"),
        (12, "b\udcff\t5\t-\t-\tv\n", ", line 12: not UTF-8"),
        (12, "b\t5\t-\t-\tv\r\n", ", line 12: the line ends as on Windows"),
        (12, "# a remark\n", ", line 12: 1 columns"),
        (13, "B\t5\t-\t-\tv\n", ", line 13: paths must be in the order"),
        (13, "", ", line 13: it counts 3 objects, but 2 are there"),
        (14, "", ", line 14: cut off"),
        (14, "# 3 objec", ", line 14: only the last line"),
        (14, "# 3 objects\nd\t5\t-\t-\tv\n", ", line 14: only the last line"),
    ],
)
def test_what_was_damaged_or_edited_is_told_with_its_line(tmp_path: Path, number: int, new: str, told: str) -> None:
    assert told in damage(tmp_path, number, new)


def test_a_hand_may_leave_out_lines_and_the_last_newline(tmp_path: Path) -> None:
    path, text = lines(tmp_path)
    path.write_text("".join([*text[:11], text[12], "# 2 objects"]))
    assert [one.path for one in reading.read(path)[1]] == ["a", "c"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "2262-04-12T00:00:00Z", "9999-12-31T23:59:59.999999999Z"])
def test_a_time_that_no_mount_can_show_is_not_known(tmp_path: Path, time: str) -> None:
    """It would make its whole directory unreadable."""
    path, text = lines(tmp_path)
    path.write_text("".join([*text[:10], f"a\t5\t{time}\t-\tv\n", *text[11:]]))
    first = next(reading.read(path)[1])
    assert (first.path, first.mtime_ns) == ("a", UNKNOWN_MTIME_NS)


def test_every_way_to_cut_a_file_off_is_noticed(tmp_path: Path) -> None:
    path, text = lines(tmp_path)
    whole, zipped = "".join(text).encode(), gzip.compress("".join(text).encode())
    for data in (whole, zipped):
        for size in range(len(data) - 1):  # the last byte of the text is its newline
            path.write_bytes(data[:size])
            with pytest.raises(ConfigError) as error:
                Table.load(path)
            assert str(path) in str(error.value)


def test_what_inflates_to_nothing_but_a_long_line_is_not_read_to_its_end(tmp_path: Path) -> None:
    path, text = lines(tmp_path)
    with gzip.open(path, "wb", 1) as file:
        file.write("".join(text[:10]).encode())
        for _ in range(200):
            file.write(b"a" * (1 << 20))
    with pytest.raises(ConfigError, match="line 11: longer than any line"):
        Table.load(path)


def test_no_regular_file_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.lock")
    for path in (tmp_path / "data.lock", tmp_path, tmp_path / "none"):
        with pytest.raises(ConfigError):
            reading.read(path)
        assert not reading.is_lockfile(path)


def test_a_time_that_is_not_known_is_the_stores_own() -> None:
    assert UNKNOWN_MTIME_NS == facts.UNKNOWN_MTIME_NS
