"""Who stats the files it lists, and who only wants their names. A policy: no I/O, no clock.

A listed file's attributes cost more than its name: a node of libfuse's and an inode of the kernel's, kept until the
kernel forgets it, and a call for each. `ls -l` wants them, since each would be asked for one by one otherwise; `find
-type f` and a glob do not. The kernel does not say which it is, and asks for nothing that it was given. So a reader (a
thread, as the kernel numbers it) gets attributes in its first directory, where a program that ends after it is served
best; then names, until it is seen to stat a file; then attributes again, but for a directory now and then, which shows
whether it still does. Attributes of directories come in any case: who walks needs them.
"""

from __future__ import annotations

# Directories that a reader who is not known gets with attributes.
FIRST = 1
# One of so many comes without for a reader that stats, which costs it a question for each file.
PROBE = 256
# Readers remembered, some 200 bytes each. Then all are forgotten, which costs each a directory of attributes.
READERS = 4096


class StatHabits:
    """The readers of one mount. No lock: a lost count is a directory with attributes more or less."""

    def __init__(self) -> None:
        self._read: dict[int, int] = {}  # directories that it has begun to read
        self._stat: set[int] = set()  # those that were seen to stat

    def begins_directory(self, reader: int) -> bool:
        """A reader begins to read a directory; whether with attributes."""
        if len(self._read) >= READERS:
            self._read.clear()
            self._stat.clear()
        count = self._read[reader] = self._read.get(reader, 0) + 1
        if count % PROBE == 0:
            self._stat.discard(reader)
        return self.wants_attributes(reader)

    def wants_attributes(self, reader: int) -> bool:
        """Whether it gets attributes with the rest of its directory."""
        return reader in self._stat or self._read.get(reader, 0) <= FIRST

    def stats_file(self, reader: int) -> None:
        """A reader asks for the attributes of a file."""
        if reader in self._read:
            self._stat.add(reader)
