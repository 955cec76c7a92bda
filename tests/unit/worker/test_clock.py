"""The time of a loop turn: one for the whole turn, and never one of before a wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from dataplane.worker.clock import Clock, now_ms

LONG = 200
"""Milliseconds that a loop waits for something here; what a busy machine adds makes no difference to what is asked."""

Loops = Callable[[], asyncio.AbstractEventLoop]
both = pytest.mark.parametrize('loops', [asyncio.new_event_loop, uvloop.new_event_loop])


def spend(ms: int) -> None:
    until = now_ms() + ms
    while now_ms() < until:
        pass


@both
def test_a_turn_has_one_time_and_the_next_has_its_own(loops: Loops) -> None:
    async def turn() -> None:
        clock = Clock(asyncio.get_running_loop())
        before = now_ms()
        first, wall = clock.ms(), clock.wall()
        spend(5)
        assert (clock.ms(), clock.wall()) == (first, wall)
        await asyncio.sleep(0)
        after = now_ms()
        assert before <= first <= after - 5
        assert after <= clock.ms() <= now_ms()
        assert clock.wall() > wall

    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(turn())


@both
def test_what_wakes_a_loop_finds_no_time_of_before_it_waited(loops: Loops) -> None:
    async def wait() -> None:
        loop = asyncio.get_running_loop()
        clock = Clock(loop)
        asked = clock.ms()
        woken: asyncio.Future[int] = loop.create_future()
        loop.call_later(LONG / 1_000, lambda: woken.set_result(clock.ms()))
        assert clock.ms() == asked
        # a timer fires a little early by another clock: not by half of its time
        assert await asyncio.wait_for(woken, 30) >= asked + LONG // 2

    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(wait())
