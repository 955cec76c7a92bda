from __future__ import annotations

from typing import Any

import pytest

from controlplane.domain.desired import Desired
from controlplane.domain.version import Version
from controlplane.kube.assemble import assemble
from controlplane.kube.outcome import Drain, Translation
from controlplane.kube.translate import Translator
from controlplane.kube.world import Thing, World
from controlplane.kube.writes import plan
from dataplane.wire import state as wire
from tests.unit.controlplane.kube.things import endpoint, override, policy, service, slice_
from tests.unit.controlplane.kube.translated import HTTP, WEB, accepted, resolved, states, translated


def test_a_service_with_a_policy_is_a_backend_and_its_endpoints_are_servers() -> None:
    found = translated(
        service(),
        policy(spec={'maxConn': 4}),
        slice_('a', endpoint('10.0.0.1', 'web-a', nodeName='n1', zone='z1'), endpoint('10.0.0.2')),
    )
    assert found.backends == {
        HTTP: {
            'balance': 'roundrobin', 'retries': 3, 'redispatch': -1, 'fullconn': 0, 'allbackups': False,
            'timeouts': {'connect': 5_000, 'server': 60_000, 'queue': 10_000, 'tunnel': None},
        }
    }  # fmt: skip
    plain = {
        'port': 8080,
        'weight': 1,
        'maxConn': 4,
        'minConn': 0,
        'maxQueue': 0,
        'backup': False,
        'adminState': 'ready',
        'sessionGeneration': 0,
    }
    assert found.servers == {
        (HTTP, '10.0.0.2-8080'): ({'address': '10.0.0.2', **plain}, {'service': 'web'}),
        (HTTP, 'web-a'): (
            {'address': '10.0.0.1', **plain},
            {'service': 'web', 'pod': 'web-a', 'node': 'n1', 'zone': 'z1'},
        ),
    }
    assert found.scopes == {HTTP: 'perReplica'}
    assert found.drains == {HTTP: Drain(60_000, 'Keep')}
    assert (found.routes, found.notes, found.gone) == ({}, (), frozenset())
    view = found.policies[WEB]
    assert (view.ready.reason, view.counts.total, view.counts.ready, view.hosts) == ('ServersReady', 2, 2, None)


def test_what_it_comes_to_is_a_state_of_the_wire() -> None:
    found = translated(
        service(ports=[{'name': 'http', 'port': 80}, {'port': 9000}], families=('IPv6',)),
        policy(spec={'hosts': ['*.example.com', 'example.com'], 'maxConn': 9, 'minConn': 2}),
        slice_(
            'a',
            endpoint('fd00::1', 'web-a'),
            endpoint('fd00::2'),
            family='IPv6',
            ports=[{'name': 'http', 'port': 1}, {'port': 2}],
        ),
        override('o', pod='web-a', spec={'adminState': 'Drain', 'maxConn': 1, 'sessionGeneration': 7}),
    )
    writes = plan(Desired(), found)
    desired = Desired()
    after = desired.after(desired.effective(writes), Version(1, 1))
    assert wire.check(after.state) == []
    assert {*after.state['backends']} == {HTTP, 'shop.web.9000'}
    assert {*after.state['backends'][HTTP]['servers']} == {'web-a', 'fd00::2-1'}
    assert after.state['backends'][HTTP]['servers']['web-a']['minConn'] == 1
    assert plan(after, found) == ()


def test_a_service_without_a_policy_is_nothing() -> None:
    assert translated(service(), slice_('a', endpoint('10.0.0.1'))) == Translation()


@pytest.mark.parametrize(
    'spec,where,value',
    [
        ({'balance': {'algorithm': 'leastconn'}}, 'balance', 'leastconn'),
        ({'balance': {'algorithm': 'first'}}, 'balance', 'first'),
        ({'balance': {'algorithm': 'random'}}, 'balance', 'random'),
        ({'balance': {'algorithm': 'random', 'draws': 3}}, 'balance', 'random(3)'),
        ({'retries': {'attempts': 0}}, 'retries', 0),
        ({'retries': {'redispatch': False}}, 'redispatch', 0),
        ({'retries': {'redispatch': True}}, 'redispatch', -1),
        ({'timeouts': {'connect': '250ms'}}, 'timeouts.connect', 250),
        ({'timeouts': {'response': '1m30s'}}, 'timeouts.server', 90_000),
        ({'timeouts': {'tunnel': '1h'}}, 'timeouts.tunnel', 3_600_000),
        ({'queue': {'timeout': '2s'}}, 'timeouts.queue', 2_000),
    ],
)
def test_fields_of_a_policy_in_the_backend(spec: dict[str, Any], where: str, value: object) -> None:
    found: Any = translated(service(), policy(spec=spec)).backends[HTTP]
    for part in where.split('.'):
        found = found[part]
    assert found == value


