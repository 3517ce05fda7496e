"""`make setup`: it names all packages that are missing at once, and says what it does meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def program(path: Path, body: str) -> None:
    """A shell script at `path`."""
    path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
    path.chmod(0o755)


def run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A script of bin/, with `place` as PATH and nothing else but what scripts cannot do without."""
    for name in ("bash", "env", "grep", "dirname", "sleep", "cat"):
        if not (place / name).exists():
            (place / name).symlink_to(str(shutil.which(name)))
    return subprocess.run(
        [str(ROOT / "bin" / words[0]), *words[1:]],
        env={"PATH": str(place), "PYTHON": "python3", "VENV": str(place / "none"), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    program(tmp_path / "python3", "exit 1")  # Debian's, without ensurepip
    program(tmp_path / "id", "echo 1000")
    program(tmp_path / "sudo", "exit 1")
    program(tmp_path / "apt-get", "exit 1")
    done = run(tmp_path, "setup-packages", "python3-venv", "fuse3")
    assert done.returncode == 1
    assert "missing: python3-venv fuse3." in done.stderr
    assert "sudo apt-get update && sudo apt-get install --no-install-recommends python3-venv fuse3" in done.stderr
    (tmp_path / "apt-get").unlink()
    assert (
        "missing: python3-venv fuse3 (Debian's names)"
        in run(tmp_path, "setup-packages", "python3-venv", "fuse3").stderr
    )


def test_nothing_is_said_where_nothing_is_missing(tmp_path: Path) -> None:
    for name in ("python3", "nifti_tool"):
        program(tmp_path / name, "exit 0")
    done = run(tmp_path, "setup-packages", "python3-venv", "nifti-bin")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_says_what_it_does_while_it_takes_long(tmp_path: Path) -> None:
    program(tmp_path / "python3", "case $2 in *print*) echo 3.12.1;; esac")
    made = f'{shutil.which("mkdir")} -p "$5/bin" && {shutil.which("cp")} {tmp_path}/python3 "$5/bin/python"'
    program(tmp_path / "uv", f"if [ $1 = venv ]; then {made}; else sleep 6; fi")
    done = run(tmp_path, "setup-venv", str(tmp_path / "venv"), "python3", "demo")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"setup: {tmp_path}/venv with Python 3.12.1  done (0 s)"
    assert second.startswith("setup: mountnd[demo] and what it needs, with uv .")
    assert " done (" in second


def test_a_setup_that_fails_says_so(tmp_path: Path) -> None:
    program(tmp_path / "python3", "case $2 in *print*) echo 3.12.1;; esac")
    program(tmp_path / "uv", "echo no such package >&2; exit 3")
    done = run(tmp_path, "setup-venv", str(tmp_path / "venv"), "python3", "demo")
    assert done.returncode == 3
    assert done.stdout.rstrip().endswith("failed") and "no such package" in done.stderr


def test_each_target_asks_for_its_packages_before_anything_else() -> None:
    for target, names in (("setup", "python3-venv fuse3"), ("test-setup", "python3-venv fuse3 libfaketime")):
        done = subprocess.run(
            ["make", "--dry-run", "--always-make", target],
            cwd=ROOT,
            # Not as a part of the make that runs the tests: it would print more.
            env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert f"bin/setup-packages {names}" in done.stdout.splitlines()[0]
