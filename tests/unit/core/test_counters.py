"""The counter block: every name has its own cell in it."""

from __future__ import annotations

from dataplane.core.counters import COUNTERS, C


def test_every_counter_has_its_cell_and_the_block_has_room_for_all() -> None:
    assert sorted(C) == list(range(len(C)))
    assert len(C) <= COUNTERS


def test_a_block_is_whole_cache_lines() -> None:
    assert COUNTERS * 8 % 64 == 0
