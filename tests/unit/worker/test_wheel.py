from __future__ import annotations

import pytest

from dataplane.worker.wheel import NEVER, SPAN, TICK, Timer, Wheel


@pytest.fixture
def fired() -> list[str]:
    return []


def timer(fired: list[str], name: str) -> Timer:
    return Timer(lambda: fired.append(name))


def test_fires_within_one_tick_after_the_deadline_and_never_before(fired: list[str]) -> None:
    wheel, one = Wheel(1_000), timer(fired, 'one')
    wheel.arm(one, 1_055)
    for now in range(1_000, 1_055):
        wheel.turn(now)
    assert fired == []
    wheel.turn(1_055 + TICK)
    assert fired == ['one']
    assert one.deadline == NEVER
    assert len(wheel) == 0


def test_fires_once(fired: list[str]) -> None:
    wheel = Wheel(0)
    wheel.arm(timer(fired, 'one'), 5)
    wheel.turn(100)
    wheel.turn(10_000)
    assert fired == ['one']


def test_a_later_deadline_moves_it(fired: list[str]) -> None:
    wheel, one = Wheel(0), timer(fired, 'one')
    wheel.arm(one, 50)
    wheel.arm(one, 500)
    wheel.turn(400)
    assert fired == []
    wheel.turn(520)
    assert fired == ['one']


def test_an_earlier_deadline_moves_it(fired: list[str]) -> None:
    wheel, one = Wheel(0), timer(fired, 'one')
    wheel.arm(one, 500)
    wheel.arm(one, 50)
    wheel.turn(70)
    assert fired == ['one']
    wheel.turn(1_000)
    assert fired == ['one']


def test_a_disarmed_timer_is_silent_and_forgotten(fired: list[str]) -> None:
    wheel, one = Wheel(0), timer(fired, 'one')
    wheel.arm(one, 50)
    one.disarm()
    wheel.turn(200)
    assert fired == []
    assert len(wheel) == 0


def test_a_deadline_beyond_the_span_is_kept(fired: list[str]) -> None:
    wheel, one = Wheel(0), timer(fired, 'one')
    far = 3 * SPAN * TICK + 7
    wheel.arm(one, far)
    for now in range(0, far, TICK):
        wheel.turn(now)
    assert fired == []
    wheel.turn(far + TICK)
    assert fired == ['one']


def test_a_deadline_in_the_past_fires_with_the_next_turn(fired: list[str]) -> None:
    wheel = Wheel(1_000)
    wheel.arm(timer(fired, 'one'), 3)
    wheel.turn(1_000 + TICK)
    assert fired == ['one']


def test_a_callback_may_arm_its_own_timer() -> None:
    wheel, times = Wheel(0), []
    again: list[Timer] = []

    def expired() -> None:
        times.append(1)
        if len(times) < 3:
            wheel.arm(again[0], 40 * (len(times) + 1))

    again.append(Timer(expired))
    wheel.arm(again[0], 40)
    for now in range(0, 400, TICK):
        wheel.turn(now)
    assert len(times) == 3


def test_a_wheel_that_stood_still_catches_up(fired: list[str]) -> None:
    wheel = Wheel(0)
    for number in range(20):
        wheel.arm(timer(fired, str(number)), number * 100)
    wheel.turn(60_000)
    assert fired == [str(number) for number in range(20)]
    wheel.turn(59_000)  # a clock read earlier: nothing happens
    assert len(wheel) == 0


def test_a_callback_that_fails_takes_no_other_timer_with_it(fired: list[str]) -> None:
    wheel = Wheel(0)

    def fail() -> None:
        raise ValueError('a defect')

    for one in (Timer(fail), timer(fired, 'same tick'), Timer(fail)):
        wheel.arm(one, 5)
    wheel.arm(timer(fired, 'later'), 50)
    with pytest.raises(ValueError, match='a defect'):
        wheel.turn(100)
    assert fired == ['same tick', 'later']
