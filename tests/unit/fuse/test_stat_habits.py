"""Who gets attributes with a directory: traces of programs that list, with what each costs."""

from __future__ import annotations

from collections.abc import Iterable

from mountnd.fuse.stat_habits import FIRST, PROBE, READERS, StatHabits

FILES = 10


def walk(habits: StatHabits, reader: int, directories: int, *, stats: bool) -> tuple[int, int]:
    """Read so many directories of `FILES` files each, as find does or as `ls -lR`.

    Returns (entries with attributes given, files asked for one by one).
    """
    given = asked = 0
    for _ in range(directories):
        if habits.begins_directory(reader):
            given += FILES
        elif stats:
            for _ in range(FILES):
                habits.stats_file(reader)
                asked += 1
    return given, asked


def test_who_stats_nothing_gets_attributes_in_its_first_directory_only() -> None:
    assert walk(StatHabits(), 1, 1000, stats=False) == (FIRST * FILES, 0)


def test_a_program_that_lists_one_directory_gets_its_attributes() -> None:
    assert walk(StatHabits(), 1, 1, stats=True) == (FILES, 0)


def test_who_stats_is_noticed_in_one_directory_and_asked_again_now_and_then() -> None:
    given, asked = walk(StatHabits(), 1, PROBE * 10, stats=True)
    assert asked == FILES * 11  # once to be noticed, then one of `PROBE`
    assert given == PROBE * 10 * FILES - asked


def test_who_stops_to_stat_is_noticed_within_a_few_hundred_directories() -> None:
    habits = StatHabits()
    walk(habits, 1, 10, stats=True)
    given, _ = walk(habits, 1, 10 * PROBE, stats=False)
    assert given <= PROBE * FILES


def test_a_large_directory_goes_on_with_attributes_once_a_file_is_asked_for() -> None:
    habits = StatHabits()
    walk(habits, 1, FIRST, stats=False)
    assert not habits.begins_directory(1)
    assert not habits.wants_attributes(1)
    habits.stats_file(1)
    assert habits.wants_attributes(1)


def test_readers_do_not_know_of_each_other() -> None:
    habits = StatHabits()
    walk(habits, 1, 10, stats=True)
    assert walk(habits, 2, 100, stats=False) == (FIRST * FILES, 0)
    assert habits.begins_directory(1)


def test_a_program_that_lists_nothing_is_not_remembered() -> None:
    habits = StatHabits()
    _stat(habits, range(100))
    assert not habits._stat


def test_no_more_than_so_many_readers_are_remembered() -> None:
    habits = StatHabits()
    for reader in range(3 * READERS):
        habits.begins_directory(reader)
        habits.stats_file(reader)
        assert len(habits._read) <= READERS
        assert len(habits._stat) <= READERS


def _stat(habits: StatHabits, readers: Iterable[int]) -> None:
    for reader in readers:
        habits.stats_file(reader)
