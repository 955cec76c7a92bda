from __future__ import annotations

import asyncio
import random

import pytest

from controlplane.kube.clock import Backoff, LoopClock


class Longest(random.Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        assert a <= b
        return b


def test_pauses_double_up_to_the_longest() -> None:
    backoff, now, pauses = Backoff(Longest()), 0.0, []
    for _ in range(8):
        pauses.append(backoff.failed(now))
        now += pauses[-1] + 5.0
    assert pauses == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_two_minutes_of_calm_and_it_begins_anew() -> None:
    backoff = Backoff(Longest())
    now = 0.0
    for _ in range(5):
        now += backoff.failed(now)
    assert backoff.failed(now + 119.0) == 25.6
    assert backoff.failed(now + 119.0 + 25.6 + 120.1) == 0.8


def test_the_whole_pause_is_jitter() -> None:
    pauses = [Backoff(random.Random(seed)).failed(0.0) for seed in range(500)]
    assert min(pauses) < 0.05
    assert max(pauses) > 0.75
    assert all(0.0 <= pause <= 0.8 for pause in pauses)


async def test_the_loops_clock_is_a_clock() -> None:
    clock = LoopClock()
    before, called = clock.now(), asyncio.Event()
    clock.later(0.0, called.set)
    await called.wait()
    await clock.sleep(0)
    assert clock.now() >= before
    assert clock.wall() > 1_700_000_000
    with pytest.raises(TimeoutError):
        async with clock.timeout(0.0):
            await asyncio.Event().wait()