@pytest.mark.parametrize(
    'spec,where,value',
    [
        ({'maxConn': 10}, 'maxConn', 10),
        ({'maxConn': 10, 'minConn': 3}, 'minConn', 3),
        ({'queue': {'maxLength': 200}}, 'maxQueue', 200),
    ],
)
def test_fields_of_a_policy_in_each_server(spec: dict[str, Any], where: str, value: int) -> None:
    found = translated(service(), policy(spec=spec), slice_('a', endpoint('10.0.0.1', 'p')))
    assert found.servers[HTTP, 'p'][0][where] == value


def test_scope_and_drain_are_data_for_others() -> None:
    spec = {'limitScope': 'divided', 'maxConn': 10, 'drain': {'timeout': '90s', 'onDeadline': 'Shutdown'}}
    found = translated(service(), policy(spec=spec))
    assert (found.scopes[HTTP], found.drains[HTTP]) == ('divided', Drain(90_000, 'Shutdown'))


def test_endpoints_on_their_way_out_are_overdue_after_the_policys_span() -> None:
    things: list[Thing] = [
        service(),
        slice_(
            'a',
            endpoint('10.0.0.1', 'ready'),
            endpoint('10.0.0.2', 'going', ready=False, terminating=True),
            endpoint('10.0.0.3', 'stopping', ready=False, serving=False, terminating=True),
            endpoint('10.0.0.4', 'unready', ready=False),
            endpoint('10.0.0.5', 'drained'),
        ),
        override('o', pod='drained', spec={'adminState': 'Maint'}),
    ]
    found = translated(*things, policy(spec={'drain': {'timeout': '9s', 'onDeadline': 'Shutdown'}}))
    assert found.leaving() == {(HTTP, pod, f'uid-{pod}'): 9_000 for pod in ('going', 'stopping', 'drained')}
    assert translated(*things, policy()).leaving() == {}


def test_each_state_of_an_endpoint_in_the_data_planes_words() -> None:
    found = translated(
        service(),
        policy(),
        slice_(
            'a',
            endpoint('10.0.0.1', 'p-ready'),
            endpoint('10.0.0.2', 'p-drain', ready=False, serving=True, terminating=True),
            endpoint('10.0.0.3', 'p-stopping', ready=False, serving=False, terminating=True),
            endpoint('10.0.0.4', 'p-maint', ready=False, serving=False, terminating=False),
        ),
    )
    assert states(found) == {'p-ready': 'ready', 'p-drain': 'drain', 'p-stopping': 'maint', 'p-maint': 'maint'}
    counts = found.policies[WEB].counts
    assert (counts.total, counts.ready, counts.drain, counts.maint) == (4, 1, 1, 2)


# --- targets -----------------------------------------------------------------------------------------------------------


def test_a_missing_service() -> None:
    found = translated(policy(), slice_('a', endpoint('10.0.0.1')))
    assert (resolved(found), accepted(found), found.backends) == ((False, 'ServiceNotFound'), (True, 'Accepted'), {})


def test_an_external_name_is_refused() -> None:
    found = translated(policy(), service(kind='ExternalName', families=()), slice_('a', endpoint('10.0.0.1')))
    assert (resolved(found), found.backends) == ((False, 'ExternalName'), {})


def test_a_port_that_is_not_there_and_a_service_without_tcp() -> None:
    assert resolved(translated(policy(port='admin'), service())) == (False, 'PortNotFound')
    assert resolved(translated(policy(), service(ports=[{'name': 'dns', 'port': 53, 'protocol': 'UDP'}]))) == (
        False,
        'PortNotFound',
    )


def test_a_port_by_name_and_one_without_a_name_by_its_number() -> None:
    ports = [{'name': 'http', 'port': 80}, {'name': 'admin', 'port': 81}]
    assert {*translated(policy(port='admin'), service(ports=ports)).backends} == {'shop.web.admin'}
    assert {*translated(policy(port='80'), service(ports=[{'port': 80}])).backends} == {'shop.web.80'}
    assert resolved(translated(policy(port='80'), service(ports=ports))) == (False, 'PortNotFound')


def test_an_invalid_policy_is_not_accepted_and_leaves_its_port_to_others() -> None:
    wrong = policy('old', spec={'timeouts': {'connect': 'soon'}}, created='2020-01-01T00:00:00Z')
    found = translated(service(), wrong, policy('new'))
    assert (accepted(found, 'old'), accepted(found, 'new')) == ((False, 'Invalid'), (True, 'Accepted'))
    assert found.policies['shop', 'new'].backends == (HTTP,)


# --- families ----------------------------------------------------------------------------------------------------------

BOTH: list[Thing] = [slice_('a', endpoint('10.0.0.1', 'p')), slice_('b', endpoint('fd00::1', 'p'), family='IPv6')]


def test_a_dual_stack_service_is_refused_unless_the_policy_names_a_family() -> None:
    dual = service(families=('IPv6', 'IPv4'))
    assert resolved(translated(dual, policy(), *BOTH)) == (False, 'DualStack')
    assert translated(dual, policy(), *BOTH).backends == {}
    for family, address in (('IPv4', '10.0.0.1'), ('IPv6', 'fd00::1')):
        found = translated(dual, policy(spec={'ipFamily': family}), *BOTH)
        assert resolved(found) == (True, 'ResolvedRefs')
        assert [spec['address'] for spec, _ in found.servers.values()] == [address]


