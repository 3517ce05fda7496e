"""Asks a service which snapshots a data set has, and which files: OpenNeuro's GraphQL, and what speaks like it.

One query gives all files of a snapshot; more is asked only where that one has no answer, to say why.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from ..errors import BadAnswer, NotFound, ServerFault, StoreError, Throttled
from ..stores.base import Deadline
from ..stores.http.client import WebClient
from ..stores.retry import delay
from .answers import SnapshotFile, Tag, because, data_of, files_of, tags_of

log = logging.getLogger(__name__)

# Bytes of an answer. A file takes some 400; the largest data sets have some hundred thousand files.
_ANSWER_MAX = 1 << 30
# The service makes a list of many files before it answers with the first byte. openneuro-py waits 15 s.
SILENCE_S = 60.0
# How often one query is made where the service is overloaded, or fails.
_ATTEMPTS = 4
# Codes of errors that are about the service, and about what it was asked for.
UNAVAILABLE, UNKNOWN = "SnapshotService", "NoSuchSnapshot"

_FILES = "{ snapshot(datasetId: %s, tag: %s) { files(recursive: true) { filename urls size id } } }"
_TAGS = "{ dataset(id: %s) { snapshots { tag created size } } }"
_TAGS_ALONE = "{ dataset(id: %s) { snapshots { tag created } } }"
_SIZES = "{ snapshot(datasetId: %s, tag: %s) { files(recursive: true) { filename size } } }"


class Service:
    """Raises StoreError; in all but NotFound the code is `UNAVAILABLE`.

    Args:
        url: of its GraphQL.
        silence: seconds that it may take before it answers.
    """

    def __init__(self, url: str, *, silence: float = SILENCE_S) -> None:
        self.url, self._silence = url, silence
        self._name = f"the service of snapshots {url}"
        self._web = WebClient(connections=4)

    def files(self, dataset: str, tag: str, deadline: Deadline) -> list[SnapshotFile]:
        """All files of a snapshot. Raises NotFound, which names the tags that there are."""
        answer, said = self._ask(_FILES, deadline, datasetId=dataset, tag=tag)
        snapshot = answer.get("snapshot")
        if isinstance(snapshot, dict) and snapshot.get("files") is not None:
            return files_of(snapshot["files"], f"{self._name}: {dataset}@{tag}")
        there = [one.tag for one in self.tags(dataset, deadline)]
        if tag in there:
            raise BadAnswer(f"{self._name}: it lists no files of {dataset}@{tag}{because(said)}", code=UNAVAILABLE)
        raise _no_such_tag(dataset, tag, there)

    def tags(self, dataset: str, deadline: Deadline) -> list[Tag]:
        """The snapshots of a data set, the oldest first. Raises NotFound where there is no such data set."""
        answer, said = self._ask(_TAGS, deadline, id=dataset)
        if answer.get("dataset") is None and any("size" in one for one in said):  # an older schema has none
            answer, said = self._ask(_TAGS_ALONE, deadline, id=dataset)
        found = answer.get("dataset")
        if not isinstance(found, dict):
            raise NotFound(
                f"{self._name} knows no public data set {dataset}{because(said)}; check its number", code=UNKNOWN
            )
        return tags_of(found.get("snapshots"), f"{self._name}: {dataset}")

    def size(self, dataset: str, tag: str, deadline: Deadline) -> int | None:
        """The sum of all files, for a service that does not tell it beside the tags; None where it cannot be had."""
        answer, _ = self._ask(_SIZES, deadline, datasetId=dataset, tag=tag)
        snapshot = answer.get("snapshot")
        if not isinstance(snapshot, dict) or snapshot.get("files") is None:
            return None
        return sum(file.size for file in files_of(snapshot["files"], f"{self._name}: {dataset}@{tag}"))

    def close(self) -> None:
        """Drop the connections."""
        self._web.close()

    def _ask(self, query: str, deadline: Deadline, **arguments: str) -> tuple[dict[str, Any], list[str]]:
        """`data` of the answer, {} where it is null; and the messages of what went wrong with the rest."""
        failures = 0
        while True:
            try:
                return self._ask_once(query, arguments, deadline)
            except (ServerFault, Throttled) as error:
                failures += 1
                if failures == _ATTEMPTS:
                    raise _coded(error) from error
                pause = delay(failures, 0.5, throttled=isinstance(error, Throttled))
                log.info("%s; again in %.1f s", error, pause)
                deadline.sleep(pause)
            except StoreError as error:
                raise _coded(error) from error

    def _ask_once(
        self, query: str, arguments: Mapping[str, str], deadline: Deadline
    ) -> tuple[dict[str, Any], list[str]]:
        # The arguments stand in the query, and beside it, where some services look.
        asked = {"query": query % tuple(map(json.dumps, arguments.values())), "variables": arguments}
        status, body = self._web.post(
            self.url,
            json.dumps(asked).encode(),
            {"Content-Type": "application/json", "Accept": "application/json"},
            self._name,
            deadline,
            most=_ANSWER_MAX,
            silence=self._silence,
        )
        return data_of(status, body, self._name)


def _coded(error: StoreError) -> StoreError:
    """The error with a code that tells it from those of the bucket."""
    return type(error)(str(error), code=UNAVAILABLE)


def _no_such_tag(dataset: str, tag: str, there: list[str]) -> NotFound:
    if not there:
        return NotFound(f"{dataset} has no snapshots yet; without @{tag} it is what the bucket shows now", code=UNKNOWN)
    listed = ", ".join(there[-20:]) + (f" and {len(there) - 20} older ones" if len(there) > 20 else "")
    return NotFound(f"{dataset} has no snapshot {tag}; it has {listed}", code=UNKNOWN)
