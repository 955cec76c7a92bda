"""What objects come to, as values: tables in one, who is on the way out, whose sessions end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from controlplane.kube.endpoints import EndpointState
from controlplane.kube.outcome import Backend, Counts, Drain, Flat, Note, Say, ServerView, Translation, no, yes

SERVICE, POLICY = ('shop', 'web'), ('shop', 'web')
A, B = ('web', 'a'), ('web', 'b')


def view(endpoint: EndpointState = EndpointState.READY, admin: str = 'ready', **more: Any) -> ServerView:
    return ServerView(SERVICE, 'http', '10.0.0.1', 80, endpoint, admin, admin, pod_uid='uid', **more)


def backend(views: Mapping[str, ServerView], on_deadline: str = 'Shutdown', *, scope: str = 'perReplica') -> Backend:
    servers = {name: ({'sessionGeneration': 5, 'weight': 1}, {'pod': name}) for name in views}
    has_deadlines = any(one.deadline_ms for one in views.values())
    spec = {'balance': 'roundrobin'}
    drain = Drain(9_000, on_deadline)
    return Backend(POLICY, SERVICE, 'http', spec, scope, drain, servers, views, False, Counts(), has_deadlines)


def translation(**backends: Backend) -> Translation:
    return Translation(built=backends)


def test_yes_holds_and_no_does_not() -> None:
    assert yes('Fine', 'why') == Say(holds=True, reason='Fine', message='why')
    assert no('Bad') == Say(holds=False, reason='Bad', message='')


def test_tables_of_tables_are_one() -> None:
    flat = Flat({'x': {'a': 1, 'b': 2}, 'z': {'a': 3}})
    assert dict(flat) == {('x', 'a'): 1, ('x', 'b'): 2, ('z', 'a'): 3}
    assert (len(flat), flat['z', 'a'], ('x', 'c') in flat, ('q', 'a') in flat) == (3, 3, False, False)
    assert repr(flat) == repr(dict(flat))


def test_a_translation_shows_its_backends_by_what_they_are_asked_for() -> None:
    of = translation(web=backend({'a': view()}), api=backend({'b': view()}, 'Keep', scope='divided'))
    assert of.backends == {'web': {'balance': 'roundrobin'}, 'api': {'balance': 'roundrobin'}}
    assert of.scopes == {'web': 'perReplica', 'api': 'divided'}
    assert of.drains == {'web': Drain(9_000, 'Shutdown'), 'api': Drain(9_000, 'Keep')}
    assert dict(of.servers) == {
        A: ({'sessionGeneration': 5, 'weight': 1}, {'pod': 'a'}),
        ('api', 'b'): ({'sessionGeneration': 5, 'weight': 1}, {'pod': 'b'}),
    }
    assert dict(of.views) == {A: view(), ('api', 'b'): view()}


@pytest.mark.parametrize(
    'one,leaves',
    [
        (view(), False),
        (view(EndpointState.MAINT), False),
        (view(EndpointState.DRAIN), True),
        (view(EndpointState.STOPPING), True),
        (view(admin='drain'), True),
        (view(admin='maint'), True),
        (view(EndpointState.MAINT, 'drain'), True),
        (view(EndpointState.DRAIN, panic=True), False),
        (view(EndpointState.DRAIN, deadline_ms=1), False),
        (view(admin='drain', deadline_ms=1), False),
    ],
)
def test_who_is_on_the_way_out_has_as_long_as_its_policy_gives(one: ServerView, leaves: bool) -> None:
    assert translation(web=backend({'a': one})).leaving() == ({('web', 'a', 'uid'): 9_000} if leaves else {})
    assert translation(web=backend({'a': one}, 'Keep')).leaving() == {}


def test_generations_rise_and_nothing_else_changes() -> None:
    of = translation(web=backend({'a': view(), 'b': view()}), api=backend({'a': view()}))
    ended = of.ending({A: 6, ('api', 'a'): 5})
    assert ended.servers[A] == ({'sessionGeneration': 6, 'weight': 1}, {'pod': 'a'})
    assert ended.servers[B] == of.servers[B]
    assert ended.built['api'] is of.built['api'], 'what has not changed is the same object'
    assert of.servers[A][0]['sessionGeneration'] == 5, 'nor is what it was made of changed'
    both = of.ending({A: 6, B: 7})
    assert [both.servers[key][0]['sessionGeneration'] for key in (A, B)] == [6, 7]


@pytest.mark.parametrize('generations', [{}, {A: 5}, {A: 4, B: 1}])
def test_where_none_rises_it_is_the_same_translation(generations: dict[tuple[str, str], int]) -> None:
    of = translation(web=backend({'a': view(), 'b': view()}))
    assert of.ending(generations) is of


def test_dates_are_those_of_servers_that_have_one() -> None:
    dated = backend({'a': view(deadline_ms=7), 'b': view()})
    assert translation(web=dated, api=backend({'a': view()})).dated() == {A: 7}


def test_a_note_stays_the_same_while_its_cause_does_though_its_counts_change() -> None:
    one = Note(SERVICE, 'web', 'MassRemovalHeld', '3 of 4')
    assert one.key == Note(SERVICE, 'web', 'MassRemovalHeld', '4 of 4').key
    others = [Note(('shop', 'api'), 'web', 'MassRemovalHeld', ''), Note(SERVICE, 'api', 'MassRemovalHeld', '')]
    assert one.key not in {other.key for other in (*others, Note(SERVICE, 'web', 'Other', ''))}
