"""The counter against the written facts: rise, fall, the interval in force, and every beginning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.checks import InitState, Pace
from dataplane.health.counter import Counter

NUMBERS = st.integers(1, 12)
PACES = st.builds(
    Pace, inter=st.just(1000), fastinter=st.sampled_from((0, 100)), downinter=st.sampled_from((0, 5000)),
    rise=NUMBERS, fall=NUMBERS,
)  # fmt: skip


def facts(pace: Pace, health: int, passed: bool) -> int:
    """The sentence of the facts: failure takes one and below rise all, success adds one and from rise on gives all."""
    if passed:
        health = min(health + 1, pace.rise + pace.fall - 1)
        return pace.rise + pace.fall - 1 if health >= pace.rise else health
    health = max(health - 1, 0)
    return health if health >= pace.rise else 0


@pytest.mark.parametrize('rise', range(1, 6))
@pytest.mark.parametrize('fall', range(1, 6))
def test_every_step_of_every_small_counter(rise: int, fall: int) -> None:
    pace = Pace(rise=rise, fall=fall)
    for health in range(rise + fall):
        for passed in (True, False):
            counter = Counter(pace)
            counter.health = health
            moved = counter.passed() if passed else counter.failed()
            assert counter.health == facts(pace, health, passed)
            assert moved == (counter.health != health or (health == counter.top - 1 and passed and moved))
            assert 0 <= counter.health <= counter.top


@given(PACES, st.sampled_from(InitState), st.lists(st.booleans(), max_size=60))
def test_any_sequence(pace: Pace, begin: InitState, results: list[bool]) -> None:
    counter = Counter(pace, begin)
    expected = counter.health
    for passed in results:
        _ = counter.passed() if passed else counter.failed()
        expected = facts(pace, expected, passed)
        assert counter.health == expected
        assert counter.up == (expected >= pace.rise)
        n, m = counter.shown()
        assert (n, m) == ((expected - pace.rise + 1, pace.fall) if counter.up else (expected, pace.rise))


@given(PACES)
def test_fall_failures_take_a_healthy_server_down_and_rise_successes_bring_it_back(pace: Pace) -> None:
    counter = Counter(pace, InitState.FULLY_UP)
    for _ in range(pace.fall):
        assert counter.up
        assert counter.failed()
    assert counter.health == 0
    assert not counter.failed()
    for _ in range(pace.rise):
        assert not counter.up
        assert counter.passed()
    assert counter.health == counter.top
    assert not counter.passed()


@given(PACES)
def test_one_failure_takes_down_what_was_never_checked_or_came_back_from_maintenance(pace: Pace) -> None:
    for begin in (InitState.NONE, InitState.UP):
        counter = Counter(pace, begin)
        assert counter.up
        counter.failed()
        assert counter.health == 0
    counter.begin_anew()
    assert counter.up
    counter.failed()
    assert not counter.up


@pytest.mark.parametrize('begin, health', [('none', 2), ('up', 2), ('fully-up', 4), ('down', 1), ('fully-down', 0)])
def test_init_state(begin: str, health: int) -> None:
    assert Counter(Pace(rise=2, fall=3), InitState(begin)).health == health


@given(PACES)
def test_the_interval_is_fast_on_the_way_and_slow_at_the_bottom(pace: Pace) -> None:
    counter = Counter(pace)
    for health in range(counter.top + 1):
        counter.health = health
        wanted = pace.fastinter or 1000
        if health == counter.top:
            wanted = 1000
        elif health == 0:
            wanted = pace.downinter or 1000
        assert counter.interval() == wanted


@given(PACES, PACES, st.data())
def test_other_numbers_in_the_file_change_no_verdict(before: Pace, after: Pace, data: st.DataObject) -> None:
    counter = Counter(before)
    counter.health = data.draw(st.integers(0, counter.top))
    up, ends = counter.up, (counter.health == 0, counter.health == counter.top)
    counter.follow(after)
    assert counter.up == up
    assert 0 <= counter.health <= counter.top
    if ends[0] or ends[1]:
        assert (counter.health == 0, counter.health == counter.top) == ends


def test_what_others_do_to_it() -> None:
    counter = Counter(Pace(rise=2, fall=3), InitState.FULLY_UP)
    counter.weaken(3)
    assert counter.health == 3
    counter.weaken(9)
    assert counter.health == 3
    counter.give_up()
    assert counter.health == 0
    assert counter.settled
