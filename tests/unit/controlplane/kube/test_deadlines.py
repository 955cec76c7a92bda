from __future__ import annotations

from typing import Any

from controlplane.kube.deadlines import Deadlines
from controlplane.kube.outcome import Translation
from tests.unit.controlplane.kube.things import Json, endpoint, override, policy, service, slice_
from tests.unit.controlplane.kube.translated import HTTP, translated

SHUTDOWN: Json = {'drain': {'timeout': '9s', 'onDeadline': 'Shutdown'}}
LEAVING = endpoint('10.0.0.1', 'p1', ready=False, terminating=True)
STAYING = endpoint('10.0.0.2', 'p2')
P1, P2 = (HTTP, 'p1'), (HTTP, 'p2')
WALL = 1_767_225_600_000  # 2026-01-01


def world(*endpoints: Json, spec: Json = SHUTDOWN, **wish: Any) -> Translation:
    wishes = [override('o', pod='p2', spec=wish)] if wish else []
    return translated(service(), policy(spec=spec), slice_('a', *endpoints), *wishes)


def test_a_server_that_has_been_leaving_for_its_span_is_due_until_it_is_done() -> None:
    deadlines, found = Deadlines(), world(LEAVING, STAYING)
    assert deadlines.due(found, {}, now=1_000, wall=WALL) == frozenset()
    assert deadlines.next_in(now=1_000, wall=WALL) == 9_000
    assert deadlines.due(found, {}, now=9_999, wall=WALL) == frozenset()
    assert deadlines.due(found, {}, now=10_000, wall=WALL) == {P1}
    assert deadlines.due(found, {}, now=10_500, wall=WALL) == {P1}, 'writing it may have failed'
    deadlines.done([P1])
    assert deadlines.due(found, {}, now=11_000, wall=WALL) == frozenset()
    assert deadlines.next_in(now=11_000, wall=WALL) is None


def test_one_that_comes_back_begins_anew_and_so_does_its_successor() -> None:
    deadlines, found = Deadlines(), world(LEAVING, STAYING)
    deadlines.due(found, {}, now=0, wall=WALL)
    deadlines.due(world(endpoint('10.0.0.1', 'p1'), STAYING), {}, now=5_000, wall=WALL)
    assert deadlines.due(found, {}, now=9_000, wall=WALL) == frozenset()
    later = endpoint('10.0.0.1', 'p1', ready=False, terminating=True)
    later['targetRef']['uid'] = 'uid-later'
    assert deadlines.due(world(later, STAYING), {}, now=18_000, wall=WALL) == frozenset()
    assert deadlines.due(world(later, STAYING), {}, now=27_000, wall=WALL) == {P1}


def test_a_policy_that_keeps_sessions_ends_none() -> None:
    deadlines, found = Deadlines(), world(LEAVING, STAYING, spec={})
    assert deadlines.due(found, {}, now=0, wall=WALL) == frozenset()
    assert deadlines.due(found, {}, now=10**9, wall=WALL) == frozenset()


def test_a_date_is_kept_once_the_generation_says_so_whatever_the_policy() -> None:
    deadlines, found = Deadlines(), world(STAYING, spec={}, adminState='Drain', deadline='2026-01-01T00:00:00Z')
    assert deadlines.due(found, {P2: 7}, now=0, wall=WALL - 1) == frozenset()
    assert deadlines.next_in(now=0, wall=WALL - 1) == 1
    assert deadlines.due(found, {P2: 7}, now=0, wall=WALL) == {P2}
    assert deadlines.due(found, {P2: WALL}, now=0, wall=WALL) == frozenset()
    assert deadlines.next_in(now=0, wall=WALL) is None


def test_a_date_goes_before_the_policys_span_and_counts_only_out_of_service() -> None:
    deadlines = Deadlines()
    found = world(STAYING, adminState='Drain', deadline='2026-01-02T00:00:00Z')
    deadlines.due(found, {}, now=0, wall=WALL)
    assert deadlines.due(found, {}, now=10**6, wall=WALL) == frozenset()
    ready = world(STAYING, adminState='Ready', deadline='2026-01-01T00:00:00Z')
    assert deadlines.due(ready, {}, now=0, wall=WALL + 1) == frozenset()


def test_whichever_is_sooner_is_next() -> None:
    deadlines = Deadlines()
    third = endpoint('10.0.0.3', 'p3')
    both = world(LEAVING, STAYING, third, adminState='Drain', deadline='2026-01-01T00:00:00Z')
    deadlines.due(both, {}, now=0, wall=WALL - 20_000)
    assert deadlines.next_in(now=0, wall=WALL - 20_000) == 9_000
    deadlines.due(both, {}, now=0, wall=WALL - 4_000)
    assert deadlines.next_in(now=0, wall=WALL - 4_000) == 4_000


def test_generations_are_raised_and_never_lowered_and_nothing_else_changes() -> None:
    found = world(LEAVING, STAYING, sessionGeneration=7)
    ended = found.ending({P1: WALL, P2: 5})
    assert {key[1]: spec['sessionGeneration'] for key, (spec, _) in ended.servers.items()} == {'p1': WALL, 'p2': 7}
    assert found.servers[P1][0]['sessionGeneration'] == 0
    assert (ended.policies, ended.views) == (found.policies, found.views)
    assert found.ending({P2: 7}) is found
