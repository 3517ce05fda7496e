"""One listing's way through the product is short enough to be followed."""

from __future__ import annotations

from .call_path import entrances_by_file, opendir_of_an_unknown_directory


def test_opendir_of_an_unknown_directory_enters_each_file_at_most_three_times() -> None:
    """On the caller's thread and the worker's together."""
    times = entrances_by_file(opendir_of_an_unknown_directory())
    assert {
        "vfs/open_directories.py",
        "catalog/catalogue.py",
        "catalog/requests.py",
        "stores/memory.py",
    } <= times.keys()
    assert not {file: n for file, n in times.items() if n > 3}
