"""The guides of the help, typed from top to bottom against a server on this machine that plays OpenNeuro and HCP."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mountnd.daemon import rundir
from mountnd.demo import dataset
from tests.promises.blocks import blocks
from tests.promises.statements import pages
from tests.support import cli
from tests.support.local_openneuro import BUCKET, DATASET, HCP_BUCKET, local_archives
from tests.support.quirky import Quirky, Request
from tests.support.sessions import Session, is_printed, mounted_below, session

pytestmark = pytest.mark.kernel

GUIDES = {
    Path(name).stem: text
    for name, text in pages(cli.ROOT)
    if any(block.mark.startswith("run in order") for block in blocks(text))
}
# Amazon's example, as the tutorial has it.
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@functools.cache
def bodies() -> dict[str, bytes]:
    """The files of the data set: made when they are first asked for, which takes seconds."""
    return dict(dataset.files())


@pytest.fixture(scope="module")
def archives() -> Iterator[Quirky]:
    with local_archives({KEY: SECRET}) as server:
        yield server


@pytest.fixture
def typist(archives: Quirky, tmp_path: Path) -> Iterator[Session]:
    """Somebody at a machine whose OpenNeuro and HCP are the local ones."""
    archives.switch()
    programs = {"sbatch": cli.ROOT / "tests/support/sbatch.py"}
    with session(tmp_path.resolve(), {"MOUNTND_ENDPOINT_URL": archives.url}, programs) as one:
        yield one


def of_bucket(log: list[Request], bucket: str) -> list[Request]:
    return [request for request in log if request.target.startswith(f"/{bucket}")]


def gets_of(log: list[Request], key: str) -> list[Request]:
    return [request for request in log if request.method == "GET" and key in request.target.partition("?")[0]]


def fetched(log: list[Request], key: str) -> int:
    """How many bytes of a file were asked for."""
    ranges = [re.fullmatch(r"bytes=(\d+)-(\d+)", get.headers["range"]) for get in gets_of(log, key)]
    return sum(int(found[2]) - int(found[1]) + 1 for found in ranges if found)


def the_tutorial(typist: Session, archives: Quirky) -> None:
    """What its sentences say beside its blocks."""
    log = archives.log()
    assert not any("authorization" in request.headers for request in of_bucket(log, BUCKET))
    assert of_bucket(log, HCP_BUCKET), "HCP was asked"
    assert all("authorization" in request.headers for request in of_bucket(log, HCP_BUCKET))
    assert not gets_of(log, "_bold.nii"), "what nobody reads is not fetched"
    for name in ("sub-01/anat/sub-01_T1w.nii.gz", "sub-02/anat/sub-02_T1w.nii.gz"):
        # However many read it: a copy, mounts, mountnd://, a prefetch.
        assert fetched(log, f"{DATASET}/{name}") == len(bodies()[name])
    image = next(text for text in typist.said.values() if re.search(r"\(\d+, \d+, \d+\)", text))
    assert "(160, 192, 160)\n(160, 192)" in image
    copied = (typist.home / "sub-01_T1w.nii.gz").read_bytes()
    assert len(copied) > 1 << 20 and copied[:2] == b"\x1f\x8b"
    assert len((typist.home / "sums.txt").read_text().splitlines()) == 2
    assert "<html" in (typist.home / "report.html").read_text().lower()
    credentials = typist.home / ".aws/credentials"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(credentials.parent.stat().st_mode) == 0o700
    assert not any(SECRET in text for text in typist.said.values())
    for top in (typist.home, rundir.run_dir()):
        for path in top.rglob("*"):
            if path != credentials and stat.S_ISREG(path.lstat().st_mode):
                assert SECRET.encode() not in path.read_bytes(), path
    assert not (typist.home / "openneuro").exists() and not (typist.home / "hcp").exists()


def the_batch_page(typist: Session, archives: Quirky) -> None:
    """Two tasks at once and what is prefetched afterwards: each byte has come once, to the cache that was named."""
    log = archives.log()
    for subject in ("sub-01", "sub-02"):
        name = f"{subject}/anat/{subject}_T1w.nii.gz"
        line = (typist.home / f"results/{subject}.txt").read_text()
        assert line.split()[0] == hashlib.md5(bodies()[name]).hexdigest()
        assert fetched(log, f"{DATASET}/{name}") == len(bodies()[name])
    assert (typist.home / "scratch/mountnd/blocks").is_dir() and not (typist.home / ".cache/mountnd/blocks").exists()
    assert list((typist.home / "tmp").glob("mountnd-*")) == []


def the_page_on_notebooks(typist: Session, archives: Quirky) -> None:
    notebook = json.loads((typist.home / "notebook.ipynb").read_text())
    assert notebook["nbformat"] == 4 and notebook["cells"]
    assert any("(2, 3)" in text for text in typist.said.values())


CHECKS: dict[str, Callable[[Session, Quirky], None]] = {
    "batch": the_batch_page,
    "notebooks": the_page_on_notebooks,
    "tutorial": the_tutorial,
}


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_from_top_to_bottom(guide: str, typist: Session, archives: Quirky) -> None:
    typist.play(GUIDES[guide])
    assert mounted_below(typist.home) == [], "everything that was mounted was unmounted"
    CHECKS[guide](typist, archives)


def profile(key: str = KEY, secret: str = SECRET, name: str = "hcp") -> str:
    return f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"


FROM_PYTHON = """
import fsspec, mountnd
try:
    mountnd.mount("hcp")
