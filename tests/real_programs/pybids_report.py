"""Prints as JSON what pybids says of a data set, its path taken out: PATH [use]. Run by `test_bids_tools.py`.

With `use`, what a pipeline asks next too: gradients, field maps, tables, headers and voxels.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from bids import BIDSLayout


def index(layout: BIDSLayout) -> dict[str, Any]:
    """What the index holds: nothing is read but names and sidecars."""
    files, data = layout.get(scope="all"), layout.get(scope="all", extension=[".nii.gz", ".tsv", ".tsv.gz"])
    return {
        "files": {file.path: [type(file).__name__, file.get_entities(metadata=False)] for file in files},
        "entities": {scope: entities(layout, scope) for scope in ("raw", "derivatives")},
        "metadata": {file.path: file.get_metadata() for file in data},
        "associated": {file.path: sorted(other.path for other in file.get_associations()) for file in data},
        "subjects": layout.get_subjects(),
        "sessions": layout.get_sessions(),
        "tasks": layout.get_tasks(),
        "runs": layout.get_runs(),
        "suffixes": sorted(layout.get_suffixes(scope="all")),
        "spaces": layout.get_spaces(scope="all"),
        "description": layout.get_dataset_description(),
        "derivatives": sorted(layout.derivatives),
    }


def entities(layout: BIDSLayout, scope: str) -> dict[str, Any]:
    """Every entity's files and values. (Asked for all scopes, pybids gives one's, and not always the same one.)"""
    return {name: dict(entity.files) for name, entity in layout.get_entities(scope=scope, metadata=True).items()}


def use(layout: BIDSLayout) -> dict[str, Any]:
    """What lies in the files."""
    images = layout.get(scope="all", extension=".nii.gz")
    gradients = {f.path: [layout.get_bval(f.path), layout.get_bvec(f.path)] for f in images if "_dwi." in f.path}
    tables = layout.get(scope="all", suffix=["events", "timeseries", "participants"], extension=".tsv")
    runs = layout.get_collections(level="run", types=["events", "physio"], task="nback", merge=False)
    return {
        "gradients": {path: [(name, Path(name).read_text()) for name in both] for path, both in gradients.items()},
        "field maps": {file.path: layout.get_fieldmap(file.path, return_list=True) for file in images},
        "tables": {file.path: file.get_df().to_csv() for file in tables},
        "headers": {file.path: str(file.get_image().header) for file in images},
        "voxels": {file.path: hashlib.sha256(file.get_image().get_fdata().tobytes()).hexdigest() for file in images},
        "runs": sorted(f"{sorted(run.variables)} of {sorted(map(str, run.entities.items()))}" for run in runs),
    }


def main(root: str, *more: str) -> None:
    warnings.simplefilter("ignore")
    layout = BIDSLayout(root, derivatives=True)
    found = index(layout) | (use(layout) if more else {})
    print(json.dumps(found, default=str, sort_keys=True).replace(root, "ROOT"))


if __name__ == "__main__":
    main(*sys.argv[1:])
