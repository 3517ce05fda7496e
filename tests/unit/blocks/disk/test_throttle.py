"""The disk cache's writer gives way."""

from __future__ import annotations

from mountnd.blocks.disk.throttle import pause_after


def test_the_busier_the_mount_the_longer_the_pauses() -> None:
    rests = [pause_after(0.01, processors) for processors in (0.0, 0.1, 0.25, 0.5, 1.0)]
    assert rests == sorted(rests) and len(set(rests)) == len(rests)
    assert pause_after(0.01, 4.0) == pause_after(0.01, 1.0)  # more than one cannot keep it from writing for ever
    assert pause_after(0.02, 0.5) == 2 * pause_after(0.01, 0.5)


def test_what_is_left_on_a_line_of_one_gbit_is_enough_to_keep_it() -> None:
    """A quarter of a processor brings 125 MB/s over TLS, and 0.5 s of it keep 1 GiB."""
    worked = 0.5 * 125e6 / 2**30  # for a second's bytes
    assert worked + pause_after(worked, 0.25) < 1


def test_what_has_waited_for_long_is_written_as_fast_as_in_an_idle_mount() -> None:
    """Whatever the readers do: it is to be on disk 2 s after it came, should the daemon be killed then."""
    assert pause_after(0.01, 1.0, late=True) == pause_after(0.01, 0.0) < pause_after(0.01, 1.0)
