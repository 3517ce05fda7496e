"""What development installs, and what is released: the lock is of today's pyproject.toml, builds are reproducible."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements-dev.lock").read_text()


def locked() -> dict[str, list[Version]]:
    """Each package of the lock with its versions (several where they depend on the platform)."""
    found: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", LOCK, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


def test_the_lock_has_all_that_pyproject_names() -> None:
    """Else `make lock` was forgotten."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["demo"], *extras["test"], *extras["dev"]]
    versions = locked()
    for requirement in map(Requirement, lines):
        if requirement.name != "mountnd":
            found = versions.get(canonicalize_name(requirement.name), [])
            assert found, f"{requirement.name} is not in requirements-dev.lock"
            assert all(version in requirement.specifier for version in found), requirement


def test_each_line_of_the_lock_has_hashes_and_none_an_address() -> None:
    packages = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(packages) > 80
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in LOCK


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_two_builds_of_a_commit_have_the_same_bytes(tmp_path: Path) -> None:
    """`make dist` builds twice, in different places and under different modes, and fails unless all is the same."""
    venv = Path(sys.prefix)
    build = [ROOT / "bin/build-dist", venv, tmp_path / "dist"]
    done = subprocess.run(build, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (_,) = (tmp_path / "dist").glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "mountnd/help/semantics.md" in names
    assert {"mountnd/help/k8s/daemonset.yaml", "mountnd/help/docker/Dockerfile"} <= set(names)
    assert [name for name in names if name.endswith(".data/data/share/man/man1/mountnd.1")]
    assert not [name for name in names if name.startswith(("tests/", "bin/"))]
