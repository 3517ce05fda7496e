"""Provenance: what BIDS and RO-Crate say of where data came from."""

from __future__ import annotations

import builtins
import json
from typing import Any

import pytest

from mountnd.errors import UsageError
from mountnd.report import provenance

from .documents import HOSTILE, document, row, source


def test_a_dataset_with_a_doi_is_named_by_it() -> None:
    assert provenance.bids(document()) == {
        "SourceDatasets": [
            {
                "URL": "https://openneuro.org/datasets/ds000001/versions/1.0.0",
                "DOI": "doi:10.18112/openneuro.ds000001.v1.0.0",
                "Version": "1.0.0",
            }
        ]
    }


def test_what_says_nothing_of_itself_is_named_by_where_it_lies() -> None:
    assert provenance.bids(document(datasets={})) == {"SourceDatasets": [{"URL": "s3://openneuro.org"}]}
    links = document(datasets={}, sources=[source(kind="links", url="/home/me/links.txt")])
    assert provenance.bids(links) == {"SourceDatasets": []}


def graph(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entity["@id"]: entity for entity in json.loads(provenance.rocrate(told))["@graph"]}


def test_the_crate_describes_each_file_and_what_read_it() -> None:
    pytest.importorskip("rocrate")
    found = graph(document())
    file = found["https://s3.us-east-1.amazonaws.com/openneuro.org/ds000001/sub-01/anat/sub-01_T1w.nii.gz"]
    assert file["@type"] == "File" and file["contentSize"] == "1000" and file["bytesRead"] == 500
    assert file["version"] == '"abc"'
    dataset = found[file["isPartOf"]["@id"]]
    assert (dataset["name"], dataset["version"]) == ("Balloon Analog Risk-taking Task", "1.0.0")
    action = found["#reading"]
    assert action["@type"] == "CreateAction" and {"@id": file["@id"]} in action["object"]
    assert found[action["instrument"]["@id"]]["name"] == "mountnd"
    assert {"@id": file["@id"]} in found["./"]["hasPart"]


def test_hostile_names_are_identifiers_all_the_same() -> None:
    pytest.importorskip("rocrate")
    found = graph(document(*(row(f"ds000001/{name}") for name in HOSTILE)))
    files = [entity for entity in found.values() if entity["@type"] == "File"]
    assert len(files) == len(HOSTILE)
    assert all(entity["@id"].isascii() and entity["@id"].isprintable() and " " not in entity["@id"] for entity in files)


def test_files_without_an_address_are_described_too() -> None:
    pytest.importorskip("rocrate")
    found = graph(document(sources=[source(kind="links", url="/l.txt")], datasets={}))
    (file,) = [entity for entity in found.values() if entity["@type"] == "File"]
    assert file["@id"].startswith("#file-")


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("rocrate"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError, match=r"needs the package rocrate.*mountnd\[report\]"):
        provenance.rocrate(document())
