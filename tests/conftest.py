"""What holds for every test: nobody's own settings, credentials or cache take part, and nobody's are changed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest

from mountnd.daemon import rundir

from .promises import plugin
from .support.certificates import PrivateCA, make_private_ca
from .support.quirky import Quirky, quirky_server

_home: str | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Give the run, and every process it starts, an environment of its own.

    `AWS_*` and `MOUNTND_*` of whoever runs the tests go away (a developer's keys must neither be needed
    nor used), and the XDG directories lie in a temporary one, as does the run directory, so that nobody's own mounts
    are seen or ended. Without this line botocore would ask the
    link-local address of EC2 for credentials, and wait.
    """
    global _home
    plugin.pytest_configure(config)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, by what is tested here, too
    for name in [n for n in os.environ if n.startswith(("AWS_", "MOUNTND_"))]:
        del os.environ[name]
    _home = tempfile.mkdtemp(prefix="mountnd-tests-")
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["AWS_CONFIG_FILE"] = os.path.join(_home, "aws-config")
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(_home, "aws-credentials")
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = os.path.join(_home, name.lower())
    runtime = os.path.join(_home, "run")
    os.mkdir(runtime, 0o700)  # a run directory that others may write is refused
    os.environ["XDG_RUNTIME_DIR"] = runtime
    os.environ[rundir.VARIABLE] = os.path.join(runtime, "mountnd")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests of `make cluster`, unless they are asked for: they are long, and want servers of a cluster's."""
    if "cluster" not in config.getoption("markexpr"):
        for item in items:
            if item.get_closest_marker("cluster"):
                item.add_marker(pytest.mark.skip(reason="of `make cluster`"))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _home is not None:
        shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture(scope="module")
def quirky() -> Iterator[Quirky]:
    """An S3 server whose quirks are switches; it holds nothing yet."""
    with quirky_server() as server:
        yield server


@pytest.fixture(scope="session")
def private_ca(tmp_path_factory: pytest.TempPathFactory) -> PrivateCA:
    return make_private_ca(tmp_path_factory.mktemp("ca"))
