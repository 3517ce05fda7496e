"""One verification over a real vfs, catalogue, memory and disk cache, and a store in memory that tells digests."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from mountnd.catalog.catalogue import Catalogue
from mountnd.checks.digest import Digest, Told
from mountnd.errors import MountError, ServerFault
from mountnd.jobs import verify
from mountnd.jobs.request import VerifyRequest
from mountnd.jobs.verify import Verify
from mountnd.jobs.verify_report import FINDING, VerifyReport
from mountnd.stores.base import Deadline, ObjectId
from mountnd.stores.memory import MemoryStore
from mountnd.vfs.inodes import Ownership
from mountnd.vfs.tree import Vfs
from mountnd.workers import Waiter
from tests.unit.blocks.harness import PATIENCE_S, BlocksHarness

CONTENT = {f"d/{i}.nii": b"%d" % i * 40_000 for i in range(8)}


class TellingStore(MemoryStore):
    """It knows the SHA-256 of what was put, and gives other bytes of keys in `wrong`."""

    wrong: frozenset[str] = frozenset()
    gone = False

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        value = hashlib.sha256(CONTENT[id.key]).hexdigest()
        return Told((Digest("checksum", "sha256", value),))

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        if self.gone:
            raise ServerFault("gone away")
        super().read(id, start, views, deadline=deadline)
        if id.key in self.wrong:
            views[0][0] ^= 1


class Place:
    def __init__(self) -> None:
        self.store = TellingStore()
        self.harness = BlocksHarness(store=self.store)
        names: dict[str, Any] = {
            "ttl": 300.0, "workers": self.harness.workers, "waiter": Waiter(), "timeout": PATIENCE_S,
        }  # fmt: skip
        self.catalogue = Catalogue(self.store, stats=self.harness.stats, **names)
        self.vfs = Vfs({"s": self.catalogue}, self.harness.blocks, Ownership(uid=0, gid=0), self.harness.stats)

    def run(self, *paths: str, **asked: Any) -> dict[str, Any]:
        job = Verify(self.vfs, self.harness.blocks, VerifyRequest(paths=paths or ("",), **asked))
        job.run()
        return job.snapshot()


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    with place.harness:
        for key, data in CONTENT.items():
            place.store.put(key, data)
        yield place
        place.catalogue.close()


def test_all_match(place: Place) -> None:
    told = place.run()
    assert (told["files"], told["done"], told["verified"]) == (8, 8, 8) and told["failures"] == []
    assert told["by"] == [["checksum", "sha256", 8, told["bytes"]], ["etag", "md5", 8, told["bytes"]]]


def test_what_came_from_where_and_which_is_wrong(place: Place) -> None:
    place.store.wrong = frozenset({"d/1.nii"})
    told = place.run()
    (finding,) = told["failures"]
    assert (finding["path"], finding["from_source"], finding["source"]) == ("d/1.nii", 40_000, None)
    place.store.wrong = frozenset()
    (finding,) = place.run(from_source=True)["failures"]
    assert (finding["from_memory"], finding["from_source"], finding["source"]) == (40_000, 0, "agrees")
    place.store.wrong = frozenset({"d/1.nii"})
    (finding,) = place.run(from_source=True)["failures"]
    assert finding["source"] == "differs" and tuple(finding) == FINDING


def test_a_source_that_goes_away_ends_it_soon(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "OUTAGE", 3)
    monkeypatch.setattr(verify, "THREADS", 1)
    place.store.gone = True
    told = place.run()
    assert "nothing comes any more: gone away" in told["stopped"] and told["unreadable"] == 3


def test_few_threads_do_it_too_and_none_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[threading.Thread] = []

    def one(thread: threading.Thread) -> None:
        if made:
            raise MountError("no thread is granted")
        made.append(thread)
        thread.start()

    monkeypatch.setattr(verify, "start", one)
    assert place.run()["verified"] == 8
    assert "no thread is granted" in place.run()["stopped"]


def test_it_ends_when_it_is_cancelled(place: Place) -> None:
    job = Verify(place.vfs, place.harness.blocks, VerifyRequest(paths=("",)))
    job.cancel()
    job.run()
    told = job.snapshot()
    assert told["cancelled"] and told["verified"] == 0 and told["phase"] == "ended"


def test_findings_are_forgotten_once_they_were_told() -> None:
    report = VerifyReport()
    for i in range(1200):
        report.failed(f"f{i}", "why")
    assert [one["path"] for one in report.snapshot()["failures"]] == [f"f{i}" for i in range(500)]
    assert report.snapshot(500)["failures"][0]["path"] == "f500"
    assert len(report.snapshot(1000)["failures"]) == 200 and report.snapshot(1200)["failures"] == []
    assert report.snapshot()["unreadable"] == 1200
