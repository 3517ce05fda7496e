"""What the words of a prefetch mean, how far it is, and what is said at its end: without a mount or a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mountnd.cli import prefetch_summary as summary
from mountnd.cli import prefetch_words
from mountnd.cli.prefetch_words import Door, read_list, sort_out
from mountnd.cli.progress import line_of
from mountnd.errors import UsageError
from mountnd.jobs.report import ENDED, FETCHING, LISTING, LOOKING, Report

from .calls import call

HERE = Path("/")


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounts at /m/on and /m/other."""

    class Mount:
        fstype = "fuse.mountnd"

        def __init__(self, path: str) -> None:
            self.path = Path(path)

    mounts = [Mount("/m/on"), Mount("/m/other")]

    def top_of(path: Path) -> Path:
        return next((m.path for m in mounts if path.is_relative_to(m.path)), path)

    monkeypatch.setattr(prefetch_words.mounts, "resolve", lambda path: Path(str(path)))
    monkeypatch.setattr(prefetch_words.mounts, "top_of", top_of)
    monkeypatch.setattr(
        prefetch_words.mounts, "mount_at", lambda path: next((m for m in mounts if m.path == path), None)
    )
    monkeypatch.setattr(prefetch_words.mounts, "mounts", lambda: mounts)


def doors(words: list[str], lines: list[str] | None = None, cwd: str = "/") -> list[Door]:
    found = sort_out(words, lines, Path(cwd))
    assert found.strays == []
    return found.doors


def test_paths_in_mounts_and_sources() -> None:
    assert doors(["/m/on/a", "s3://b/c", "/m/other", "/m/on/d", "/m/on/a", "openneuro"]) == [
        Door(Path("/m/on"), "", ("a", "d")),
        Door(None, "s3://b/c", ("",)),
        Door(Path("/m/other"), "", ("",)),
        Door(None, "openneuro", ("",)),
    ]
    assert doors(["a/b"], cwd="/m/on") == [Door(Path("/m/on"), "", ("a/b",))]


def test_a_list_below_a_path_and_one_of_paths_anywhere() -> None:
    assert doors(["/m/on/ds"], ["a", "./b/c", "/m/on/ds/d"]) == [Door(Path("/m/on"), "", ("ds",), ("a", "b/c", "d"))]
    assert doors(["openneuro/ds"], ["a"]) == [Door(None, "openneuro/ds", ("",), ("a",))]
    assert doors([], ["/m/on/a", "/m/other/b", "/m/on/c"]) == [
        Door(Path("/m/on"), "", ("",), ("a", "c")),
        Door(Path("/m/other"), "", ("",), ("b",)),
    ]
    assert doors([], ["a", "../other/b"], cwd="/m/on")[1] == Door(Path("/m/other"), "", ("",), ("b",))
    found = sort_out(["/m/on/ds"], ["../up", "/etc/x", "s3://b/c", "ok"], HERE)
    assert found.strays == ["../up", "/etc/x", "s3://b/c"] and found.doors[0].listed == ("ok",)
    assert sort_out([], ["/etc/x"], HERE) == ([], ["/etc/x"])


@pytest.mark.parametrize(("words", "lines"), [([], None), (["a", "b"], ["x"])])
def test_what_means_nothing(words: list[str], lines: list[str] | None) -> None:
    with pytest.raises(UsageError):
        sort_out(words, lines, HERE)


def test_lists(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"a b\r\n\n\xff\n# c\n")
    assert read_list(str(path), nul=False) == ["a b", "\udcff", "# c"]
    path.write_bytes(b"a\nb\0c\0")
    assert read_list(str(path), nul=True) == ["a\nb", "c"]
    with pytest.raises(UsageError, match="-0"):
        read_list(str(path), nul=False)
    path.write_bytes(b"\n\n")
    with pytest.raises(UsageError, match="lists nothing"):
        read_list(str(path), nul=False)
    with pytest.raises(UsageError, match="No such file"):
        read_list(str(tmp_path / "none"), nul=False)


def told(**more: Any) -> dict[str, Any]:
    report = Report()
    report.listed(10)
    report.found(b"a.nii.gz", 1 << 20)
    report.found(b"README", 10)
    return {**report.snapshot(), **more}


def test_how_far_it_is() -> None:
    assert line_of(told(phase=LISTING), 0.0) == "listing: 10 names, 2 files wanted"
    assert "2 files" in line_of(told(phase=LOOKING), 0.0)
    said = line_of(
        told(phase=FETCHING, done=1, to_fetch_bytes=3 << 20, fetched_bytes=1 << 20, failed=1), float(1 << 20)
    )
    assert said == "1 of 2 files, 1 MiB of 3 MiB, 1 MiB/s, 2 s left, 1 failed"
    assert line_of(told(phase=FETCHING), 0.0) == "0 of 2 files, 0 B of 0 B"


def test_reports() -> None:
    report = Report()
    for i in range(700):
        report.failed(f"f{i}", "why")
    first = report.snapshot()
    assert len(first["failures"]) == 500 and first["failed"] == 700
    assert len(report.snapshot(500)["failures"]) == 200 and report.snapshot(700)["failures"] == []
    report.tell(stopped="because")
    report.phase(ENDED)
    assert report.snapshot()["stopped"] == "because" and report.snapshot()["phase"] == ENDED
    assert [kind for kind, *_ in told()["kinds"]] == [".nii.gz", "other"]


def test_why_nothing_was_chosen() -> None:
    assert "nothing lies there" in summary.nothing_matched("x", told(names=0), True)
    assert "only directories" in summary.nothing_matched("x", told(files=0), False)
    assert "--sub: 01, 02" in summary.nothing_matched("x", told(seen={"--sub": ["01", "02"]}), True)


def test_the_help_names_every_entity_and_takes_both_spellings() -> None:
    shown = call(["prefetch", "--help"]).out
    assert (
        "--sub, --subject" in shown
        and "--suffix" in shown
        and "Every entity of the BIDS schema is an option" in " ".join(shown.split())
    )
    assert max(map(len, shown.splitlines())) <= 80
    refused = call(["prefetch", "s3://b", "--hemisphere", "L", "--tracer", "x", "--from", "/no/such"])
    assert refused.code != 0 and "/no/such" in str(refused.err)
