"""A service of snapshots that fails: every fault is one line that says what to do, and nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import is_mounted, mountpoint, run_mountnd
from tests.support.servers import silent_server

from .conftest import TREES, Stage


def refused(stage: Stage, where: Path, *more: str, word: str = "openneuro/ds000001@1.0.1") -> str:
    """What the command says that does not mount."""
    with mountpoint(where / "mnt") as path:
        done = run_mountnd(word, str(path), *stage.flags, "--cache-dir", str(where / "cache"), *more)
        assert done.returncode == 1, done.stderr
        assert not is_mounted(path)
        assert not path.exists()
        errors = [line for line in done.stderr.splitlines() if line.startswith("mountnd: ")]
        assert len(errors) == 1, done.stderr
        assert "Traceback" not in done.stderr
        return errors[0]


def test_nobody_listens(stage: Stage, tmp_path: Path) -> None:
    said = refused(stage, tmp_path, "--snapshots-url", "http://127.0.0.1:9/crn/graphql")
    assert "the service of snapshots http://127.0.0.1:9/crn/graphql" in said
    assert "refused the connection" in said
    assert "Next: see whether it answers: curl -I http://127.0.0.1:9/crn/graphql" in said


def test_a_service_that_never_answers(stage: Stage, tmp_path: Path) -> None:
    with silent_server() as url:
        said = refused(stage, tmp_path, "--snapshots-url", f"{url}/crn/graphql", "--timeout", "3")
    assert "no answer in time" in said


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 503, "body": "overloaded"}, "answered 503"),
        ({"status": 404, "body": "no"}, "answered 404"),
        ({"status": 200, "body": "{"}, "answered with something that is no answer to GraphQL"),
        ({"status": 200, "body": "[]"}, "answered with something that is no answer to GraphQL"),
        ({"status": 200, "body": '{"data": []}'}, "answered with something that is no answer to GraphQL"),
        (
            {"status": 200, "body": "<!DOCTYPE html><html><title>Sign in</title></html>"},
            'answered 200 with a web page ("Sign in")',
        ),
        (
            {"status": 200, "body": '{"data": {"snapshot": {"files": [{"filename": "../../etc/passwd", "size": 1}]}}}'},
            "'../../etc/passwd' is no path of a file",
        ),
        (
            {"status": 200, "body": json.dumps({"data": {"snapshot": {"files": [{"filename": "x", "size": "-5"}]}}})},
            "'x': its size is '-5'",
        ),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:9/x"}}, "leads to http://127.0.0.1:9/x"),
        (
            {"status": 500, "body": '{"errors": [{"message": "the database is gone"}], "data": null}'},
            "(the database is gone)",
        ),
    ],
)
def test_answers_that_are_none(fault: dict[str, object], expected: str, stage: Stage, tmp_path: Path) -> None:
    stage.service.switch(fault=fault)
    assert expected in refused(stage, tmp_path)


def test_an_overloaded_service_is_asked_again(stage: Stage, tmp_path: Path) -> None:
    stage.service.switch(fault={"status": 503}, faults=2)
    with mountpoint(tmp_path / "mnt") as path:
        done = run_mountnd("openneuro/ds000001@1.0.1", str(path), *stage.flags, "--cache-dir", str(tmp_path / "cache"))
        assert done.returncode == 0, done.stderr
        assert (path / "README").read_bytes() == TREES["1.0.1"]["README"]
    assert len(stage.service.log()) == 3


def test_who_asks_says_so(stage: Stage, tmp_path: Path) -> None:
    run_mountnd("versions", "openneuro/ds000001", "--snapshots-url", stage.service.url)
    ((method, path, headers, _),) = stage.service.log()
    assert (method, path) == ("POST", "/crn/graphql")
    assert headers["user-agent"] == "mountnd"
    assert headers["content-type"] == "application/json"


def test_a_wrong_tag_names_those_there_are(stage: Stage, tmp_path: Path) -> None:
    said = refused(stage, tmp_path, word="openneuro/ds000001@1.0")
    assert said == "mountnd: ds000001 has no snapshot 1.0; it has 1.0.0, 1.0.1, 1.0.2"


def test_a_directory_that_is_not_there_or_a_file(stage: Stage, tmp_path: Path) -> None:
    said = refused(stage, tmp_path, word="openneuro/ds000001@1.0.1/sub-02")
    assert "ds000001@1.0.1 has no directory sub-02: did you mean sub-01?" in said
    said = refused(stage, tmp_path, word="openneuro/ds000001@1.0.1/sub-01/anat/sub-01_T1w.json")
    assert "is a file; mount the directory that it is in: ds000001@1.0.1/sub-01/anat" in said


def test_a_data_set_that_is_not_there(stage: Stage, tmp_path: Path) -> None:
    said = refused(stage, tmp_path, word="openneuro/ds999999@1.0.0")
    assert "knows no public data set ds999999 (You do not have access to read this dataset.)" in said


def test_a_data_set_without_snapshots(stage: Stage, tmp_path: Path) -> None:
    stage.service.know({"ds000001": []})
    for tag in ("latest", "1.0.0"):
        said = refused(stage, tmp_path, word=f"openneuro/ds000001@{tag}")
        assert "ds000001 has no snapshots yet" in said


def test_a_bucket_that_is_not_the_services(stage: Stage, tmp_path: Path) -> None:
    known = [{"tag": "1.0.0", "files": [{"filename": "x", "size": 3, "urls": [], "id": "ab" * 20}]}]
    stage.service.know({"ds000404": known})
    said = refused(stage, tmp_path, word="openneuro/ds000404@1.0.0")
    assert "the bucket has none of the 1 files of the snapshot" in said


def test_offline_what_is_not_known(stage: Stage, tmp_path: Path) -> None:
    for tag in ("1.0.1", "latest"):
        said = refused(stage, tmp_path, "--offline", word=f"openneuro/ds000001@{tag}")
        assert "Mount it once without --offline" in said
    assert stage.service.log() == []
