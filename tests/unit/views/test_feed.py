"""How long pieces are, and when connections are taken for fast."""

from __future__ import annotations

from itertools import accumulate, islice

from mountnd.views.feed import COLD_S, PIECE, ConnectionUse, piece_lengths


def test_pieces_begin_small_on_cold_connections_and_grow() -> None:
    lengths = list(islice(piece_lengths(cold=True), 100))
    assert lengths == sorted(lengths)
    assert lengths[0] < PIECE // 8
    assert lengths[-1] == PIECE
    assert max(accumulate(n for n in lengths if n < PIECE)) <= 10 * PIECE, "a few megabytes, not the whole file"


def test_pieces_are_long_on_connections_that_were_in_use() -> None:
    assert set(islice(piece_lengths(cold=False), 100)) == {PIECE}


def test_connections_are_fast_for_a_while_after_bytes_came() -> None:
    now = 100.0
    connections = ConnectionUse(lambda: now)
    assert connections.are_cold
    connections.used()
    now += COLD_S
    assert not connections.are_cold
    now += 0.1
    assert connections.are_cold
