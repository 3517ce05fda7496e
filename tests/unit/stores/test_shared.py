from __future__ import annotations

from mountnd.stores.base import Deadline, ObjectId
from mountnd.stores.memory import MemoryStore
from mountnd.stores.shared import Shared, by_identity


class Recording(MemoryStore):
    """Says which keys were asked of it."""

    def __init__(self, source: str, root: str) -> None:
        super().__init__({})
        self.source, self.root, self.asked = source, root, list[str]()

    def read(self, id: ObjectId, start: int, views: object, *, deadline: Deadline) -> None:
        self.asked.append(id.key)


def test_each_key_is_read_by_the_store_it_belongs_to() -> None:
    whole, below, beside = Recording("s", ""), Recording("s", "a/b/"), Recording("s", "a/c/")
    store = by_identity([whole, below, beside])["s"]
    for key in ("x", "a/b/k", "a/c/k", "a/bk"):
        store.read(ObjectId("s", key, ""), 0, [], deadline=Deadline(1))
    assert (whole.asked, below.asked, beside.asked) == (["x", "a/bk"], ["a/b/k"], ["a/c/k"])


def test_other_identities_stay_apart() -> None:
    one, other = Recording("s", ""), Recording("s#env", "")
    assert by_identity([one, other]) == {"s": one, "s#env": other}
    assert not isinstance(by_identity([one])["s"], Shared)
