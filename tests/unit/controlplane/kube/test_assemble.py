"""Who has a port and who has a host when two want it."""

from __future__ import annotations

import itertools

from controlplane.kube.assemble import assemble
from controlplane.kube.backend import short
from controlplane.kube.translate import Translator
from controlplane.kube.world import Thing, World
from tests.unit.controlplane.kube.things import endpoint, policy, service, slice_
from tests.unit.controlplane.kube.translated import HTTP, WEB, accepted, translated

OLD, NEW = '2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z'
PORTS = [{'name': 'http', 'port': 80}, {'name': 'admin', 'port': 81}]


def test_of_two_policies_on_one_port_the_older_is_in_force_in_any_order() -> None:
    things: list[Thing] = [
        service(),
        policy('b', created=OLD, spec={'maxConn': 1}),
        policy('a', created=NEW, spec={'maxConn': 2}),
    ]
    for order in itertools.permutations([*things, slice_('s', endpoint('10.0.0.1', 'p'))]):
        found = translated(*order)
        assert (accepted(found, 'b'), accepted(found, 'a')) == ((True, 'Accepted'), (False, 'Conflicted'))
        assert found.servers[HTTP, 'p'][0]['maxConn'] == 1
        assert found.policies['shop', 'a'].backends == ()
        assert [(note.service, note.about, note.reason) for note in found.notes] == [(WEB, 'a', 'Conflicted')]


def test_of_one_second_the_one_whose_name_comes_first() -> None:
    found = translated(service(), policy('b'), policy('a'))
    assert (accepted(found, 'a'), accepted(found, 'b')) == ((True, 'Accepted'), (False, 'Conflicted'))


def test_the_other_takes_over_when_the_older_goes() -> None:
    world, older = World(), policy('b', created=OLD)
    translator = Translator(world)
    for thing in (service(), older, policy('a', created=NEW)):
        world.put(thing, 0)
    assert not accepted(translator.translate(), 'a')[0]
    world.remove(older, 0)
    assert accepted(translator.translate(), 'a') == (True, 'Accepted')


def test_a_conflict_on_one_port_leaves_the_other_in_force() -> None:
    found = translated(service(ports=PORTS), policy('one', port='admin', created=OLD), policy('all', created=NEW))
    assert accepted(found, 'all') == (False, 'Conflicted')
    assert 'in force on port http' in found.policies['shop', 'all'].targets[0][1].accepted.message
    assert found.policies['shop', 'all'].backends == (HTTP,)
    assert found.policies['shop', 'one'].backends == ('shop.web.admin',)


def test_policies_of_two_ports_and_of_two_services_do_not_touch() -> None:
    found = translated(
        service(ports=PORTS),
        service('api'),
        policy('a', port='http'),
        policy('b', port='admin'),
        policy('c', service='api'),
    )
    assert all(accepted(found, name)[0] for name in 'abc')
    assert {*found.backends} == {HTTP, 'shop.web.admin', 'shop.api.http'}


def test_a_policy_with_several_targets_has_a_verdict_for_each() -> None:
    refs = [{'name': 'web'}, {'name': 'missing'}, {'name': 'api', 'sectionName': 'http'}]
    found = translated(service(), service('api'), policy(spec={'targetRefs': refs}))
    view = found.policies[WEB]
    assert [(target.service, verdict.resolved.reason) for target, verdict in view.targets] == [
        ('web', 'ResolvedRefs'),
        ('missing', 'ServiceNotFound'),
        ('api', 'ResolvedRefs'),
    ]
    assert view.backends == (HTTP, 'shop.api.http')


def test_hosts_become_routes_to_the_first_port() -> None:
    found = translated(service(ports=PORTS), policy(spec={'hosts': ['web.example.com', '*.example.com']}))
    assert found.routes == {
        'web.example.com': {'host': 'web.example.com', 'pathPrefix': '/', 'backend': HTTP},
        '_.example.com': {'host': '*.example.com', 'pathPrefix': '/', 'backend': HTTP},
    }
    hosts = found.policies[WEB].hosts
    assert hosts is not None
    assert hosts.holds
    named = translated(service(ports=PORTS), policy(port='admin', spec={'hosts': ['web.example.com']}))
    assert [route['backend'] for route in named.routes.values()] == ['shop.web.admin']


def test_a_host_belongs_to_the_older_policy_of_whatever_namespace() -> None:
    mine = policy(created=NEW, spec={'hosts': ['a.example.com', 'b.example.com']})
    theirs = policy('their', namespace='other', created=OLD, spec={'hosts': ['a.example.com']})
    found = translated(service(), mine, theirs, service(namespace='other'))
    assert {name: route['backend'] for name, route in found.routes.items()} == {
        'a.example.com': 'other.web.http',
        'b.example.com': HTTP,
    }
    hosts = found.policies[WEB].hosts
    assert hosts is not None
    assert (hosts.holds, hosts.reason, accepted(found)) == (False, 'HostConflicted', (True, 'Accepted'))
    assert "a.example.com is other/their's" in hosts.message
    assert [(note.service, note.reason) for note in found.notes] == [(WEB, 'HostConflicted')]


def test_a_claim_outlives_a_missing_service_but_not_a_policy_that_is_not_in_force() -> None:
    waiting = policy('old', service='gone', created=OLD, spec={'hosts': ['a.example.com']})
    mine = policy(created=NEW, spec={'hosts': ['a.example.com']})
    found = translated(service(), waiting, mine)
    assert found.routes == {}
    assert [view.hosts and view.hosts.reason for _, view in sorted(found.policies.items())] == [
        'ServiceNotFound',
        'HostConflicted',
    ]
    conflicted = policy('old', created='2022-01-01T00:00:00Z', spec={'hosts': ['a.example.com']})
    found = translated(
        service(),
        service('api'),
        policy(created=OLD),
        conflicted,
        policy('api', service='api', created='2023-01-01T00:00:00Z', spec={'hosts': ['a.example.com']}),
    )
    assert found.routes['a.example.com']['backend'] == 'shop.api.http'


def test_more_routes_than_a_data_plane_holds_are_refused_to_the_youngest() -> None:
    world = World()
    for thing in (
        service(),
        service('api'),
        policy(created=NEW, spec={'hosts': ['a.example.com']}),
        policy('api', service='api', created=OLD, spec={'hosts': ['b.example.com']}),
    ):
        world.put(thing, 0)
    translator = Translator(world)
    translator.translate()
    found = assemble(world.all_policies(), translator.parts, {}, max_routes=1)
    assert {*found.routes} == {'b.example.com'}
    assert [note.reason for note in found.notes] == ['TooManyRoutes']


def test_a_host_that_is_spelt_like_anothers_shortened_id_takes_no_route_from_it() -> None:
    long = '.'.join(['a' * 60] * 3)
    for ages in ((OLD, NEW), (NEW, OLD)):
        whose = [
            policy('web', created=ages[0], spec={'hosts': [long]}),
            policy('api', service='api', created=ages[1], spec={'hosts': [short(long)]}),
        ]
        found = translated(service(), service('api'), *whose)
        assert {route['host']: route['backend'] for route in found.routes.values()} == {
            long: HTTP, short(long): 'shop.api.http',
        }  # fmt: skip
