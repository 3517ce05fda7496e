"""Who is mounted where: records, their claiming, and the safety of the directory."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from mountnd.daemon import rundir
from mountnd.errors import MountError
from tests.support import strangers

ME = os.getpid()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "mountnd"
    monkeypatch.setenv(rundir.VARIABLE, str(path))
    return path


def record(mountpoint: str = "/mnt/x", **fields: object) -> rundir.Record:
    started = rundir.started(ME)
    assert started is not None
    made = rundir.Record(
        mountpoint=mountpoint, pid=ME, started=started, since=1.5, sources=(("a", "s3://a"),), made=True, log="/l"
    )
    return replace(made, **fields)


def dead(mountpoint: str = "/mnt/x") -> rundir.Record:
    """As left by a daemon whose pid now belongs to somebody else."""
    return record(mountpoint, started=1)


def test_places_in_order_of_preference():
    assert rundir.candidates({"XDG_RUNTIME_DIR": "/r"}, 7) == [
        Path("/r/mountnd"),
        Path("/run/user/7/mountnd"),
        Path("/tmp/mountnd-7"),
    ]
    assert rundir.candidates({"XDG_RUNTIME_DIR": "/run/user/7"}, 7)[0] == Path("/run/user/7/mountnd")
    assert len(rundir.candidates({"XDG_RUNTIME_DIR": "/run/user/7"}, 7)) == 2


def test_one_variable_takes_the_place_of_all_of_them():
    assert rundir.candidates({"MOUNTND_RUN_DIR": "/x/y", "XDG_RUNTIME_DIR": "/r"}, 7) == [Path("/x/y")]
    assert rundir.candidates({"MOUNTND_RUN_DIR": ""}, 7) == rundir.candidates({}, 7)


@pytest.mark.parametrize(
    ("made", "named", "says"),
    [
        (None, "absent/run", r"the directory above .*/absent/run is missing"),
        (0o755, "here", r"here is not a directory of user \d+ with mode 0700"),
        (None, "../run", r"\.\./run is relative"),
    ],
)
def test_a_named_directory_that_cannot_be_used_is_told_of(monkeypatch, tmp_path, made, named, says):
    """No other place is taken, and its mode is not changed: it may be used for something else, too."""
    if made is not None:
        (tmp_path / named).mkdir()
        (tmp_path / named).chmod(made)
    monkeypatch.setenv(rundir.VARIABLE, named if named.startswith(".") else str(tmp_path / named))
    with pytest.raises(MountError, match=says + r".*MOUNTND_RUN_DIR names it"):
        rundir.run_dir()
    if made is not None:
        assert stat.S_IMODE((tmp_path / named).stat().st_mode) == made


def test_a_named_directory_is_made_where_anybody_may_make_one(monkeypatch, tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch").chmod(0o1777)
    monkeypatch.setenv(rundir.VARIABLE, str(tmp_path / "scratch" / "mine"))
    assert rundir.run_dir() == tmp_path / "scratch" / "mine"
    assert stat.S_IMODE((tmp_path / "scratch" / "mine").stat().st_mode) == 0o700


def test_the_directory_is_closed_to_others_even_under_a_wide_umask(place):
    before = os.umask(0)
    try:
        assert rundir.run_dir() == place
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_runtime_directory_of_somebody_else_is_passed_over(monkeypatch):
    monkeypatch.delenv(rundir.VARIABLE)
    monkeypatch.setattr(rundir.os, "getuid", lambda: 4_000_000_123)
    monkeypatch.setattr(rundir, "candidates", lambda environ, uid: [Path("/usr/mountnd"), Path("/nowhere/mountnd")])
    with pytest.raises(MountError, match="No safe run directory"):
        rundir.run_dir()


def test_a_shared_place_must_be_ours_alone(monkeypatch, tmp_path):
    monkeypatch.delenv(rundir.VARIABLE)
    uid = os.getuid()
    planted = Path(f"/tmp/mountnd-test-{ME}")
    monkeypatch.setattr(rundir, "candidates", lambda environ, uid: [planted])
    planted.mkdir(mode=0o755)
    try:
        planted.chmod(0o755)
        with pytest.raises(MountError, match=f"not a directory of user {uid}"):
            rundir.run_dir()
        planted.chmod(0o700)
        assert rundir.run_dir() == planted
    finally:
        planted.rmdir()
    planted.symlink_to(tmp_path)
    try:
        with pytest.raises(MountError):
            rundir.run_dir()
    finally:
        planted.unlink()


def test_a_record_is_found_as_it_was_written_and_leaves_nothing_else(place):
    written = record("/mnt/with space \udcff")
    path = rundir.claim(written)
    assert rundir.find(Path("/mnt/with space \udcff")) == written
    assert list(place.iterdir()) == [path]
    assert rundir.find(Path("/mnt/other")) is None


def test_names_of_files_differ_where_the_readable_part_does_not():
    assert rundir.stem(Path("/mnt/a-b")) != rundir.stem(Path("/mnt/a b"))
    assert len(rundir.stem(Path("/" + "x" * 4000))) < 255


def test_the_second_daemon_for_a_mountpoint_is_refused(place):
    rundir.claim(record())
    with pytest.raises(MountError, match=f"served already by process {ME}"):
        rundir.claim(record(since=2.0))
    assert len(list(place.iterdir())) == 1


def test_a_dead_daemons_record_is_replaced():
    rundir.claim(dead())
    rundir.claim(record())
    assert rundir.find(Path("/mnt/x")) == record()


def test_a_record_that_cannot_be_read_is_replaced(place):
    rundir.claim(record()).write_text("{")
    assert rundir.records() == []
    rundir.claim(record())
    assert rundir.records() == [record()]


def test_only_its_own_record_is_released():
    rundir.claim(record())
    assert not rundir.release(dead())
    assert rundir.find(Path("/mnt/x")) == record()
    assert rundir.release(record())
    assert not rundir.release(record())


def test_cleaning_takes_dead_records_of_what_is_not_mounted():
    for mountpoint in ("/mnt/gone", "/mnt/stale"):
        rundir.claim(dead(mountpoint))
    rundir.claim(record("/mnt/alive"))
    assert rundir.clean({"/mnt/stale"}, 0.0) == [dead("/mnt/gone")]
    assert {r.mountpoint for r in rundir.records()} == {"/mnt/stale", "/mnt/alive"}


def test_logs_outlive_their_mount_by_a_week(place):
    path = rundir.claim(record())
    logs = [path.with_suffix(".log"), path.with_suffix(".log.1"), place / "other-1.log", place / "other-1.log.1"]
    for log in logs:
        log.write_text("something was wrong\n")
    now = logs[0].stat().st_mtime
    rundir.clean(set(), now + rundir.LOGS_KEPT_S - 60)
    assert all(log.exists() for log in logs)
    rundir.clean(set(), now + rundir.LOGS_KEPT_S + 60)
    assert [log.exists() for log in logs] == [True, True, False, False]


def test_what_no_record_belongs_to_is_removed(place):
    """Empty logs, sockets and unfinished records that a killed daemon has left; not what a living one uses."""
    path = rundir.claim(record())
    own = [path.with_suffix(".log"), path.with_name(f"{path.stem[-8:]}.sock")]
    left = [place / name for name in ("other-87654321.log", "87654321.sock", "tmp87654321.tmp")]
    foreign = [place / name for name in ("notes.txt", "87654321.socket", "my.tmp")]
    for file in (*own, *left, *foreign):
        file.touch()
    now = left[0].stat().st_mtime
    rundir.clean(set(), now + rundir.LEFT_S - 60)  # their daemon may be about to begin
    assert all(file.exists() for file in (*own, *left, *foreign))
    rundir.clean(set(), now + rundir.LEFT_S + 60)
    assert [file for file in (*own, *left, *foreign) if not file.exists()] == left


def test_of_many_logs_the_newest_stay(place):
    rundir.run_dir()
    logs = [place / f"mnt-{at:08x}.log" for at in range(rundir.LOGS_KEPT + 5)]
    for at, log in enumerate(logs):
        log.write_text("something was wrong\n")
        os.utime(log, (1e9 + at, 1e9 + at))
    rundir.clean(set(), 1e9 + 100)
    assert [log.exists() for log in logs] == [False] * 5 + [True] * rundir.LOGS_KEPT


def test_every_place_is_cleaned(two_places):
    for place in two_places:
        place.mkdir(0o700)
        (place / "mnt-87654321.log").write_text("something was wrong\n")
    rundir.clean(set(), 1e12)
    assert [list(place.iterdir()) for place in two_places] == [[], []]


def test_a_zombie_is_not_alive():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert rundir.started(pid) is None
    finally:
        os.waitpid(pid, 0)


@pytest.fixture
def two_places(monkeypatch, tmp_path) -> list[Path]:
    monkeypatch.delenv(rundir.VARIABLE)
    places = [tmp_path / "one" / "mountnd", tmp_path / "two" / "mountnd"]
    for path in places:
        path.parent.mkdir(mode=0o700)
    monkeypatch.setattr(rundir, "candidates", lambda environ, uid: places)
    return places


def test_a_place_that_cannot_be_written_is_passed_over(monkeypatch, two_places):
    real = rundir.tempfile.TemporaryFile

    def full(dir: Path, **rest: object) -> object:
        if dir == two_places[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(dir=dir, **rest)

    monkeypatch.setattr(rundir.tempfile, "TemporaryFile", full)
    assert rundir.run_dir() == two_places[1]
    two_places.pop()
    with pytest.raises(MountError, match=f"{two_places[0]}: No space left on device"):
        rundir.run_dir()


def test_a_living_daemons_record_in_another_place_counts(two_places):
    first = rundir.claim(record())
    assert first.parent == two_places[0]
    two_places.reverse()
    with pytest.raises(MountError, match="served already"):
        rundir.claim(record(since=2.0))


def test_a_record_is_replaced_where_it_is(place):
    path = rundir.claim(record())
    rundir.replace_own(record(device="0:7"))
    assert rundir.find(Path("/mnt/x")) == record(device="0:7")
    rundir.replace_own(dead())  # another daemon's
    assert rundir.find(Path("/mnt/x")) == record(device="0:7")
    assert list(place.iterdir()) == [path]


def test_records_of_the_wrong_form_are_none_and_are_replaced(place):
    path = rundir.claim(record())
    good = json.loads(path.read_text())
    for name, wrong in (
        ("mountpoint", 1), ("pid", "1"), ("pid", None), ("pid", True), ("started", 1.5), ("since", "x"),
        ("since", None), ("sources", [1]), ("sources", None), ("made", 1), ("log", []), ("device", 0), ("more", 1),
    ):  # fmt: skip
        path.write_text(json.dumps({**good, name: wrong}))
        assert rundir.records() == [], (name, wrong)
        assert rundir.find(Path("/mnt/x")) is None
    for text in ("", "[]", "null", "[" * 100_000, " " * (5 << 20)):
        path.write_text(text)
        assert rundir.records() == []
    rundir.claim(record())
    assert rundir.records() == [record()]


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give files away")
@pytest.mark.parametrize("kind", strangers.KINDS)
def test_what_is_no_record_is_not_waited_for(place, kind):
    path = rundir.claim(dead())
    strangers.plant_special(path, kind)
    strangers.plant_special(place / "other-12345678.json", kind)
    strangers.plant_special(path.with_suffix(".log"), kind)
    assert rundir.records() == []
    rundir.clean(set(), 1e12)
    if kind == "directory":
        with pytest.raises(MountError, match=r"cannot be removed|log .* is no file"):
            rundir.claim(record())
        with pytest.raises(MountError, match="is no file"):
            rundir.log_path(Path("/mnt/x"))
    else:
        assert rundir.claim(record()) == path
        assert rundir.records() == [record()]
        assert rundir.log_path(Path("/mnt/x")) == path.with_suffix(".log")
        assert not os.path.lexists(path.with_suffix(".log"))


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give files away")
def test_records_of_a_stranger_are_not_read(monkeypatch, tmp_path):
    """In a directory of his, in one that all may write, and behind a link of his; and he is not asked instead of us."""
    with strangers.shared_place() as shared:
        place = shared / "mountnd"
        monkeypatch.setenv(rundir.VARIABLE, str(place))
        place.mkdir(0o700)
        path = rundir.claim(record())
        assert rundir.records() == [record()]
        os.chown(path, strangers.UID, strangers.UID)
        assert rundir.records() == []
        os.chown(path, 0, 0)
        for spoil, mend in (
            (lambda: os.chown(place, strangers.UID, strangers.UID), lambda: os.chown(place, 0, 0)),
            (lambda: place.chmod(0o777), lambda: place.chmod(0o700)),
        ):
            spoil()
            assert rundir.records() == []
            assert rundir.open_place(place) is None
            assert not rundir.release(record())
            with pytest.raises(MountError, match="No safe run directory"):
                rundir.claim(record())
            mend()
            assert rundir.records() == [record()]
        place.rename(shared / "real")
        place.symlink_to("real")
        strangers.give(place)
        assert rundir.records() == []
        with pytest.raises(MountError, match="No safe run directory"):
            rundir.run_dir()
        assert path.name in os.listdir(shared / "real")