except mountnd.errors.MountError as error:
    print("MOUNT", error)
try:
    fsspec.filesystem("mountnd").ls("hcp/HCP_1200")
except PermissionError as error:
    print("FSSPEC", error)
"""


@pytest.mark.parametrize(
    ("credentials", "refusal", "seen"),
    [
        (None, None, "found no AWS credentials"),
        (profile(name="another"), None, "found no AWS credentials"),
        (profile(key="AKIAIOSFODNN7TYPING0"), None, "the server does not know this access key"),
        (profile(secret="wJalrXUtnFEMI/typing/error"), None, "the secret key does not match the access key"),
        (profile(), [403, "AccessDenied"], "AccessDenied"),
    ],
    ids=["no file", "no profile", "access key", "secret key", "terms"],
)  # fmt: skip
def test_what_is_seen_when_keys_are_missing_or_wrong(
    credentials: str | None, refusal: list[object] | None, seen: str, typist: Session, archives: Quirky
) -> None:
    """On the terminal and in Python, in the tutorial's words; and no secret, and no mount, is left."""
    assert f"| `{seen}` |" in GUIDES["tutorial"]
    if credentials is not None:
        file = typist.home / ".aws/credentials"
        file.parent.mkdir(mode=0o700)
        file.touch(0o600)
        file.write_text(credentials)
    try:
        if refusal:
            archives.switch(refusal=refusal, keys=[])
        done = typist.run("sh", "mountnd hcp ~/hcp")
        assert done.returncode == 1 and done.stdout == ""
        assert seen in done.stderr and "To get keys for hcp: make an account at https://balsa.wustl.edu" in done.stderr
        python = typist.run("python", FROM_PYTHON)
    finally:
        archives.switch(keys=None)
    assert python.returncode == 0, python.stderr
    by_mount, by_fsspec = (line for line in python.stdout.splitlines() if line.startswith(("MOUNT", "FSSPEC")))
    assert seen in by_mount and "https://balsa.wustl.edu" in by_mount
    assert seen in by_fsspec and "Permission denied" in by_fsspec
    assert SECRET not in done.stderr + python.stdout + python.stderr
    assert mounted_below(typist.home) == [] and not (typist.home / "hcp").exists()


@pytest.mark.parametrize(
    ("expected", "printed", "there"),
    [
        ("a ...\nc", "a b\nc\n", True),
        ("...\nb", "a\nb", True),
        ("a b", "a    b", True),
        ("a b", "a x b", False),
        ("b ... a", "a b", False),
        ("(1) ... 2", "(1) and 2", True),
    ],
)
def test_what_is_printed_is_looked_for(expected: str, printed: str, there: bool) -> None:
    assert is_printed(expected, printed) is there
