"""What a worker notes fits its cell; how it is counted is tested with the count (tests/unit/health/test_errors.py)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.observe import GOOD_SHIFT, KIND_SHIFT, MOST, WORDS, Event, noted


@given(st.lists(st.tuples(st.sampled_from(Event), st.booleans()), max_size=50))
def test_a_cell_holds_good_ones_and_bad_ones_since(events: list[tuple[Event, bool]]) -> None:
    cell = good = bad = 0
    last = None
    for event, well in events:
        cell = noted(cell, event, good=well)
        good, bad = (good + 1, 0) if well else (good, bad + 1)
        last = last if well else event
        assert (cell >> GOOD_SHIFT, cell & MOST) == (good, bad)
        if bad:
            assert Event(cell >> KIND_SHIFT & 0xFF) is last


def test_every_event_has_words() -> None:
    assert WORDS.keys() == set(Event)
