"""What a key set means as a tree, computed the slow and obvious way. No code of mountnd's is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def showable(segment: str) -> bool:
    """Whether a path component can be given to a kernel."""
    raw = segment.encode("utf-8", "surrogateescape")
    return 0 < len(raw) <= 255 and b"\0" not in raw and segment not in (".", "..")


class Tree:
    """The tree of `keys` (key -> size) below `root`."""

    def __init__(self, keys: Mapping[str, int], root: str = "") -> None:
        self.keys = {key: size for key, size in keys.items() if key.startswith(root)}
        self.root = root

    def is_dir(self, prefix: str) -> bool:
        """Whether a key prefix ending in "/" (or the root) is a directory."""
        if prefix == self.root:
            return True
        segments = prefix[len(self.root) : -1].split("/")
        return all(map(showable, segments)) and any(key.startswith(prefix) for key in self.keys)

    def listing(self, prefix: str) -> dict[str, str]:
        """name -> key of everything shown in a directory; a directory's key ends in "/"."""
        shown: dict[str, str] = {}
        for key in self.keys:
            segment, slash, _ = key[len(prefix) :].partition("/") if key.startswith(prefix) else ("", "", "")
            if key.startswith(prefix) and showable(segment) and (slash or segment not in shown):
                shown[segment] = prefix + segment + slash
        return shown

    def hidden(self, prefix: str) -> set[str]:
        """Keys (or prefixes, ending in "/") right in a directory that are not shown."""
        shown = set(self.listing(prefix).values())
        lost = set()
        for key in self.keys:
            if key == prefix:
                if self.keys[key] and prefix:
                    lost.add(key)
            elif key.startswith(prefix):
                segment, slash, _ = key[len(prefix) :].partition("/")
                if prefix + segment + slash not in shown:
                    lost.add(prefix + segment + slash)
        return lost

    def directories(self) -> Iterable[str]:
        """Every directory's prefix, parents before children."""
        todo = [self.root]
        while todo:
            prefix = todo.pop()
            yield prefix
            todo.extend(key for key in self.listing(prefix).values() if key.endswith("/"))
