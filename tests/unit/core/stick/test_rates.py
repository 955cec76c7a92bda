"""The sliding rate: what it tells of even and of uneven events, and that it is never far off."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.stick import rates

PERIOD = 1_000


def test_what_happened_within_the_period_counts_whole() -> None:
    cells = [0] * 3
    for now in (5_000, 5_001, 5_400):
        rates.count(cells, 0, now, PERIOD, 1)
    assert rates.reading(cells, 0, 5_500, PERIOD) == 3


def test_the_last_period_counts_for_the_part_that_is_not_over() -> None:
    cells = [0] * 3
    rates.count(cells, 0, 5_000, PERIOD, 100)
    rates.count(cells, 0, 6_000, PERIOD, 10)
    assert rates.reading(cells, 0, 6_000, PERIOD) == 110
    assert rates.reading(cells, 0, 6_250, PERIOD) == 85
    assert rates.reading(cells, 0, 6_999, PERIOD) == 10
    # and where nothing happens any more, both fade
    assert rates.reading(cells, 0, 7_500, PERIOD) == 5
    assert rates.reading(cells, 0, 8_001, PERIOD) == 0


def test_one_event_alone_counts_until_its_period_and_another_have_passed() -> None:
    cells = [0] * 3
    rates.count(cells, 0, 5_000, PERIOD, 1)
    assert rates.reading(cells, 0, 6_999, PERIOD) == 1
    assert rates.reading(cells, 0, 7_001, PERIOD) == 0


def test_after_a_long_silence_it_begins_anew() -> None:
    cells = [0] * 3
    rates.count(cells, 0, 5_000, PERIOD, 50)
    rates.count(cells, 0, 90_000, PERIOD, 1)
    assert rates.reading(cells, 0, 90_000, PERIOD) == 1
    assert cells[0] == 90_000


def test_a_rate_that_was_set_is_told_and_fades() -> None:
    cells = [1, 2, 3]
    rates.put(cells, 0, 5_000, 40)
    assert rates.reading(cells, 0, 5_100, PERIOD) == 40
    assert rates.reading(cells, 0, 8_000, PERIOD) == 0


def test_however_much_is_counted_it_fits() -> None:
    cells = array('q', [0] * 3)
    for amount in ((1 << 63) - 1, -(1 << 63), 1 << 63):
        rates.count(cells, 0, 5_000, PERIOD, amount)
    assert rates.reading(cells, 0, 5_000, PERIOD) == 0xFFFFFFFF


@given(st.lists(st.integers(0, 700), min_size=1, max_size=60))
def test_it_is_never_off_by_more_than_the_events_of_two_periods(gaps: list[int]) -> None:
    """Between nothing and all events of the last two periods; and no event younger than the running period is lost."""
    cells, now, times = [0] * 3, 100_000, []
    for gap in gaps:
        now += gap
        rates.count(cells, 0, now, PERIOD, 1)
        times.append(now)
    told = rates.reading(cells, 0, now, PERIOD)
    running = sum(time >= cells[0] for time in times)
    assert running <= told <= sum(time > now - 2 * PERIOD for time in times)
