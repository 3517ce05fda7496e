"""The notebook that comes with the help, executed in a kernel of its own, as Jupyter does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from mountnd.cli.man_page import MAN_PAGE
from mountnd.daemon import rundir
from tests.support.local_openneuro import local_archives
from tests.support.quirky import Quirky
from tests.support.sessions import mounted_below, session

NOTEBOOK = MAN_PAGE.parent / "notebook.ipynb"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CELL_S = 120


@pytest.fixture(scope="module")
def archives() -> Iterator[Quirky]:
    with local_archives({KEY: SECRET}) as server:
        yield server


def executed(home: Path, environ: dict[str, str]) -> dict[str, Any]:
    """The cells of the notebook by their ids, after all of them were executed. Raises CellExecutionError."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=CELL_S, kernel_name="python3", resources={"metadata": {"path": str(home)}}
    )
    client.execute(env=environ)
    return {cell["id"]: cell for cell in notebook.cells}


def said(cell: Any) -> str:
    """What stands below a cell, as words with one blank between them."""
    texts = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell["outputs"]]
    return " ".join(" ".join(texts).split())


@pytest.mark.kernel
@pytest.mark.parametrize("keys", [True, False])
def test_it_runs_from_top_to_bottom(keys: bool, archives: Quirky, tmp_path: Path) -> None:
    before = {record.mountpoint for record in rundir.records()}
    with session(tmp_path.resolve(), {"MOUNTND_ENDPOINT_URL": archives.url}) as here:
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
            here.environ[name] = str(here.home / "jupyter")
        if keys:
            (here.home / ".aws").mkdir(mode=0o700)
            text = f"[hcp]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
            (here.home / ".aws/credentials").write_text(text)
        cells = executed(here.home, here.environ)
        assert mounted_below(here.home) == []
    assert {record.mountpoint for record in rundir.records()} <= before
    assert "'participants.tsv', 'sub-01', 'sub-02'" in said(cells["mount"])
    assert "sub-01" in said(cells["participants"])
    assert said(cells["slice"]).startswith("(160, 192, 160)")
    assert any("image/png" in output.get("data", {}) for output in cells["slice"]["outputs"]), "the slice is drawn"
    assert "'sub-02_T1w.nii.gz': (160, 192, 160)" in said(cells["many"])
    assert "openneuro/ds000001/sub-01/anat/sub-01_T1w.nii.gz" in said(cells["fsspec"])
    assert "(2, 3)" in said(cells["fsspec"])
    assert ("hcp/HCP_1200/100307" if keys else "found no AWS credentials") in said(cells["keys"])
    assert "unmounted" in said(cells["end"])
    assert not any(SECRET in said(cell) for cell in cells.values() if cell["cell_type"] == "code")


def test_it_is_kept_without_what_a_run_leaves_in_it() -> None:
    """Outputs would hold somebody's paths, and change with each run."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell["cell_type"] == "code"]
    assert len(code) == 7
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
