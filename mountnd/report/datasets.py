"""The BIDS datasets that files were read from: which directories may be their tops, and what these say. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .addresses import store_url

# How deep below the mount's root the top of a dataset may lie: `data/Projects/ABIDE/RawDataBIDS/NYU`, and derivatives.
DEPTH = 6
# Directories that are looked at, those with the most files first: each costs the daemon a look into its memory.
MOST = 2000

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_OPENNEURO = re.compile(r"openneuro\.(ds\d{6})(?:\.v(\d+\.\d+\.\d+))?$", re.IGNORECASE)

File = Mapping[str, Any]


def candidates(files: Iterable[File]) -> list[str]:
    """Directories that may be the top of a dataset, by their paths, "" for the root."""
    counts: Counter[str] = Counter()
    for file in files:
        parts = file["path"].split("/")[:-1]
        counts.update("/".join(parts[:depth]) for depth in range(min(len(parts), DEPTH) + 1))
    return [path for path, _ in counts.most_common(MOST)]


def described(
    found: Iterable[Mapping[str, Any]], files: Sequence[File], sources: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Objects of the document, the one with the most bytes read first. A file belongs to the dataset around it that is
    nearest.

    Args:
        found: as `Account.datasets` answers.
        sources: facts of each by its name.
    """
    answers = {str(one["path"]): one for one in found}
    of_dataset: dict[str, list[File]] = {path: [] for path in answers}
    for file in files:
        parts = file["path"].split("/")[:-1]
        for depth in range(len(parts), -1, -1):
            if (path := "/".join(parts[:depth])) in of_dataset:
                of_dataset[path].append(file)
                break
    datasets = [
        _dataset(answers[path], inside, sources.get(inside[0]["source"], {}))
        for path, inside in of_dataset.items()
        if inside
    ]
    return sorted(datasets, key=lambda dataset: (-dataset["bytes_read"], dataset["path"]))


def _dataset(answer: Mapping[str, Any], files: Sequence[File], source: Mapping[str, Any]) -> dict[str, Any]:
    said = _parsed(answer["description"])
    doi = doi_of(said.get("DatasetDOI"))
    number, version = openneuro(doi)
    path = str(answer["path"])
    if number:
        url: str | None = f"https://openneuro.org/datasets/{number}" + (f"/versions/{version}" if version else "")
    elif doi:
        url = f"https://doi.org/{doi}"
    else:
        url = store_url(source, _prefix(files[0], path)) if source else None
    return {
        "path": path,
        "source": files[0]["source"],
        "name": _text(said.get("Name")),
        "url": url,
        "doi": doi or None,
        "version": version or None,
        "licence": _text(said.get("License")) or source.get("licence") or None,
        "how_to_acknowledge": _text(said.get("HowToAcknowledge")),
        "bids_version": _text(said.get("BIDSVersion")),
        "files_read": len(files),
        "bytes_read": sum(file["bytes_read"] for file in files),
        "bytes_fetched": sum(file["bytes_fetched"] for file in files),
        "known": answer["known"],
    }


def _prefix(file: File, directory: str) -> str:
    """The key prefix of a directory around a file, without its last slash."""
    below = len((file.get("stored") or file)["path"]) - len(f"{directory}/" if directory else "")
    return str(file["key"][: len(file["key"]) - below]).rstrip("/")


def doi_of(text: object) -> str:
    """The DOI in what somebody wrote for one (`doi:10.1/x`, a URL, ...), "" without one."""
    found = _DOI.search(text) if isinstance(text, str) else None
    return found[0].rstrip(".,;") if found else ""


def openneuro(doi: str) -> tuple[str, str]:
    """Accession number and version of a DOI of OpenNeuro's; "" for what it does not tell."""
    found = _OPENNEURO.search(doi)
    return (found[1].lower(), found[2] or "") if found else ("", "")


def _parsed(description: object) -> dict[str, Any]:
    """What a dataset_description.json says; nothing where it is none."""
    try:
        said = json.loads(description) if isinstance(description, str) else {}
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
