"""Full collections are made when the desired state is still, and now and then while it never is."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from itertools import count

import pytest

from controlplane.collector import Collector, collecting


@pytest.fixture(autouse=True)
def _no_collection_of_its_own() -> Iterator[None]:
    gc.collect()
    before = gc.get_threshold()
    gc.set_threshold(1_000_000_000)
    yield
    gc.set_threshold(*before)


def middle(times: int) -> None:
    for _ in range(times):
        gc.collect(1)


def test_still_and_something_to_look_at() -> None:
    collector = Collector()
    assert not any(collector.beat('head') for _ in range(10))
    middle(2)
    assert collector.beat('head')
    assert not any(collector.beat('head') for _ in range(10))


def test_not_within_a_moment_of_a_change() -> None:
    collector = Collector()
    middle(2)
    assert [collector.beat('one') for _ in range(2)] == [False, False]
    assert [collector.beat('two') for _ in range(5)] == [False, False, False, True, False]


def test_changes_without_end_put_it_off_only_so_long() -> None:
    collector, heads = Collector(), count()
    middle(499)
    assert not any(collector.beat(next(heads)) for _ in range(100))
    middle(1)
    assert collector.beat(next(heads))


async def test_the_process_is_as_it_was_afterwards() -> None:
    before = gc.get_threshold()
    async with collecting(lambda: 0):
        assert gc.get_threshold() != before
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if '_beats' in repr(task)]
