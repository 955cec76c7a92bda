"""A turn of the loop has its time, and the next one has its own."""

from __future__ import annotations

import asyncio

from dataplane.worker.clock import now_ms
from dataplane.worker.turn import LONG, Turn


def spend(ms: int) -> None:
    until = now_ms() + ms
    while now_ms() < until:
        pass


async def test_a_turn_that_took_long_is_over_in_the_next() -> None:
    loop = asyncio.get_running_loop()
    one = Turn(loop)
    assert not one.is_long()
    spend(LONG)
    assert one.is_long()
    await asyncio.sleep(0)
    assert not one.is_long()


async def test_time_in_which_nothing_was_asked_counts_for_nothing() -> None:
    one = Turn(asyncio.get_running_loop())
    spend(LONG)
    assert not one.is_long()
