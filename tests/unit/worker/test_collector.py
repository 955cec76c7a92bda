"""Full collections are made when nobody waits, and now and then under load that never stops."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from dataplane.worker.collector import Collector


@pytest.fixture(autouse=True)
def _thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def middle(times: int) -> None:
    for _ in range(times):
        gc.collect(1)


def beats(collector: Collector, count: int, *, is_idle: bool) -> int:
    return sum(collector.beat(is_idle=is_idle) for _ in range(count))


def test_idle_and_something_to_look_at() -> None:
    collector = Collector()
    gc.collect()
    assert beats(collector, 60, is_idle=True) == 0
    middle(5)
    assert beats(collector, 60, is_idle=True) == 1
    assert beats(collector, 200, is_idle=True) == 0


def test_never_while_busy_until_it_is_overdue() -> None:
    collector = Collector()
    gc.collect()
    middle(100)
    assert beats(collector, 500, is_idle=False) == 0
    assert beats(collector, 10, is_idle=True) == 0
    middle(450)
    assert beats(collector, 1, is_idle=False) == 1
