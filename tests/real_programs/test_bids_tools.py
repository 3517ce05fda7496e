"""BIDS's own programs on a mount: they find what they find in a local copy, and for no more requests than files read.

Each is a process of its own, as everything that touches a mount.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.vfs.prefetch import sidecars
from tests.support import bids_study, tree
from tests.support.children import run_program, run_python
from tests.support.doors import open_kernel_door
from tests.support.proxy import Proxy, proxied
from tests.support.servers import executable

pytestmark = pytest.mark.kernel

REPORT = Path(__file__).with_name("pybids_report.py")
SECONDS = 300.0  # pybids imports for many of them on a busy machine


@pytest.fixture
def proxy(bucket: tree.Bucket) -> Iterator[Proxy]:
    with proxied(bucket.url) as proxy:
        yield proxy


@pytest.fixture
def mounted(bucket: tree.Bucket, proxy: Proxy, tmp_path: Path) -> Iterator[Path]:
    """The study alone, mounted through the proxy, of which nothing is known yet."""
    with open_kernel_door(tmp_path, proxy.url, f"s3://{bucket.name}/bids") as door:
        proxy.clear()
        yield door.mount.path


def files(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}


def names_and_bytes(proxy: Proxy) -> tuple[int, Counter[str]]:
    """Requests for names, and for bytes by file of the study."""
    requests = proxy.settled()
    gets = [r for r in requests if r.method == "GET" and not r.is_list]
    return len(requests) - len(gets), Counter(r.path.removeprefix("/images/bids/") for r in gets)


def layout(root: Path, *more: str) -> Any:
    return json.loads(run_python(REPORT.read_text(), str(root), *more, seconds=SECONDS))


class TestPybids:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("bids")

    def test_pybids_indexes_the_study(self, mounted: Path, local: Path, proxy: Proxy) -> None:
        """The whole index: a few listings, and each sidecar once."""
        found = layout(mounted)
        names, fetched = names_and_bytes(proxy)
        assert found == layout(local / "bids")
        assert found["subjects"] == list(bids_study.SESSIONS)
        assert len(found["metadata"]) > 50
        slow = found["metadata"]["ROOT/sub-02/ses-followup/func/sub-02_ses-followup_task-rest_run-1_bold.nii.gz"]
        assert (slow["RepetitionTime"], slow["EchoTime"], slow["FlipAngle"]) == (bids_study.TR + 0.5, 0.04, 77)
        assert names <= 6
        metadata = {name for name in files(local / "bids") if name.endswith(".json")}
        assert len(set(fetched) - metadata) <= sidecars.CREDIT  # tables beside them, until none of these was read
        assert set(fetched.values()) == {1}, fetched

    def test_pybids_reads_the_study(self, mounted: Path, local: Path) -> None:
        found = layout(mounted, "use")
        assert found == layout(local / "bids", "use")
        assert len(found["gradients"]) == sum(map(len, bids_study.SESSIONS.values()))
        recorded = [path for path in found["headers"] if path.endswith("_bold.nii.gz") and "derivatives" not in path]
        assert all(found["field maps"][path] for path in recorded)
        assert found["runs"]


NAME_VALIDATION = """
import json, os, sys
from bids_validator import BIDSValidator
root = sys.argv[1]
paths = [os.path.join(place, name)[len(root):] for place, _, names in os.walk(root) for name in names]
print(json.dumps({path: BIDSValidator().is_bids(path) for path in paths}))
"""


def test_bids_validator_of_names(mounted: Path, local: Path, proxy: Proxy) -> None:
    """bids_validator, which pybids uses: it asks for names alone."""
    pytest.importorskip("bids_validator")
    found = json.loads(run_python(NAME_VALIDATION, str(mounted)))
    names, fetched = names_and_bytes(proxy)
    assert found == json.loads(run_python(NAME_VALIDATION, str(local / "bids")))
    assert set(found.values()) == {True, False}
    assert names <= 6
    assert not fetched


def verdict(root: Path) -> Any:
    """What the validator says of a data set. Its issues come in the order in which directories list their names."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: ordered(one) for key, one in value.items()}
        return sorted(map(ordered, value), key=json.dumps) if isinstance(value, list) else value

    return ordered(
        json.loads(
            run_program(
                [executable("bids-validator-deno"), str(root), "--format", "json"], check=False, seconds=SECONDS
            )
        )
    )


def test_bids_validator_deno(mounted: Path, local: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The BIDS validator itself (since version 2 a program for deno): names, sidecars, tables, and images' headers."""
    monkeypatch.setenv("DENO_NO_UPDATE_CHECK", "1")  # it brings its schema with it: nobody need be asked anything
    found = verdict(mounted)
    names, fetched = names_and_bytes(proxy)
    assert found == verdict(local / "bids")
    assert not [issue for issue in found["issues"]["issues"] if issue.get("severity") == "error"]
    assert len(found["issues"]["issues"]) > 100
    assert found["summary"]["subjects"] == list(bids_study.SESSIONS)
    assert names <= 6
    assert set(fetched.values()) == {1}, fetched
