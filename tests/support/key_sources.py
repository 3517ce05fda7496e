"""Where a program finds its AWS keys, which change: a file, a credential process, STS, SSO, a container's agent."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .servers import SCRIPTS, script_server

KINDS = ("file", "process", "process that tells no end", "role", "web identity", "sso", "container")

_START = "https://login.example/start"

_PROCESS = """
import json, pathlib, sys
runs = pathlib.Path(sys.argv[1]).with_name("runs")
with runs.open("a") as file:
    file.write("x")
keys = json.loads(pathlib.Path(sys.argv[1]).read_text())
if len(sys.argv) > 2:
    del keys["Expiration"]
print(json.dumps(keys))
"""


class KeySource:
    """Keys that a program finds when `environment` is added to its own; `HOME` is among it.

    Args:
        where: an empty directory.
        kind: one of KINDS.
        url: of the server that gives keys by HTTP (`server_scripts/key_server.py`), which reads `where`/keys.
    """

    def __init__(self, where: Path, kind: str, url: str = "") -> None:
        self._where, self._kind = where, kind
        self._keys = where / "keys"
        aws, config = where / ".aws", "[default]\nregion = us-east-1\n"
        aws.mkdir()
        (where / "process.py").write_text(_PROCESS)
        if kind.startswith("process"):
            end = "" if kind == "process" else " forget"
            config += f"credential_process = {sys.executable} {where}/process.py {self._keys}{end}\n"
        elif kind == "role":
            config += "role_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = person\n"
            config += "[profile person]\naws_access_key_id = person\naws_secret_access_key = secret\n"
        elif kind == "web identity":
            (where / "token").write_text("a token")
            config += f"role_arn = arn:aws:iam::123456789012:role/reader\nweb_identity_token_file = {where}/token\n"
        elif kind == "sso":
            config += f"sso_start_url = {_START}\nsso_region = us-east-1\n"
            config += "sso_account_id = 123456789012\nsso_role_name = reader\n"
            cache = aws / "sso" / "cache"
            cache.mkdir(parents=True)
            ends = (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
            login = {"startUrl": _START, "region": "us-east-1", "accessToken": "a token", "expiresAt": ends}
            (cache / f"{hashlib.sha1(_START.encode()).hexdigest()}.json").write_text(json.dumps(login))
        (aws / "config").write_text(config)
        self.environment = {
            "HOME": str(where),
            "AWS_CONFIG_FILE": str(aws / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(aws / "credentials"),
            "AWS_ENDPOINT_URL_STS": url,
            "AWS_ENDPOINT_URL_SSO": url,
        }
        if kind == "container":
            self.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}/container"

    def put(self, key: str, seconds: float = 3600.0) -> None:
        """Give this access key id from now on. `seconds`: how long it says to be good."""
        ends = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        keys = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": "secret", "SessionToken": f"token of {key}"}
        _write(self._keys, json.dumps({**keys, "Expiration": ends}))
        if self._kind == "file":
            text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = secret\n"
            _write(self._where / ".aws" / "credentials", text)

    @property
    def runs(self) -> int:
        """How often the credential process has been run."""
        runs = self._where / "runs"
        return len(runs.read_text()) if runs.exists() else 0


@contextmanager
def key_source(where: Path, kind: str, *, skew: float = 0.0) -> Iterator[KeySource]:
    """A source of this kind, with its server if it has one.

    Args:
        where: an empty directory.
        skew: seconds by which the server's clock is ahead.
    """
    if kind in ("role", "web identity", "sso", "container"):
        with script_server(SCRIPTS / "key_server.py", str(where / "keys"), str(skew)) as port:
            yield KeySource(where, kind, f"http://127.0.0.1:{port}")
    else:
        yield KeySource(where, kind)


def _write(path: Path, text: str) -> None:
    """At once: whoever reads it finds the old text or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    os.replace(new, path)
