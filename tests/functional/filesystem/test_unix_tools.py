"""Programs that people use on files, on a mount of the real kernel."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.children import run_program, run_python
from tests.support.doors import KernelDoor

pytestmark = pytest.mark.kernel


def local_digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_sha256sum_of_the_whole_tree(kernel: KernelDoor) -> None:
    out = run_program(["/bin/sh", "-c", "find . -type f -print0 | xargs -0 sha256sum"], cwd=os.fsdecode(kernel.path()))
    found = {line[66:].removeprefix("./"): line[:64] for line in out.splitlines()}
    assert found == tree.digests()


def test_cp(kernel: KernelDoor, tmp_path: Path) -> None:
    run_program(["cp", "-r", kernel.path("."), str(tmp_path / "copy")])
    assert local_digests(tmp_path / "copy") == tree.digests()
    assert (tmp_path / "copy/nested/hollow").is_dir()
    for path in [tmp_path / "copy", *(tmp_path / "copy").rglob("*")]:
        assert path.stat().st_mode & 0o200, f"its owner can neither edit nor delete {path}"


def test_cp_keeping_times_and_modes(kernel: KernelDoor, tmp_path: Path) -> None:
    run_program(["cp", "-a", kernel.path("sub-01"), str(tmp_path / "copy")])
    for path in ("", "anat", "anat/sub-01_T1w.json"):
        original, copy = os.stat(kernel.path(f"sub-01/{path}")), (tmp_path / "copy" / path).stat()
        assert (copy.st_mtime_ns, copy.st_mode) == (original.st_mtime_ns, original.st_mode), path


@pytest.mark.parametrize("sparse", [[], ["--sparse"]], ids=["tar", "tar-S"])
def test_tar(kernel: KernelDoor, tmp_path: Path, sparse: list[str]) -> None:
    """With -S, a file of no blocks would be written as zeros."""
    archive = tmp_path / "all.tar"
    run_program(["tar", "-C", kernel.path(), "-cf", str(archive), *sparse, "."])
    with tarfile.open(archive) as tar:
        members = {m.name.removeprefix("./"): tar.extractfile(m) for m in tar if m.isfile()}
        found = {name: hashlib.sha256(file.read()).hexdigest() for name, file in members.items() if file}
    assert found == tree.digests()


@pytest.mark.skipif(not shutil.which("rsync"), reason="rsync is not installed")
def test_rsync(kernel: KernelDoor, tmp_path: Path) -> None:
    argv: list[str | bytes] = ["rsync", "-a", "--stats", kernel.path("") + b"/", str(tmp_path / "copy")]
    run_program(argv)
    assert local_digests(tmp_path / "copy") == tree.digests()
    again = run_program(argv)
    assert "Number of regular files transferred: 0" in again, "size and mtime say that nothing changed"


def test_shutil_copytree(kernel: KernelDoor, tmp_path: Path) -> None:
    shutil.copytree(os.fsdecode(kernel.path()), tmp_path / "copy")
    assert local_digests(tmp_path / "copy") == tree.digests()


def test_find(kernel: KernelDoor) -> None:
    """find stops reading a directory early when it believes a link count of 2."""
    out = run_program(["find", ".", "-mindepth", "1", "-printf", r"%y %s %p\n"], cwd=os.fsdecode(kernel.path()))
    rows = [line.split(" ", 2) for line in out.splitlines()]
    assert {p[2:]: int(s) for y, s, p in rows if y == "f"} == tree.FILES
    assert {p[2:] for y, _, p in rows if y == "d"} == set(tree.DIRECTORIES) - {""}


def test_ls(kernel: KernelDoor) -> None:
    out = run_program(["ls", "-lnR", "--time-style=+%s", kernel.path()])
    assert "?" not in out
    for path, size in tree.FILES.items():
        assert f" {size} " in next(line for line in out.splitlines() if line.endswith(" " + path.rpartition("/")[2]))


def test_du_and_df(kernel: KernelDoor) -> None:
    apparent = int(run_program(["du", "-sb", "--exclude=.", kernel.path("sub-01/func")]).split()[0])
    files = sum(size for path, size in tree.FILES.items() if path.startswith("sub-01/func/"))
    assert files <= apparent <= files + 4096 * 2
    for options in ([], ["-i"], ["-h"]):
        assert os.fsdecode(kernel.path()) in run_program(["df", *options, kernel.path()])


def test_head_tail_and_cmp(kernel: KernelDoor, tmp_path: Path) -> None:
    expected = tree.content("participants.tsv", tree.FILES["participants.tsv"])
    head = run_program(["sh", "-c", 'head -c 7 "$0" | od -An -tx1', kernel.path("participants.tsv")])
    assert bytes.fromhex(head.replace(" ", "").strip()) == expected[:7]
    tail = run_program(["sh", "-c", 'tail -c 7 "$0" | od -An -tx1', kernel.path("participants.tsv")])
    assert bytes.fromhex(tail.replace(" ", "").strip()) == expected[-7:]
    (tmp_path / "copy").write_bytes(expected)  # another file: of one and the same, cmp would read nothing
    run_program(["cmp", kernel.path("participants.tsv"), str(tmp_path / "copy")])


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_git_finds_a_copied_tree_unchanged(kernel: KernelDoor, tmp_path: Path) -> None:
    """No x bit on files and honest sizes: a repository made of a copy sees no difference on the mount."""
    git = ["git", f"--git-dir={tmp_path / 'repo'}", f"--work-tree={os.fsdecode(kernel.path())}"]
    run_program([*git, "init", "-q"])
    run_program([*git, "add", "-A"])
    assert run_program([*git, "status", "--porcelain", "--untracked-files=no"]).replace("A  ", "").split() == sorted(
        tree.FILES
    )
    modes = run_program([*git, "ls-files", "--stage"])
    assert {line.split(" ")[0] for line in modes.splitlines()} == {"100644"}


def test_pythons_importer_searches_the_tree(kernel: KernelDoor) -> None:
    """A directory whose mtime is -1 breaks Python's importer. There is no module here, but its finder must not fail."""
    code = "import sys,importlib.util as u; sys.path.insert(0, sys.argv[1]); print(u.find_spec('nothing_of_the_kind'))"
    assert run_python(code, kernel.path()).strip() == "None"
