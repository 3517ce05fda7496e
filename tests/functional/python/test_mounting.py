"""`mountnd.mount`: mounted while the block runs, and gone however that ends."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import mountnd
from mountnd.daemon import rundir
from mountnd.errors import ConfigError, MountError, UsageError
from tests.support import tree
from tests.support.cli import ROOT, environment, is_mounted
from tests.support.tree import Bucket
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kernel

LIMIT_S = 90.0


@pytest.fixture
def given(dataset: Bucket, tmp_path: Path) -> dict[str, Any]:
    """Options by name."""
    return {
        "endpoint_url": dataset.url, "anonymous": True, "region": "us-east-1", "cache_dir": tmp_path / "cache",
    }  # fmt: skip


@pytest.fixture
def source(dataset: Bucket) -> str:
    return f"s3://{dataset.name}"


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    before = {record.mountpoint for record in rundir.records()}
    yield
    left = [record for record in rundir.records() if record.mountpoint not in before]
    for record in left:
        subprocess.run(["fusermount3", "-u", "-z", record.mountpoint], check=False, capture_output=True, timeout=20)
    assert left == []


def test_a_block(source: str, given: dict[str, Any]) -> None:
    with mountnd.mount(source, **given) as root:
        assert isinstance(root, Path) and root.is_absolute() and is_mounted(root)
        assert {path.name for path in root.iterdir()} == tree.DIRECTORIES[""]
        assert (root / tree.BIG).read_bytes() == tree.content(tree.BIG, tree.BIG_SIZE)
        record = rundir.find(root)
        assert record is not None and record.alive()
        assert any(one["mountpoint"] == str(root) and one["state"] == "ok" for one in mountnd.mounts())
    assert not root.exists() and not root.parent.exists()
    assert not record.alive()


def test_without_a_block(source: str, given: dict[str, Any], tmp_path: Path) -> None:
    where = tmp_path / "here"
    mount = mountnd.mount(source, where, **given)
    assert mount.path == where and os.fspath(mount) == str(where) and (mount / "sub-01").is_dir()
    assert str(where) in repr(mount) and "unmounted" not in repr(mount)
    mount.unmount()
    mount.close()  # again does nothing
    assert "unmounted" in repr(mount) and not where.exists()
    with pytest.raises(MountError, match="unmounted already"), mount:
        pass
    where.mkdir()
    with mountnd.mount(source, str(where), **given):
        assert is_mounted(where)
    assert where.is_dir() and not list(where.iterdir())  # it was there before


def test_an_exception_passes_through(source: str, given: dict[str, Any]) -> None:
    with pytest.raises(ZeroDivisionError), mountnd.mount(source, **given) as root:
        1 / 0  # noqa: B018
    assert not root.exists()


def test_options_are_those_of_the_command(source: str, given: dict[str, Any]) -> None:
    more = {
        "memory": 16 << 20,
        "ttl": float("inf"),
        "file_mode": 0o400,
        "timeout": 30.0,
        "verbose": 1,
        "offline": False,
    }
    with mountnd.mount(source, **given, **more, dir_mode="0500") as root:
        assert (root / tree.BIG).stat().st_mode & 0o777 == 0o400
        assert root.stat().st_mode & 0o777 == 0o500


def test_what_the_environment_says_of_the_terminal_does_not_matter(
    source: str, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOUNTND_FOREGROUND", "1")
    monkeypatch.setenv("MOUNTND_MEMORY", "64M")
    with mountnd.mount(source, **given) as root:
        assert (root / "sub-01").is_dir()


def test_several_at_once_and_one_in_another(source: str, given: dict[str, Any], bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("f", b"x")
    with ThreadPoolExecutor(3) as pool:  # as in a notebook with threads
        made = list(pool.map(lambda _: mountnd.mount(source, **given), range(3)))
    assert len({mount.path for mount in made}) == 3
    with mountnd.mount([f"{source}/sub-01", f"s3://{bucket.name}"], **given) as both:
        assert {path.name for path in both.iterdir()} == {"sub-01", bucket.name}
        assert (both / bucket.name / "f").read_bytes() == b"x"
    for mount in made:
        assert (mount.path / "sub-01").is_dir()
        mount.unmount()


def test_what_is_still_open_goes_on(source: str, given: dict[str, Any]) -> None:
    """As with an image that numpy maps: the mount is gone from the tree, and ends with the last file."""
    with mountnd.mount(source, **given) as root:
        record = rundir.find(root)
        file = (root / tree.BIG).open("rb")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    assert not root.exists() and record is not None
    assert mapped[:] == tree.content(tree.BIG, tree.BIG_SIZE)
    mapped.close()
    file.close()
    wait_until(lambda: not record.alive(), "the daemon's end", LIMIT_S)


def test_the_working_directory_may_be_inside(source: str, given: dict[str, Any]) -> None:
    before = Path.cwd()
    try:
        with mountnd.mount(source, **given) as root:
            os.chdir(root / "sub-01")
            assert sorted(os.listdir()) == ["anat", "func"]
        assert not is_mounted(root)
    finally:
        os.chdir(before)
    with mountnd.mount(source, **given):
        assert Path.cwd() == before
    assert Path.cwd() == before


@pytest.mark.parametrize(
    ("args", "options", "kind", "message"),
    [
        ((), {}, UsageError, "say what to mount"),
        (("opennuro",), {}, UsageError, "opennuro: no such source or preset: did you mean openneuro"),
        (("s3://dataset",), {"ttl": "soon"}, UsageError, "ttl: 'soon' is not a number of seconds"),
        (("s3://dataset",), {"memry": 1}, UsageError, "memry: no such option: did you mean memory?"),
        (("s3://dataset",), {"foreground": True}, UsageError, "foreground: a mount from Python is always"),
        (("s3://dataset",), {"config": "/nosuch.toml"}, ConfigError, "/nosuch.toml"),
        (("s3://nosuchbucket",), {}, MountError, "s3://nosuchbucket: no such bucket"),
        (("s3://dataset/sub-1",), {}, MountError, "s3://dataset/sub-1: nothing lies below this prefix: did you mean"),
        (("s3://dataset", "/proc/x"), {}, MountError, "/proc/x is missing and cannot be made"),
        (("s3://dataset", __file__), {}, MountError, f"{__file__} is a file"),
    ],
)
def test_what_is_wrong_is_said(
    given: dict[str, Any],
    args: tuple[str, ...],
    options: dict[str, Any],
    kind: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(kind) as raised:
        mountnd.mount(*args, **{**given, **options})
    assert str(raised.value).startswith(message), str(raised.value)
    assert not list(tmp_path.glob("mountnd-*"))


def script(code: str, *args: str, **more: Any) -> subprocess.Popen[str]:
    """A Python program that may use `MOUNT()`."""
    preface = (
        "import os, sys, time, json, mountnd\nMOUNT = lambda: mountnd.mount(sys.argv[1], **json.loads(sys.argv[2]))\n"
    )
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-c", preface + textwrap.dedent(code), *args],
        cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, **more,
    )  # fmt: skip


def as_args(source: str, given: dict[str, Any]) -> list[str]:
    import json

    return [source, json.dumps(given, default=str)]


@pytest.mark.parametrize(
    "code",
    [
        "m = MOUNT(); print(m.path)",
        "print(MOUNT().path)",  # nobody keeps it: it stays until the end all the same
        "m = MOUNT(); print(m.path, flush=True); sys.exit(3)",
        "m = MOUNT(); print(m.path, flush=True); raise RuntimeError('on purpose')",
        """
        with MOUNT() as root:
            print(root, flush=True)
            pid = os.fork()
            if not pid:
                sys.exit(0)  # the child leaves the block, and its interpreter ends in good order
            os.waitpid(pid, 0)
            assert os.path.isdir(root / "sub-01")
        """,
    ],
)
def test_the_end_of_the_interpreter_unmounts(source: str, given: dict[str, Any], code: str) -> None:
    process = script(code, *as_args(source, given))
    out, err = process.communicate(timeout=LIMIT_S)
    path = Path(out.split()[0])
    assert not path.exists() and not path.parent.exists(), err
    assert "Exception ignored" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_signal_leaves_no_mount(source: str, given: dict[str, Any], number: int) -> None:
    """Also one that no program can handle: another process looks after that."""
    code = """
    with MOUNT() as root:
        print(root, flush=True)
        time.sleep(100)
    """
    process = script(code, *as_args(source, given), start_new_session=True)
    assert process.stdout is not None
    try:
        path = Path(process.stdout.readline().strip())
        assert is_mounted(path)
        os.killpg(process.pid, number)  # as a terminal does
        process.wait(LIMIT_S)
        wait_until(lambda: not path.exists() and not path.parent.exists(), f"{path} gone", LIMIT_S)
        wait_until(lambda: rundir.find(path) is None, "its record gone", LIMIT_S)
    finally:
        process.kill()
        process.communicate()


def test_somebody_else_may_have_unmounted_it(source: str, given: dict[str, Any], tmp_path: Path) -> None:
    where = tmp_path / "here"
    with mountnd.mount(source, where, **given):
        subprocess.run(["fusermount3", "-u", str(where)], check=True, timeout=20)
        wait_until(lambda: rundir.find(where) is None, "the daemon's end", LIMIT_S)
    assert not is_mounted(where)


def test_a_checkout_that_only_sys_path_knows(source: str, given: dict[str, Any], tmp_path: Path) -> None:
    """And a module of ours, or of Python's, in the working directory is not taken for the real one."""
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import json, mountnd\n"
    code += "with mountnd.mount(sys.argv[1], **json.loads(sys.argv[2])) as root: print(root.is_dir())"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *as_args(source, given)], cwd=tmp_path, env=env, capture_output=True,
        text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.stdout == "True\n", done.stderr
