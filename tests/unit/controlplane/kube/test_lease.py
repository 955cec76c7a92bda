"""Never two leaders: every interleaving of a small world, long random ones, and each rule by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.kube.lease import RELEASED_MS, Attempt, Elector, Record, Times
from tests.unit.controlplane.kube.lease_world import World

SMALL = Times(lease_ms=12, renew_ms=8, retry_ms=4)


def explore(first: World, *, ticks: int, writes: int, deletes: bool = False, strays: int = 1) -> int:
    """See every world within `ticks` steps of time and `writes` writes; two leaders are an error. Returns how many."""
    numbers: dict[Any, int] = {}
    first = replace(first, processes=[process.copied() for process in first.processes])
    seen = {first.key(numbers)}
    layer = deque([first])
    while layer:
        world = layer.popleft()
        assert len(world.leaders()) <= 1, (world.leaders(), world.trail)
        found = list(world.steps(writes=writes, deletes=deletes, strays=strays, starts=0))
        if world.processes[0].clock < ticks * world.processes[0].rate:
            later = world.copied('tick')
            later.tick()
            found.append(later)
        for following in found:
            key = following.key(numbers)
            if key not in seen:
                seen.add(key)
                layer.append(following)
    return len(seen)


def reigning(rates: tuple[int, ...] = (4, 4)) -> World:
    """p0 has just made the Lease and leads."""
    world = World.of(SMALL, rates)
    first = world.processes[0]
    for _ in range(2):
        assert world.ask(first)
        if first.answer is None:
            world.arrive(first)
        world.hear(first)
    assert world.leaders() == ['p0']
    return world


@pytest.mark.parametrize(
    'first,ticks,writes,strays',
    [
        (World.of(SMALL, (4, 4)), 4, 2, 1),
        (reigning(), 5, 3, 0),
        (reigning((4, 5)), 4, 3, 0),  # one clock is faster by a quarter
        (reigning((5, 4)), 4, 3, 0),
    ],
    ids=['from nothing', 'a reign', 'a hasty follower', 'a hasty leader'],
)
def test_two_never_lead_at_once_in_any_interleaving(
    first: World, ticks: int, writes: int, strays: int, record_property: Callable[[str, object], None]
) -> None:
    """Two processes, every loss and delay of so many writes and of all reads, in so much time; a lease lasts 3 ticks."""
    record_property('states', explore(first, ticks=ticks, writes=writes, strays=strays))
    record_property('worlds', 1)


@pytest.mark.parametrize(
    'first,ticks', [(World.of(SMALL, (4, 4)), 3), (reigning(), 4)], ids=['from nothing', 'a reign']
)
def test_two_never_lead_at_once_though_the_lease_is_deleted_by_hand(first: World, ticks: int) -> None:
    explore(first, ticks=ticks, writes=first.writes + 2, strays=0, deletes=True)


@pytest.mark.parametrize('mistake', ['waits too little', 'counts from the answer', 'believes an absence'])
def test_the_worlds_above_are_ones_in_which_a_mistake_shows(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = Elector.accepted

    def from_the_answer(self: Elector, attempt: Attempt, record: Record, now: int) -> None:
        accepted(self, replace(attempt, sent_ms=now), record, now)

    wrong = {
        'waits too little': ('_is_free', lambda self, now: now - self._changed_ms >= 4),
        'counts from the answer': ('accepted', from_the_answer),
        'believes an absence': ('_is_free', lambda self, now: self.record is None and self._was_read),
    }
    first = reigning()
    monkeypatch.setattr(Elector, *wrong[mistake])
    with pytest.raises(AssertionError, match="'p0', 'p1'"):
        explore(first, ticks=5, writes=3, strays=0, deletes=mistake == 'believes an absence')


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_two_never_lead_at_once_in_long_stories(data: st.DataObject) -> None:
    """Three processes whose clocks differ by up to a third, restarts, strays, and Leases deleted by hand."""
    rates = tuple(data.draw(st.sampled_from([15, 16, 18, 20])) for _ in range(3))
    world = World.of(Times(lease_ms=150, renew_ms=100, retry_ms=20), rates)
    led = 0
    for _ in range(data.draw(st.integers(20, 120))):
        if data.draw(st.integers(0, 3)) == 0:
            world.tick()
            world.trail = (*world.trail, 'tick')
        elif found := list(world.steps(writes=10_000, deletes=True, strays=3, starts=9)):
            world = data.draw(st.sampled_from(found))
        led += len(world.leaders())
        assert len(world.leaders()) <= 1, (world.leaders(), world.trail)


def record(
    holder: str = 'other', *, term: int = 3, renewed: str = 'a', version: str = '1', duration: int = 12
) -> Record:
    return Record(uid='u', version=version, holder=holder, term=term, renewed=renewed, duration_ms=duration)


def leading(term: int = 4) -> Elector:
    """Holds the Lease of `term` from 0 on."""
    elector = Elector('me', SMALL)
    elector.read(record('', term=term - 1, duration=1), 0)
    attempt = elector.attempt(0)
    assert attempt is not None
    elector.accepted(attempt, record('me', term=term), 0)
    assert elector.term(0) == term
    return elector


def test_nothing_is_written_before_the_lease_was_read() -> None:
    elector = Elector('me', SMALL)
    assert elector.must_read
    assert elector.attempt(100) is None


def test_a_lease_of_another_is_taken_once_it_has_not_changed_for_its_duration() -> None:
    elector = Elector('me', SMALL)
    elector.read(record(), 0)
    elector.read(record(renewed='b'), 5)
    assert elector.attempt(16) is None
    elector.read(record(renewed='b', version='2'), 16)  # somebody put a label on it
    taken = elector.attempt(17)
    assert taken == Attempt(over=record(renewed='b', version='2'), holder='me', term=4, sent_ms=17)


def test_a_longer_duration_that_the_holder_wrote_is_respected() -> None:
    elector = Elector('me', SMALL)
    elector.read(record(duration=40), 0)
    assert elector.attempt(39) is None
    assert elector.attempt(40) is not None


def test_a_lease_that_was_let_go_is_taken_at_once_and_one_emptied_by_hand_is_not() -> None:
    elector = Elector('me', SMALL)
    elector.read(record('', duration=RELEASED_MS + 1), 0)
    assert elector.attempt(0) is None
    elector.read(record('', duration=1), 0)
    assert elector.attempt(0) is not None


def test_the_reign_ends_by_itself_counted_from_when_the_last_renewal_was_sent() -> None:
    elector = leading()
    renewal = elector.attempt(3)
    assert renewal is not None
    assert (renewal.term, renewal.holder) == (4, 'me')
    elector.accepted(renewal, record('me', term=4, renewed='b', version='2'), 7)
    assert elector.until_ms == 11
    assert elector.is_leading(10)
    assert not elector.is_leading(11)
    again = elector.attempt(11)
    assert again is not None
    assert again.term == 5


def test_an_answer_that_comes_too_late_makes_nobody_lead() -> None:
    elector = Elector('me', SMALL)
    elector.read(record('', duration=1), 0)
    attempt = elector.attempt(0)
    assert attempt is not None
    elector.accepted(attempt, record('me', term=4), 8)
    assert not elector.is_leading(8)
    assert elector.term(8) == 0


def test_whoever_reads_that_another_holds_the_lease_leads_no_more() -> None:
    for found in (record('other', term=5), None, record('me', term=5), record('', term=4)):
        elector = leading()
        elector.read(found, 1)
        assert not elector.is_leading(1)


def test_a_refused_renewal_is_looked_into_before_the_deadline() -> None:
    elector = leading()
    elector.refused()
    assert elector.must_read
    assert elector.attempt(1) is None
    assert elector.is_leading(1)
    elector.read(record('me', term=4, version='7'), 1)  # a label
    assert elector.is_leading(1)
    renewal = elector.attempt(1)
    assert renewal is not None
    assert renewal.over is not None
    assert renewal.over.version == '7'


def test_an_acquisition_without_an_answer_is_made_again_with_a_higher_term() -> None:
    elector = Elector('me', SMALL)
    elector.read(record('', term=3, duration=1), 0)
    assert elector.attempt(0) is not None
    elector.unanswered()
    assert elector.attempt(1) is None
    elector.read(record('me', term=4), 2)
    attempt = elector.attempt(2)
    assert attempt is not None
    assert attempt.term == 5


def test_for_an_absent_lease_an_empty_one_is_made_and_waited_for() -> None:
    elector = Elector('me', SMALL)
    elector.beyond(9)
    elector.read(None, 0)
    assert elector.attempt(3) is None  # perhaps somebody who knows more makes it
    made = elector.attempt(4)
    assert made == Attempt(over=None, holder='', term=9, sent_ms=4)
    elector.accepted(made, record('', term=9, renewed='', duration=1), 5)
    assert not elector.is_leading(5)
    assert elector.attempt(16) is None
    taken = elector.attempt(17)
    assert taken is not None
    assert (taken.holder, taken.term) == ('me', 10)


def test_who_is_told_that_nobody_has_ever_led_makes_the_lease_at_once() -> None:
    first = Elector('me', SMALL)
    first.read(None, 0)
    first.fresh(0)
    assert first.attempt(3) == Attempt(over=None, holder='me', term=1, sent_ms=3)
    late = first.attempt(8)
    assert late is not None
    assert not late.holder


def test_a_new_lease_goes_on_above_the_terms_that_are_remembered() -> None:
    elector = Elector('me', SMALL)
    elector.read(record(term=41), 0)
    elector.beyond(7)
    elector.read(record('', term=2, duration=1, renewed='x'), 1)  # made anew by somebody who knew less
    made = elector.attempt(12)
    assert made is not None
    assert made.term == 42


def test_an_answer_that_comes_after_the_reign_has_lapsed_does_not_take_it_up_again() -> None:
    elector = leading()
    renewal = elector.attempt(7)
    assert renewal is not None
    elector.accepted(renewal, record('me', term=4, renewed='b', version='2'), 9)
    assert not elector.is_leading(9)
    again = elector.attempt(9)
    assert again is not None
    assert again.term == 5


def test_a_term_can_be_raised_by_who_leads() -> None:
    elector = leading()
    assert elector.raised(3, 1) == Attempt(over=record('me', term=4), holder='me', term=5, sent_ms=1)
    raised = elector.raised(90, 1)
    assert raised is not None
    elector.accepted(raised, record('me', term=90, version='2'), 2)
    assert elector.term(2) == 90
    assert elector.raised(95, 9) is None  # it was sent at 1


def test_letting_go_comes_after_leading_no_more() -> None:
    elector = leading()
    with pytest.raises(ValueError, match='resign'):
        elector.release(1)
    elector.resign()
    assert not elector.is_leading(1)
    release = elector.release(1)
    assert release == Attempt(over=record('me', term=4), holder='', term=4, sent_ms=1)
    elector.accepted(release, record('', term=4, version='2', duration=1), 1)
    assert not elector.is_leading(1)
    assert elector.release(1) is None


@pytest.mark.parametrize('times', [(10, 10, 2), (15, 2, 2), (15, 10, 0)])
def test_times_that_would_let_two_lead_are_refused(times: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match='longer'):
        Times(lease_ms=times[0], renew_ms=times[1], retry_ms=times[2])
