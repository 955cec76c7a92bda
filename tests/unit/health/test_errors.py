"""Errors in a row over several workers' cells, against a plain count of the same events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.checks import Layer
from dataplane.core.observe import Event, is_good, is_good_status, noted
from dataplane.health.errors import Streak

EVENTS = st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=80)


@given(EVENTS, st.integers(1, 12))
def test_looking_after_each_event_counts_exactly(events: list[tuple[int, bool]], limit: int) -> None:
    cells, streak, row, reached = [0, 0, 0], Streak(3), 0, 0
    for worker, good in events:
        event = Event.CONNECTED if good else Event.UNREACHABLE
        cells[worker] = noted(cells[worker], event, good=good)
        row = 0 if good else row + 1
        found = streak.look(list(cells), limit)
        assert found == (row == limit)
        reached += found
        if row == limit:
            row = 0
        assert streak.bad == row


@given(EVENTS, st.integers(1, 12))
def test_looking_once_counts_no_more_than_there_was(events: list[tuple[int, bool]], limit: int) -> None:
    cells, streak = [0, 0, 0], Streak(3)
    for worker, good in events:
        cells[worker] = noted(cells[worker], Event.CONNECTED if good else Event.INVALID, good=good)
    bad = sum(not good for _, good in events)
    assert streak.look(cells, limit) * limit + streak.bad <= bad
    if not any(good for _, good in events):
        assert streak.look(cells, limit) == 0


def test_a_worker_that_was_replaced_begins_at_nothing() -> None:
    streak = Streak(1)
    assert streak.look([noted(noted(0, Event.INVALID, good=False), Event.READ_ERROR, good=False)], 3) == 0
    assert (streak.bad, streak.last) == (2, Event.READ_ERROR)
    streak.look([0], 3)
    assert streak.bad >= 0


@pytest.mark.parametrize(
    'status, good',
    [(100, True), (200, True), (404, True), (499, True), (500, False), (501, True), (503, False), (505, True)],
)
def test_statuses(status: int, good: bool) -> None:
    assert is_good_status(status) is good


def test_each_layer_hears_what_concerns_it() -> None:
    four = {event: is_good(Layer.LAYER4, event) for event in Event}
    seven = {event: is_good(Layer.LAYER7, event) for event in Event}
    assert four == dict.fromkeys(Event) | {Event.CONNECTED: True, Event.UNREACHABLE: False}
    assert seven == dict.fromkeys(Event, False) | {Event.CONNECTED: None, Event.ANSWERED: True}


def test_a_cell_is_never_negative_and_bad_events_are_bounded() -> None:
    cell = 0
    for _ in range(70_000):
        cell = noted(cell, Event.INVALID, good=False)
    assert cell & 0xFFFF == 0xFFFF
    assert noted(cell, Event.CONNECTED, good=True) == 1 << 24
