from __future__ import annotations

from typing import Any

import pytest

from dataplane.core.compose import Sources, compose
from dataplane.core.model import AdminState, Balance, Route, Snapshot, Timeouts
from dataplane.supervisor.translate import translate
from dataplane.wire.state import fold


def server(**changed: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {
        'address': '10.0.0.1', 'port': 80, 'weight': 1, 'maxConn': 0, 'minConn': 0, 'maxQueue': 0, 'backup': False,
        'adminState': 'ready', 'sessionGeneration': 0,
    }  # fmt: skip
    return spec | changed


def backend(servers: dict[str, Any], **changed: Any) -> dict[str, Any]:
    timeouts = {'connect': 1000, 'server': None, 'queue': None, 'tunnel': None}
    spec: dict[str, Any] = {
        'balance': 'roundrobin', 'retries': 3, 'redispatch': 0, 'fullconn': 0, 'allbackups': False, 'timeouts': timeouts,
        'servers': servers,
    }  # fmt: skip
    return spec | changed


def test_an_empty_state_is_an_empty_wish() -> None:
    push = translate({'backends': {}, 'routes': {}})
    assert (push.backends, push.routes, push.states) == ((), (), {})


def test_every_field_arrives_and_order_is_that_of_the_names() -> None:
    timeouts = {'connect': 500, 'server': 6000, 'queue': 700, 'tunnel': 8000}
    b = backend(
        {'s2': server(), 's1': server(address='::1', port=81, weight=7, maxConn=9, minConn=2, maxQueue=4, backup=True)},
        balance='leastconn', retries=1, redispatch=-1, fullconn=50, allbackups=True, timeouts=timeouts,
    )  # fmt: skip
    routes = {'r': {'host': 'a.b', 'pathPrefix': '/x', 'backend': 'b'}}
    push = translate({'backends': {'b': b, 'a': backend({})}, 'routes': routes})
    assert [each.name for each in push.backends] == ['a', 'b']
    made = push.backends[1]
    assert [each.name for each in made.servers] == ['s1', 's2']
    one = made.servers[0]
    assert (one.host, one.port, one.weight, one.maxconn, one.minconn, one.maxqueue) == ('::1', 81, 7, 9, 2, 4)
    assert one.backup
    assert not made.servers[1].backup
    assert (made.balance.algorithm, made.retries, made.redispatch, made.fullconn) == ('leastconn', 1, -1, 50)
    assert made.allbackups
    assert made.pushed
    assert made.timeouts == Timeouts(connect=500, server=6000, queue=700, tunnel=8000)
    assert push.routes == (Route(host='a.b', path_prefix='/x', backend='b'),)


def test_timeout_queue_falls_back_to_timeout_connect() -> None:
    assert translate({'backends': {'b': backend({})}, 'routes': {}}).backends[0].timeouts.queue == 1000


@pytest.mark.parametrize(
    'text,balance',
    [('roundrobin', Balance(algorithm='roundrobin')), ('random(5)', Balance(draws=5)), ('random', Balance())],
)
def test_balance(text: str, balance: Balance) -> None:
    assert translate({'backends': {'b': backend({}, balance=text)}, 'routes': {}}).backends[0].balance == balance


def test_an_algorithm_nobody_checked_is_an_error_not_a_guess() -> None:
    with pytest.raises(ValueError, match=r'Random\(x\)'):
        translate({'backends': {'b': backend({}, balance='Random(x)')}, 'routes': {}})


def test_states_are_wishes_with_their_generation() -> None:
    servers = {'s': server(adminState='drain', sessionGeneration=12), 't': server()}
    push = translate({'backends': {'b': backend(servers)}, 'routes': {}})
    assert push.states == {('b', 's'): (AdminState.DRAIN, 12), ('b', 't'): (AdminState.READY, 0)}


def test_what_is_left_open_is_resolved_like_a_file() -> None:
    push = translate({'backends': {'b': backend({'s': server(maxConn=5)})}, 'routes': {}})
    sources = Sources().pushing(push.backends, push.routes, push.states)
    made = compose(sources, Snapshot()).backends[0]
    assert made.id > 0
    assert made.fullconn >= 1
    assert (made.servers[0].id, made.servers[0].minconn) == (1, 5)


def test_what_two_states_share_is_translated_once() -> None:
    one = {'backends': {'a': backend({'s': server()}), 'b': backend({'s': server()})}, 'routes': {}}
    first = translate(one)
    two = fold(one, [{'kind': 'server', 'backend': 'b', 'name': 's', 'spec': server(weight=7, adminState='maint')}])
    second = translate(two, (one, first))
    assert second.backends[0] is first.backends[0]
    assert second.backends[1].servers[0].weight == 7
    assert second.states['b', 's'] == (AdminState.MAINT, 0)
    assert translate(two) == second


def test_a_share_arrives_beside_the_limit() -> None:
    servers = {'a': server(maxConn=9, share=2), 'b': server(maxConn=9, share=0, shareDue=True), 'c': server(maxConn=9)}
    (made,) = translate({'backends': {'b': backend(servers)}, 'routes': {}}).backends
    assert [(each.maxconn, each.share, each.share_due) for each in made.servers] == [
        (9, 2, False), (9, 0, True), (9, None, False),
    ]  # fmt: skip