def test_a_service_of_one_family_uses_that_one() -> None:
    found = translated(service(families=('IPv6',)), policy(), *BOTH)
    assert (resolved(found), [spec['address'] for spec, _ in found.servers.values()]) == (
        (True, 'ResolvedRefs'),
        ['fd00::1'],
    )
    wrong = translated(service(families=('IPv6',)), policy(spec={'ipFamily': 'IPv4'}), *BOTH)
    assert (resolved(wrong), wrong.backends) == ((False, 'AddressFamily'), {})


def test_a_service_that_does_not_say_its_family_has_that_of_its_slices() -> None:
    assert resolved(translated(service(families=()), policy(), *BOTH)) == (False, 'DualStack')
    assert [spec['address'] for spec, _ in translated(service(families=()), policy(), BOTH[1]).servers.values()] == [
        'fd00::1'
    ]
    assert resolved(translated(service(families=()), policy())) == (True, 'ResolvedRefs')


def test_names_as_addresses_are_refused_and_the_rest_is_used() -> None:
    found = translated(
        service(),
        policy(),
        slice_('a', endpoint('evil.example.com'), family='FQDN'),
        slice_('b', endpoint('10.0.0.1', 'p')),
    )
    assert (resolved(found), states(found)) == ((False, 'AddressType'), {'p': 'ready'})


def test_refused_addresses_are_named_three_at_most_and_the_rest_is_used() -> None:
    bad = [endpoint(f'127.0.0.{n}') for n in range(1, 6)]
    found = translated(service(), policy(), slice_('a', *bad, endpoint('10.0.0.1', 'p')))
    assert (resolved(found), states(found)) == ((False, 'AddressRefused'), {'p': 'ready'})
    message = found.policies[WEB].targets[0][1].resolved.message
    assert '127.0.0.3 is a loopback address and 2 more' in message
    assert [note.reason for note in found.notes] == ['AddressRefused']


def test_nobody_is_proxied_to_the_api_server() -> None:
    api = service('kubernetes', namespace='default', ports=[{'name': 'https', 'port': 443}])
    places = slice_(
        'kubernetes',
        endpoint('10.9.9.9'),
        of='kubernetes',
        namespace='default',
        ports=[{'name': 'https', 'port': 8080}],
    )
    world = World()
    translator = Translator(world)
    for thing in (service(), policy(), slice_('a', endpoint('10.9.9.9'), endpoint('10.0.0.1', 'p'))):
        world.put(thing, 0)
    assert len(translator.translate().servers) == 2
    world.put(api, 0)
    world.put(places, 0)
    assert states(translator.translate()) == {'p': 'ready'}


def test_nor_to_the_address_of_its_service() -> None:
    world = World()
    translator = Translator(world)
    for thing in (service(), policy(), slice_('a', endpoint('10.9.9.9'), endpoint('10.0.0.1', 'p'))):
        world.put(thing, 0)
    api = service(
        'kubernetes', namespace='default', ports=[{'name': 'https', 'port': 8080}], addresses=('10.9.9.9', 'None')
    )
    world.put(api, 0)
    assert states(translator.translate()) == {'p': 'ready'}


# --- sizes -------------------------------------------------------------------------------------------------------------


def test_what_no_data_plane_can_hold_is_refused_to_the_youngest() -> None:
    world = World()
    for name, created in (('b', '2020-01-01T00:00:00Z'), ('a', '2021-01-01T00:00:00Z'), ('c', '2022-01-01T00:00:00Z')):
        world.put(service(name), 0)
        size = 2 if name == 'a' else 1
        world.put(slice_(name, *(endpoint(f'10.0.{ord(name)}.{n}') for n in range(size)), of=name), 0)
        world.put(policy(name, service=name, created=created), 0)
    translator = Translator(world)
    translator.translate()
    found = assemble(world.all_policies(), translator.parts, {}, max_servers=2)
    assert {*found.backends} == {'shop.b.http', 'shop.c.http'}
    assert (accepted(found, 'a'), accepted(found, 'c')) == ((False, 'TooManyServers'), (True, 'Accepted'))
    assert [note.reason for note in found.notes] == ['TooManyServers']


def test_names_that_are_too_long_are_cut_and_stay_two() -> None:
    long = ('a' * 63, 'b' * 63, 'c' * 15, 'd' * 15)
    ports = [{'name': long[2], 'port': 80}, {'name': long[3], 'port': 81}]
    things: list[Thing] = [service(long[1], ports, namespace=long[0]), policy(service=long[1], namespace=long[0])]
    pods = [
        endpoint('10.0.0.1') | {'targetRef': {'kind': 'Pod', 'name': 'p' * 250 + tail, 'uid': tail}} for tail in 'xy'
    ]
    pods[1]['addresses'] = ['10.0.0.2']
    found = translated(*things, slice_('a', *pods, of=long[1], namespace=long[0], ports=ports))
    names = {*found.backends, *(server for _, server in found.servers)}
    assert len(names) == 4
    assert all(wire.NAME.match(name) for name in names)
    assert Desired().effective(plan(Desired(), found))
