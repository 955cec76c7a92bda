"""K1 to K4 of controlplane/kube/queue.py."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.kube.queue import KeyQueue
from tests.kube.fakeclock import ManualClock


async def test_k2_a_key_waits_once_in_its_first_place() -> None:
    queue: KeyQueue[str] = KeyQueue()
    for key in ('a', 'b', 'a', 'c', 'b'):
        queue.put(key)
    assert len(queue) == 3
    assert [await queue.get() for _ in range(3)] == ['a', 'b', 'c']


async def test_k3_a_key_that_is_worked_on_waits_for_its_end() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.put('a')
    assert await queue.get() == 'a'
    queue.put('a')
    queue.put('a')
    assert len(queue) == 0
    queue.put('b')
    queue.done('a')
    assert await queue.take() == ('b', 'a')


async def test_a_getter_waits_and_is_woken() -> None:
    queue: KeyQueue[str] = KeyQueue()
    getters = [asyncio.ensure_future(queue.get()) for _ in range(2)]
    taker = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    for key in 'abc':
        queue.put(key)
    assert {await getters[0], await getters[1]} == {'a', 'b'}
    assert await taker == ('c',)


async def test_a_getter_that_gives_up_takes_nothing() -> None:
    queue: KeyQueue[str] = KeyQueue()
    getter = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.put('a')
    getter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await getter
    assert await queue.take() == ('a',)


async def test_failures_of_a_key_make_its_pause_longer_and_success_forgets_them() -> None:
    clock = ManualClock()
    queue: KeyQueue[str] = KeyQueue(clock, random.Random(1))
    queue.put('a')
    pauses = []
    for _ in range(12):
        assert await queue.get() == 'a'
        pauses.append(queue.retry('a'))
        assert len(queue) == 0
        await clock.advance(pauses[-1])
    bounds = [min(0.1 * 2**number, 60.0) for number in range(12)]
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert await queue.get() == 'a'
    queue.done('a')
    queue.put('a')
    await queue.get()
    assert queue.retry('a') <= 0.1


async def test_news_are_not_held_back_by_a_pause() -> None:
    clock = ManualClock()
    queue: KeyQueue[str] = KeyQueue(clock)
    queue.put('a')
    await queue.get()
    queue.put('a')
    queue.retry('a')
    assert await queue.get() == 'a'
    queue.done('a')  # and with it what was still due
    await clock.advance(100.0)
    assert len(queue) == 0


async def test_nothing_comes_after_the_close() -> None:
    clock = ManualClock()
    queue: KeyQueue[str] = KeyQueue(clock)
    queue.put('a')
    await queue.get()
    queue.retry('a')
    queue.close()
    await clock.advance(100.0)
    assert len(queue) == 0


async def test_the_end_of_what_was_not_taken_is_an_error() -> None:
    with pytest.raises(KeyError):
        KeyQueue[str]().done('a')


@given(st.lists(st.tuples(st.sampled_from(['put', 'get', 'done', 'retry']), st.integers(0, 3)), max_size=60))
def test_k1_every_put_is_followed_by_a_taking(steps: list[tuple[str, int]]) -> None:
    async def played() -> None:
        clock = ManualClock()
        queue: KeyQueue[int] = KeyQueue(clock, random.Random(0))
        owed: set[int] = set()
        held: list[int] = []

        async def taken() -> None:
            key = await queue.get()
            assert key not in held
            held.append(key)
            owed.discard(key)

        for verb, key in steps:
            if verb == 'put':
                queue.put(key)
                owed.add(key)
            elif verb == 'get' and len(queue):
                await taken()
            elif held:
                key = held.pop(key % len(held))
                if verb == 'retry':
                    queue.retry(key)
                    owed.add(key)
                else:
                    queue.done(key)
        while owed or held or len(queue):
            while held:
                queue.done(held.pop())
            await clock.advance(60.0)
            if len(queue):
                await taken()
            else:
                assert not owed

    asyncio.run(played())
