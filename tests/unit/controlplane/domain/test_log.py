from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.desired import Write
from controlplane.domain.log import Entry, Log
from controlplane.domain.version import Version
from dataplane.wire import state as wire
from tests.unit.controlplane.domain.specs import APP, S1, S2, SERVER, app


def made(log: Log, state: wire.State) -> Entry:
    return Entry.between(log.head.following(), log.state, state, ts=0, actor='me', verb='test')


def grow(log: Log, state: wire.State) -> None:
    log.append(made(log, state), state)


@given(st.lists(st.tuples(st.sampled_from([S1, S2]), st.integers(0, 256) | st.none()), max_size=12), st.integers(1, 5))
def test_every_state_in_the_ring_can_be_had_again(steps: Sequence[tuple[object, int | None]], ring: int) -> None:
    desired = app(S1)
    log = Log(7, desired.state, ring)
    states = {log.head: log.state}
    for key, weight in steps:
        write = Write(key, None if weight is None else {**SERVER, 'weight': weight})  # type: ignore[arg-type]
        desired = desired.after([write], log.head.following())
        grow(log, desired.state)
        states[log.head] = desired.state
    for version, state in states.items():
        assert log.covers(version) == (version.seq >= log.head.seq - min(ring, len(steps)))
        assert log.state_at(version) == (state if log.covers(version) else None)
    assert [entry.version.seq for entry in log.after(log.tail)] == list(range(log.tail.seq + 1, log.head.seq + 1))


def test_large_entries_leave_the_ring_sooner() -> None:
    log = Log(1, app().state, ring_changes=5)
    for state in (app(S1).state, app().state, app(S1).state, app(S1, S2).state):
        grow(log, state)
    assert log.tail == (1, 3)  # two entries of one change each, there and back
    log.new_term(2)
    for state in (app().state, app(S1, S2).state):
        grow(log, state)
    assert log.state_at(Version(2, 2)) == app().state


def test_the_newest_entry_is_kept_however_large() -> None:
    log = Log(1, app().state, ring_changes=1)
    grow(log, app(S1, S2).state)
    grow(log, app().state)
    assert (log.tail, log.state_at(log.tail)) == ((1, 2), app(S1, S2).state)


def test_a_new_term_begins_at_1_and_nobody_resumes_from_before() -> None:
    log = Log(1, app(S1).state)
    grow(log, app(S1, S2).state)
    log.new_term(9)
    assert log.head == log.tail == (9, 1)
    assert log.state_at(Version(1, 2)) is None
    assert not log.covers(Version(9, 2))
    with pytest.raises(ValueError, match='does not follow'):
        log.new_term(9)


def test_an_entry_for_another_head_is_refused() -> None:
    log = Log(1, app().state)
    stale = made(log, app(S1).state)
    grow(log, app(S2).state)
    with pytest.raises(ValueError, match='does not follow'):
        log.append(stale, app(S1).state)
    assert APP.name in log.state['backends']
