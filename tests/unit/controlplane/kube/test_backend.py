"""Names of servers, wishes of operators, and the fallback to those that are on their way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from controlplane.kube.backend import Wish, build
from controlplane.kube.endpoints import Candidate, EndpointState
from controlplane.kube.objects import Override
from controlplane.kube.world import Thing
from tests.unit.controlplane.kube.things import Json, endpoint, override, policy, service, slice_
from tests.unit.controlplane.kube.translated import HTTP, WEB, states, translated

BASE: list[Thing] = [service(), policy(spec={'maxConn': 8, 'minConn': 4})]
TWO = slice_('a', endpoint('10.0.0.1', 'p1'), endpoint('10.0.0.2'))


def spec_of(server: str, *overrides: Any) -> dict[str, Any]:
    found = translated(*BASE, TWO, *overrides)
    return dict(found.servers[HTTP, server][0])


@pytest.mark.parametrize(
    'wanted,field,value',
    [
        ({'adminState': 'Ready'}, 'adminState', 'ready'),
        ({'adminState': 'Drain'}, 'adminState', 'drain'),
        ({'adminState': 'Maint'}, 'adminState', 'maint'),
        ({}, 'adminState', 'ready'),
        ({'weight': 50}, 'weight', 50),
        ({'weight': 0}, 'weight', 0),
        ({}, 'weight', 1),
        ({'maxConn': 3}, 'maxConn', 3),
        ({'maxConn': 3}, 'minConn', 3),
        ({'maxConn': 99}, 'maxConn', 99),
        ({'maxConn': 99}, 'minConn', 4),
        ({'maxConn': 0}, 'maxConn', 0),
        ({'maxConn': 0}, 'minConn', 0),
        ({'sessionGeneration': 12}, 'sessionGeneration', 12),
        ({}, 'sessionGeneration', 0),
    ],
)
def test_what_an_override_wants(wanted: Json, field: str, value: object) -> None:
    assert spec_of('p1', override('o', pod='p1', spec=wanted))[field] == value
    assert spec_of('10.0.0.2-8080', override('o', address='10.0.0.2', spec=wanted))[field] == value


@pytest.mark.parametrize(
    'ready,serving,terminating,wish,effective',
    [
        (True, True, False, 'Ready', 'ready'),
        (True, True, False, 'Drain', 'drain'),
        (True, True, False, 'Maint', 'maint'),
        (False, True, True, 'Ready', 'drain'),
        (False, True, True, 'Drain', 'drain'),
        (False, True, True, 'Maint', 'maint'),
        (False, False, True, 'Ready', 'maint'),
        (False, False, True, 'Drain', 'maint'),
        (False, True, False, 'Ready', 'maint'),
        (False, True, False, 'Drain', 'maint'),
    ],
)
def test_the_most_restrictive_of_endpoint_and_wish_counts(
    ready: bool, serving: bool, terminating: bool, wish: str, effective: str
) -> None:
    other = endpoint('10.0.0.9', 'other')
    one = endpoint('10.0.0.1', 'p1', ready=ready, serving=serving, terminating=terminating)
    found = translated(*BASE, slice_('a', one, other), override('o', pod='p1', spec={'adminState': wish}))
    assert states(found) == {'p1': effective, 'other': 'ready'}
    view = found.views[HTTP, 'p1']
    assert (view.admin, view.effective, view.overrides) == (wish.lower(), effective, (('shop', 'o'),))


def test_of_several_overrides_the_most_restrictive_and_the_newest_generation_count() -> None:
    many = [
        override('o1', pod='p1', spec={'adminState': 'Drain', 'weight': 9, 'maxConn': 0, 'sessionGeneration': 5}),
        override('o2', pod='p1', spec={'adminState': 'Ready', 'weight': 7, 'maxConn': 6, 'sessionGeneration': 3}),
        override('o3', pod='p1', spec={}),
    ]
    for order in (many, many[::-1]):
        wish = Wish.of(order)
        assert (wish.admin, wish.weight, wish.max_conn, wish.generation) == ('drain', 7, 6, 5)
        assert wish.overrides == (('shop', 'o1'), ('shop', 'o2'), ('shop', 'o3'))
    assert Wish.of([]) == Wish()


def test_an_override_goes_with_the_pod_it_was_made_for() -> None:
    """A later pod of that name, with another uid, is another server."""
    later = endpoint('10.0.0.1', 'p1')
    later['targetRef']['uid'] = 'uid-later'
    found = translated(*BASE, slice_('a', later), override('o', pod='p1', spec={'adminState': 'Maint'}))
    assert states(found) == {'p1': 'ready'}
    assert found.gone == {('shop', 'o')}
    assert found.overrides['shop', 'o'].found.reason == 'TargetNotFound'
    assert found.overrides['shop', 'o'].servers == ()


def test_an_address_is_about_endpoints_without_a_pod_only() -> None:
    found = translated(*BASE, TWO, override('o', address='10.0.0.1', spec={'adminState': 'Maint'}))
    assert states(found) == {'p1': 'ready', '10.0.0.2-8080': 'ready'}
    assert found.overrides['shop', 'o'].found.reason == 'TargetIsPod'
    assert found.gone == frozenset()


def test_an_address_with_another_port_or_spelling() -> None:
    six = slice_('a', endpoint('fd00::1'), family='IPv6')
    base: list[Thing] = [service(families=('IPv6',)), policy(), six]
    found = translated(*base, override('o', address='FD00:0::1', spec={'adminState': 'Drain'}))
    assert states(found) == {'fd00::1-8080': 'drain'}
    other = translated(*base, override('o', address='fd00::1', number=81, spec={'adminState': 'Drain'}))
    assert (states(other), other.gone) == ({'fd00::1-8080': 'ready'}, frozenset({('shop', 'o')}))


def test_an_override_for_one_port_leaves_the_others() -> None:
    ports = [{'name': 'http', 'port': 80}, {'name': 'admin', 'port': 81}]
    base: list[Thing] = [service(ports=ports), policy(), slice_('a', endpoint('10.0.0.1', 'p'), ports=ports)]
    one = translated(
        *base, override('o', pod='p', spec={'adminState': 'Drain', 'serviceRef': {'name': 'web', 'port': 'http'}})
    )
    assert {key[0]: spec['adminState'] for key, (spec, _) in one.servers.items()} == {
        HTTP: 'drain',
        'shop.web.admin': 'ready',
    }
    both = translated(*base, override('o', pod='p', spec={'adminState': 'Drain'}))
    assert {spec['adminState'] for spec, _ in both.servers.values()} == {'drain'}
    assert both.overrides['shop', 'o'].servers == ((HTTP, 'p'), ('shop.web.admin', 'p'))


@pytest.mark.parametrize(
    'things,reason,gone',
    [
        ([], 'ServiceNotFound', True),
        ([service()], 'NoPolicy', False),
        ([service(), policy(port='other')], 'NoPolicy', False),
        ([service(), policy()], 'TargetNotFound', True),
        ([service(), policy(), TWO], 'TargetFound', False),
    ],
)
def test_why_an_override_has_no_effect_and_which_are_to_be_removed(things: list[Any], reason: str, gone: bool) -> None:
    found = translated(*things, override('o', pod='p1', spec={'adminState': 'Drain'}))
    assert found.overrides['shop', 'o'].found.reason == reason
    assert found.gone == ({('shop', 'o')} if gone else frozenset())


@pytest.mark.parametrize(
    'wrong',
    [
        {'address': {'ip': '10.0.0.1', 'port': 1}},
        {'serviceRef': {}},
        {'adminState': 'Off'},
        {'weight': 257},
        {'maxConn': -1},
    ],
)
def test_an_override_that_makes_no_sense_wishes_nothing(wrong: Json) -> None:
    one = override('o', pod='p1', spec={'adminState': 'Drain'} | wrong)
    found = translated(*BASE, TWO, one)
    assert set(states(found).values()) == {'ready'}
    assert (found.overrides['shop', 'o'].found.reason, found.gone) == ('Invalid', frozenset())


# --- nobody is left ----------------------------------------------------------------------------------------------------

GOING = endpoint('10.0.0.1', 'going', ready=False, serving=True, terminating=True)
STOPPING = endpoint('10.0.0.2', 'stopping', ready=False, serving=False, terminating=True)
UNREADY = endpoint('10.0.0.3', 'unready', ready=False)
READY = endpoint('10.0.0.4', 'ready')


def test_when_nobody_is_ready_those_that_terminate_and_serve_are_used() -> None:
    found = translated(*BASE, slice_('a', GOING, STOPPING, UNREADY))
    assert states(found) == {'going': 'ready', 'stopping': 'maint', 'unready': 'maint'}
    assert [server for (_, server), view in found.views.items() if view.panic] == ['going']
    assert (found.policies[WEB].ready.holds, found.policies[WEB].ready.reason) == (True, 'TerminatingOnly')
    assert [(note.service, note.about, note.reason) for note in found.notes] == [(WEB, 'http', 'TerminatingOnly')]
    assert found.leaving() == {}


def test_one_that_is_ready_is_enough_to_let_the_others_go() -> None:
    found = translated(*BASE, slice_('a', GOING, STOPPING, READY))
    assert states(found) == {'going': 'drain', 'stopping': 'maint', 'ready': 'ready'}
    assert (found.policies[WEB].ready.reason, found.notes) == ('ServersReady', ())


def test_what_an_operator_took_out_is_not_brought_back_and_does_not_count_as_ready() -> None:
    drained = override('o', pod='ready', spec={'adminState': 'Drain'})
    assert states(translated(*BASE, slice_('a', GOING, READY), drained)) == {'going': 'ready', 'ready': 'drain'}
    both = override('p', pod='going', spec={'adminState': 'Maint'})
    found = translated(*BASE, slice_('a', GOING, READY), drained, both)
    assert states(found) == {'going': 'maint', 'ready': 'drain'}
    assert found.policies[WEB].ready.reason == 'NoneReady'


def test_nobody_that_serves_is_nobody() -> None:
    found = translated(*BASE, slice_('a', STOPPING, UNREADY))
    assert (found.policies[WEB].ready.holds, found.policies[WEB].ready.reason) == (False, 'NoneReady')
    assert [note.reason for note in found.notes] == ['NoneReady']
    assert translated(*BASE).policies[WEB].ready.reason == 'NoEndpoints'


# --- names -------------------------------------------------------------------------------------------------------------


def test_one_pod_at_two_places_is_two_servers_and_the_better_has_the_name() -> None:
    old, new = endpoint('10.0.0.1', 'db-0', ready=False), endpoint('10.0.0.2', 'db-0')
    for order in ([old, new], [new, old]):
        found = translated(*BASE, slice_('a', *order))
        assert {server: spec['address'] for (_, server), (spec, _) in found.servers.items()} == {
            'db-0': '10.0.0.2',
            '10.0.0.1-8080': '10.0.0.1',
        }


def test_a_pod_named_like_a_place_does_not_hide_the_one_that_is_there() -> None:
    found = translated(*BASE, slice_('a', endpoint('10.0.0.9', '10.0.0.1-8080'), endpoint('10.0.0.1')))
    assert len(found.servers) == 2
    assert found.servers[HTTP, '10.0.0.1-8080'][0]['address'] == '10.0.0.9'


def test_a_target_that_is_no_pod_of_this_namespace_gives_no_name() -> None:
    node = endpoint('10.0.0.1') | {'targetRef': {'kind': 'Node', 'name': 'n', 'uid': 'u'}}
    foreign = endpoint('10.0.0.2') | {'targetRef': {'kind': 'Pod', 'name': 'p', 'namespace': 'other', 'uid': 'u'}}
    assert {*states(translated(*BASE, slice_('a', node, foreign)))} == {'10.0.0.1-8080', '10.0.0.2-8080'}


def test_labels_that_the_domain_would_refuse_are_left_out() -> None:
    found = translated(*BASE, slice_('a', endpoint('10.0.0.1', 'p', zone='zürich', nodeName='n' * 200)))
    labels = found.servers[HTTP, 'p'][1]
    assert {*labels} == {'service', 'pod', 'node'}
    assert len(labels['node']) == 128


# --- the work it is --------------------------------------------------------------------------------------------------------


class Walked(list[Override]):
    """Overrides, and how often they were gone through."""

    times = 0

    def __iter__(self) -> Iterator[Override]:
        self.times += 1
        return super().__iter__()


@pytest.mark.parametrize('servers', [1, 40])
def test_overrides_are_gone_through_once_however_many_servers_there_are(servers: int) -> None:
    overrides = Walked(override(f'o{n}', pod=f'p{n}', spec={'weight': n + 2}) for n in range(40))
    candidates = [Candidate(f'10.0.1.{n}', 80, EndpointState.READY, f'p{n}', f'uid-p{n}') for n in range(servers)]
    made = build(policy(), WEB, service().ports[0], candidates, overrides)
    assert [spec['weight'] for spec, _ in made.servers.values()] == [int(name[1:]) + 2 for name in sorted(made.servers)]
    assert overrides.times == 1
