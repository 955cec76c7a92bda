"""Retries: how many, on whom, after what pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.retry import leaves, may_retry, redispatch, turn_around
from dataplane.core.state import OpState
from dataplane.core.termination import (
    BAD_RESPONSE,
    CONNECT_REFUSED,
    CONNECT_TIMEOUT,
    QUEUE_TIMEOUT,
    SERVER_CLOSED,
    RetryOn,
)


def test_three_retries_are_four_tries() -> None:
    assert [may_retry(CONNECT_REFUSED, attempt, 3) for attempt in (1, 2, 3, 4)] == [True, True, True, False]
    assert not may_retry(CONNECT_REFUSED, 1, 0)


def test_only_what_retry_on_names() -> None:
    assert may_retry(CONNECT_TIMEOUT, 1, 3)
    assert not may_retry(SERVER_CLOSED, 1, 3)
    assert may_retry(SERVER_CLOSED, 1, 3, {RetryOn.EMPTY_RESPONSE})
    assert not may_retry(CONNECT_REFUSED, 1, 3, {RetryOn.EMPTY_RESPONSE})
    assert not may_retry(BAD_RESPONSE, 1, 3)
    assert not may_retry(QUEUE_TIMEOUT, 1, 3)


@pytest.mark.parametrize(
    'interval, turns',
    [(0, []), (1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3]), (-1, [4]), (-2, [3]), (-3, [2, 4]), (-4, [1, 2, 3, 4])],
)
def test_intervals_over_four_retries(interval: int, turns: list[int]) -> None:
    assert [attempt for attempt in (1, 2, 3, 4) if redispatch(attempt, 4, interval)] == turns


@given(st.integers(1, 50), st.integers(0, 50), st.integers(-60, 60))
def test_any_interval_has_an_answer(attempt: int, retries: int, interval: int) -> None:
    assert redispatch(attempt, retries, interval) in (True, False)


def test_minus_one_more_than_there_are_retries_is_always() -> None:
    assert redispatch(1, 2, -3)


@pytest.mark.parametrize(
    'state, active, persistent, hashed, free',
    [
        (OpState.RUNNING, 2, False, False, True),
        (OpState.RUNNING, 1, False, False, False),
        (OpState.RUNNING, 2, True, False, False),
        (OpState.RUNNING, 2, False, True, False),
        (OpState.STOPPING, 2, True, False, False),
        (OpState.STOPPED, 1, True, True, True),
        (OpState.STARTING, 1, True, True, True),
    ],
)
def test_who_leaves_before_the_intervals_turn(
    state: OpState, active: int, persistent: bool, hashed: bool, free: bool
) -> None:
    def ask(attempt: int, interval: int) -> bool:
        return leaves(attempt, 3, interval, state=state, active=active, persistent=persistent, hashed=hashed)

    assert ask(1, -1) is free
    assert ask(3, -1)
    assert not ask(3, 0)


@pytest.mark.parametrize(
    'connect, same, active, immediate, pause',
    [
        (5000, True, 3, False, 1000),
        (200, True, 3, False, 200),
        (None, True, 3, False, 1000),
        (5000, False, 3, False, 0),
        (5000, False, 1, False, 1000),
        (5000, True, 1, True, 0),
    ],
)
def test_turn_around(connect: int | None, same: bool, active: int, immediate: bool, pause: int) -> None:
    assert turn_around(connect, same_server=same, active=active, immediate=immediate) == pause
