"""`mountnd prefetch`, as it is typed: into a running mount's cache, and straight into the disk cache."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import cli, tree
from tests.support.cli import run_mountnd
from tests.support.place import BucketPlace
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kernel

MIB = 1 << 20
LARGE, SMALL = "sub-01/func/sub-01_task-rest_bold.nii", "sub-01/anat/sub-01_T1w.json"
FILES = {
    "dataset_description.json": b'{"Name": "x", "BIDSVersion": "1.9.0"}',
    "task-rest_bold.json": b'{"RepetitionTime": 2}',
    SMALL: tree.content(SMALL, 300),
    "sub-01/anat/sub-01_T1w.nii.gz": tree.content("t1", 200_000),
    LARGE: tree.content(LARGE, 9 * MIB + 7),
    "sub-02/anat/sub-02_T1w.nii.gz": tree.content("t2", 100_000),
    "sub-02/empty.txt": b"",
    "notes/with space & more.txt": b"hello",
}


def end(process: subprocess.Popen[str]) -> None:
    """Kill a command that a test began, and close its pipes."""
    with process:
        process.kill()


@pytest.fixture
def bucket(bucket: tree.Bucket) -> tree.Bucket:
    bucket.put_all(FILES)
    return bucket


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


class Place(BucketPlace):
    def prefetch(self, *words: str | Path, code: int = 0, below: str = "") -> tuple[dict[str, Any], str]:
        """`mountnd prefetch` of the source itself: its report, and the standard error."""
        done = run_mountnd("prefetch", self.source + below, *words, *self.options, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)["jobs"][0] if done.stdout else {}, done.stderr

    def in_mount(self, *words: str | Path, code: int = 0) -> tuple[list[dict[str, Any]], str]:
        """`mountnd prefetch` of paths in the mount."""
        done = run_mountnd("prefetch", *words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)["jobs"] if done.stdout else [], done.stderr

    def serves(self, *keys: str) -> None:
        """The mount gives these whole, without a request for bytes."""
        before = len(self.proxy.gets())
        for key in keys:
            assert (self.mnt / key).read_bytes() == FILES[key], key
        assert len(self.proxy.gets()) == before


@pytest.fixture
def place(bucket: tree.Bucket, proxy: Proxy, tmp_path: Path, where: Path) -> Place:
    return Place(bucket, proxy, tmp_path / "cache", where)


class TestStraightIntoTheCache:
    def test_a_mount_then_needs_no_get_and_a_second_run_fetches_nothing(self, place: Place) -> None:
        told, _ = place.prefetch()
        size = sum(map(len, FILES.values()))
        assert (told["files"], told["bytes"], told["fetched_bytes"], told["failed"]) == (len(FILES), size, size, 0)
        # The start reads a byte, and nothing comes twice.
        assert sum(r.sent for r in place.proxy.gets()) <= size + 70_000
        place.proxy.clear()
        again, _ = place.prefetch()
        assert (again["cached"], again["fetched_bytes"], again["done"]) == (len(FILES), 0, len(FILES))
        assert len(place.proxy.gets()) <= 1
        place.mount()
        place.serves(*FILES)

    def test_offline_then_serves_all_of_it(self, place: Place) -> None:
        place.prefetch()
        place.proxy.down()
        place.mount("--offline")
        found = {str(p.relative_to(place.mnt)) for p in place.mnt.rglob("*") if p.is_file()}
        assert found == set(FILES)
        for key, data in FILES.items():
            assert (place.mnt / key).read_bytes() == data

    def test_names_only(self, place: Place) -> None:
        told, _ = place.prefetch("--names")
        assert told["names"] == len(FILES) + 6 and told["fetched_bytes"] == 0
        place.proxy.down()
        place.mount("--offline")
        found = {str(p.relative_to(place.mnt)) for p in place.mnt.rglob("*") if p.is_file()}
        assert found == set(FILES)
        assert (place.mnt / LARGE).stat().st_size == len(FILES[LARGE])
        with pytest.raises(OSError) as refused:
            (place.mnt / SMALL).read_bytes()
        assert refused.value.errno == errno.EIO

    def test_headers_only(self, place: Place) -> None:
        told, _ = place.prefetch("--headers")
        assert told["bytes"] == sum(min(len(data), 128 << 10) for data in FILES.values())
        place.proxy.down()
        place.mount("--offline")
        with (place.mnt / LARGE).open("rb") as file:
            assert file.read(352) == FILES[LARGE][:352]
        assert (place.mnt / SMALL).read_bytes() == FILES[SMALL]

    def test_by_entities_with_what_belongs(self, place: Place) -> None:
        told, _ = place.prefetch("--sub", "sub-01", "--suffix", "bold,events", "--ext", "nii")
        assert (told["files"], told["belonging"]) == (3, 2)
        place.mount()
        place.serves(LARGE, "task-rest_bold.json", "dataset_description.json")

    def test_patterns_of_paths(self, place: Place) -> None:
        told, _ = place.prefetch("--include", "sub-0?/anat/**", "--exclude", "*.json", "--dry-run")
        assert told["files"] == 2 and told["to_fetch_bytes"] == 300_000
        assert [r for r in place.proxy.lists() if "notes" in r.query.get("prefix", "")] == []

    def test_one_object(self, place: Place) -> None:
        told, _ = place.prefetch(below=f"/{LARGE}")
        assert (told["files"], told["fetched_bytes"]) == (1, len(FILES[LARGE]))

    def test_a_run_that_was_stopped_goes_on(self, place: Place) -> None:
        place.proxy.rule("hold", path=f"/{place.source[5:]}/{LARGE}")
        words = [*cli.MOUNTND, "prefetch", place.source, *place.options]
        process = subprocess.Popen(
            ["env", "--default-signal=INT", *words], env=cli.environment(), cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            place.proxy.await_request(lambda r: r.path.endswith(LARGE) and r.open and bool(r.range))
            held = place.cache / "blocks"
            wait_until(lambda: len(list(held.glob("??/*"))) >= len(FILES) - 2, "the small files to be kept", 60)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            end(process)
        assert process.returncode == 130, err
        assert "goes on from there" in err and "Traceback" not in err
        place.proxy.behave()
        place.proxy.clear()
        told, _ = place.prefetch()
        assert told["fetched_bytes"] == len(FILES[LARGE])
        assert {r.path.partition("/")[2].partition("/")[2] for r in place.proxy.gets() if r.sent > 1} == {LARGE}

    def test_what_fails_is_listed_and_the_rest_is_there(self, place: Place) -> None:
        place.proxy.rule("status", path=f"/{place.source[5:]}/{SMALL}", status=403, code="AccessDenied")
        told, err = place.prefetch(code=1)
        assert (told["failed"], told["done"]) == (1, len(FILES) - 1)
        assert told["failures"][0]["path"] == SMALL and "denied" in told["failures"][0]["reason"].lower()
        assert "1 of the files" in err
        place.proxy.behave()
        place.mount()
        place.serves(*(key for key in FILES if key != SMALL))

    def test_an_object_replaced_after_it_was_listed_comes_as_it_is_now(self, place: Place, bucket: tree.Bucket) -> None:
        place.prefetch("--names")
        bucket.put(SMALL, b"new" * 50)
        told, _ = place.prefetch("--ttl", "1000")
        assert told["failed"] == 0
        place.mount()
        assert (place.mnt / SMALL).read_bytes() == b"new" * 50

    def test_a_source_that_goes_away_ends_it_with_what_it_has(self, place: Place, bucket: tree.Bucket) -> None:
        bucket.put_all((f"many/{i:03d}.txt", b"x" * 100) for i in range(120))
        place.proxy.rule("status", prefix=f"/{bucket.name}/many/", status=403, code="AccessDenied")
        told, err = place.prefetch(code=1)
        assert told["failed"] == 120 and told["done"] == len(FILES)
        assert "120 of the files" in err

    def test_what_does_not_fit_is_said_before_anything_is_fetched(self, place: Place) -> None:
        place.proxy.clear()
        _, err = place.prefetch("--cache-size", "5M", code=1)
        assert "--cache-size" in err and "--max-bytes" in err and "asked for takes" in err
        assert sum(r.sent for r in place.proxy.gets()) <= 70_000
        told, _ = place.prefetch("--cache-size", "5M", "--max-bytes", "1M")
        assert (told["left_out"], told["left_out_bytes"]) == (1, len(FILES[LARGE]))
        assert told["done"] == len(FILES) - 1

    @pytest.mark.parametrize(
        ("words", "code", "says"),
        [
            (["--sub", "99"], 1, "What is there: --sub: 01, 02"),
            (["--suffix", "bolt"], 1, "bold"),
            (["--include", "nothing-like-it"], 1, "none of its"),
            (["--sub", ""], 2, "--sub"),
            (["--pin", "a/b"], 2, "name of a pin"),
            (["--include", ".."], 2, "no pattern"),
            (["--max-bytes", "much"], 2, "--max-bytes"),
            (["--names", "--pin", "x"], 2, "--names"),
            (["--no-such"], 2, "--no-such"),
            (["-0"], 2, "--from"),
            (["--from", "/no/such/list"], 2, "/no/such/list"),
            (["--cache-size", "0"], 1, "--cache-size 0"),
        ],
    )
    def test_mistakes(self, place: Place, words: list[str], code: int, says: str) -> None:
        _, err = place.prefetch(*words, code=code)
        assert says in err
        assert err.count("\n") == 1 and "Traceback" not in err

    def test_words_that_are_nothing(self, tmp_path: Path) -> None:
        for words in (
            ["prefetch"],
            ["prefetch", str(tmp_path)],
            ["prefetch", "openneur"],
            ["prefetch", "a", "--from", "-"],
        ):
            done = run_mountnd(*words)
            assert done.returncode == 2, done.stderr
            assert done.stderr.count("\n") == 1 and done.stdout == ""


class TestThroughAMount:
    def test_paths_in_it(self, place: Place) -> None:
        place.mount()
        (told,), _ = place.in_mount(place.mnt / "sub-01", place.mnt / SMALL)
        assert (told["files"], told["failed"]) == (3, 0)
        place.serves(SMALL, LARGE)
        place.proxy.clear()
        (again,), _ = place.in_mount(place.mnt / "sub-01")
        assert again["fetched_bytes"] == 0 and place.proxy.gets() == []

    def test_from_inside_by_relative_paths_and_links(self, place: Place, tmp_path: Path) -> None:
        place.mount()
        (tmp_path / "link").symlink_to(place.mnt / "sub-02")
        done = run_mountnd("prefetch", "anat", cwd=place.mnt / "sub-02")
        assert done.returncode == 0 and "1 file," in done.stdout, done.stderr
        (told,), _ = place.in_mount(tmp_path / "link")
        assert told["files"] == 2

    def test_offline_shows_the_way_to_what_was_fetched(self, place: Place) -> None:
        """The directories above are listed, too: a name is found without a network only in a listing."""
        place.mount()
        place.in_mount(place.mnt / "sub-01/anat")
        place.unmount()
        place.proxy.down()
        place.mount("--offline")
        assert "sub-01" in os.listdir(place.mnt) and sorted(os.listdir(place.mnt / "sub-01")) == ["anat", "func"]
        place.serves(SMALL)

    def test_a_list_of_paths(self, place: Place, tmp_path: Path) -> None:
        place.mount()
        lists = tmp_path / "list"
        lists.write_text("sub-01/anat\nnotes/with space & more.txt\n\nsub-09/none\n")
        (told,), _ = place.in_mount(place.mnt, "--from", lists, code=1)
        assert told["files"] == 3 and [f["path"] for f in told["failures"]] == [f"{place.mnt}/sub-09/none"]
        lists.write_bytes(b"\0".join(os.fsencode(place.mnt / key) for key in (SMALL, LARGE)) + b"\0")
        (told,), _ = place.in_mount("--from", lists, "-0")
        assert told["files"] == 2
        lists.write_text(f"{place.mnt}/{SMALL}\n/etc/hostname\n")
        done = run_mountnd("prefetch", "--from", lists)
        assert done.returncode == 1 and "/etc/hostname" in done.stderr

    def test_a_long_list_through_a_pipe(self, place: Place) -> None:
        place.mount()
        script = 'for i in range(4000): print(f"sub-01/anat/{i:04d}-no-such-file-of-a-long-name")\nprint("sub-02")'
        command = f"{sys.executable} -c '{script}' | {' '.join(cli.MOUNTND)} prefetch {place.mnt} --from - --json"
        done = subprocess.run(
            ["sh", "-c", command],
            env=cli.environment(),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        (told,) = json.loads(done.stdout)["jobs"]
        assert done.returncode == 1 and told["files"] == 2 and told["failed"] == len(told["failures"]) == 4000

    def test_its_options_are_its_own(self, place: Place) -> None:
        place.mount()
        _, err = place.in_mount(place.mnt, "--profile", "x", code=2)
        assert "--profile" in err and "with options of its own" in err

    def test_a_missing_path(self, place: Place) -> None:
        place.mount()
        (told,), err = place.in_mount(place.mnt / "sub-07", code=1)
        assert told["failures"][0]["path"] == f"{place.mnt}/sub-07" and "1 of the files" in err

    def test_readers_come_first(self, place: Place) -> None:
        """While the prefetch waits for a server that does not answer, another file is read."""
        place.mount()
        place.proxy.rule("hold", path=f"/{place.source[5:]}/{LARGE}")
        process = subprocess.Popen(
            [*cli.MOUNTND, "prefetch", str(place.mnt / "sub-01")], env=cli.environment(), cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            place.proxy.await_request(lambda r: r.path.endswith(LARGE) and r.open)
            assert (place.mnt / "sub-02/anat/sub-02_T1w.nii.gz").read_bytes() == FILES["sub-02/anat/sub-02_T1w.nii.gz"]
            place.proxy.behave()
            _, err = process.communicate(timeout=60)
        finally:
            end(process)
        assert process.returncode == 0, err
        place.serves(LARGE)

    def test_a_command_that_is_killed_ends_its_job(self, place: Place) -> None:
        place.mount()
        place.proxy.rule("hold", path=f"/{place.source[5:]}/{LARGE}")
        process = subprocess.Popen(
            [*cli.MOUNTND, "prefetch", str(place.mnt / "sub-01")], env=cli.environment(), cwd="/",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            place.proxy.await_request(lambda r: r.path.endswith(LARGE) and r.open)
        finally:
            end(process)
        place.unmount()  # which it does not hold up


class TestPins:
    def test_what_is_pinned_outlives_what_is_read_later(self, place: Place) -> None:
        place.prefetch("--cache-size", "14M", "--pin", "tonight", below="/sub-01")
        shown = run_mountnd("cache", "ls", "--cache-dir", place.cache)
        assert "tonight" in shown.stdout and "complete" in shown.stdout
        (pin,) = json.loads(run_mountnd("cache", "ls", "--json", "--cache-dir", place.cache).stdout)["pins"]
        assert (pin["name"], pin["files"], pin["missing"], pin["damaged"]) == ("tonight", 3, 0, 0)
        assert pin["held"] == sum(len(data) for key, data in FILES.items() if key.startswith("sub-01"))
        assert pin["asked"] == [f"{place.source}/sub-01"]

    def test_nothing_is_no_pin(self, place: Place) -> None:
        place.prefetch("--sub", "99", "--pin", "tonight", code=1)
        assert json.loads(run_mountnd("cache", "ls", "--json", "--cache-dir", place.cache).stdout)["pins"] == []

    def test_a_pin_that_does_not_fit_is_refused(self, place: Place) -> None:
        place.prefetch("--cache-size", "12M", "--pin", "one", below="/sub-01")
        _, err = place.prefetch("--cache-size", "9M", "--pin", "two", below="/sub-02", code=1)
        assert "pinned" in err
        told = json.loads(run_mountnd("cache", "ls", "--json", "--cache-dir", place.cache).stdout)
        assert [pin["name"] for pin in told["pins"]] == ["one"]

    def test_unpin_and_clear(self, place: Place) -> None:
        cache = ("--cache-dir", place.cache)
        place.prefetch("--pin", "a", below="/sub-01")
        place.prefetch("--pin", "b", below="/sub-02")
        done = run_mountnd("cache", "clear", *cache)
        assert done.returncode == 0 and "are pinned" in done.stdout and "--pinned" in done.stdout
        wrong = run_mountnd("cache", "unpin", "aa", *cache)
        assert wrong.returncode == 1 and "no pin is called aa" in wrong.stderr
        assert run_mountnd("cache", "unpin", "a", *cache).returncode == 0
        assert json.loads(run_mountnd("cache", "clear", "--json", *cache).stdout)["freed"] > 9 * MIB
        told = json.loads(run_mountnd("cache", "ls", "--json", *cache).stdout)
        assert [pin["name"] for pin in told["pins"]] == ["b"] and len(told["objects"]) == 1
        assert run_mountnd("cache", "clear", "--pinned", *cache).returncode == 0
        told = json.loads(run_mountnd("cache", "ls", "--json", *cache).stdout)
        assert told["pins"] == [] and told["objects"] == []
        assert run_mountnd("cache", "ls", "--pinned", *cache).returncode == 2
        assert run_mountnd("cache", "unpin", *cache).returncode == 2

    def test_through_a_mount(self, place: Place) -> None:
        place.mount()
        (told,), _ = place.in_mount(place.mnt / "sub-02", "--pin", "mounted")
        assert told["pin"] == "mounted"
        (pin,) = json.loads(run_mountnd("cache", "ls", "--json", "--cache-dir", place.cache).stdout)["pins"]
        assert pin["files"] == 1 and pin["missing"] == 0
