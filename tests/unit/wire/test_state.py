from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.wire import state as wire

SERVER: dict[str, Any] = {
    'address': '10.0.0.1',
    'port': 80,
    'weight': 1,
    'maxConn': 2,
    'minConn': 0,
    'maxQueue': 0,
    'backup': False,
    'adminState': 'ready',
    'sessionGeneration': 0,
}
BACKEND: dict[str, Any] = {
    'balance': 'roundrobin',
    'retries': 3,
    'redispatch': 0,
    'fullconn': 0,
    'allbackups': False,
    'timeouts': {'connect': 1000, 'server': None, 'queue': 5000, 'tunnel': None},
}
ROUTE: dict[str, Any] = {'host': 'a.example', 'pathPrefix': '/', 'backend': 'app'}


def backend(name: str, spec: dict[str, Any] | None = BACKEND) -> wire.Change:
    return {'kind': 'backend', 'name': name, 'spec': spec}


def server(owner: str, name: str, spec: dict[str, Any] | None = SERVER) -> wire.Change:
    return {'kind': 'server', 'backend': owner, 'name': name, 'spec': spec}


def route(key: str, spec: dict[str, Any] | None = ROUTE) -> wire.Change:
    return {'kind': 'route', 'id': key, 'spec': spec}


NAMES = st.sampled_from(['a', 'b', 'c'])
SERVERS = st.dictionaries(NAMES, st.builds(lambda w: {**SERVER, 'weight': w}, st.integers(0, 3)))
STATES = st.fixed_dictionaries(
    {
        'backends': st.dictionaries(
            NAMES, st.builds(lambda r, s: {**BACKEND, 'retries': r, 'servers': s}, st.integers(0, 2), SERVERS)
        ),
        'routes': st.dictionaries(NAMES, st.builds(lambda p: {**ROUTE, 'pathPrefix': p}, st.sampled_from(['/', '/x']))),
    }
)


@given(STATES, STATES)
def test_folding_a_diff_gives_the_new_state_and_alters_nothing(old: wire.State, new: wire.State) -> None:
    before = copy.deepcopy(old)
    changes = wire.diff(old, new)
    once = wire.fold(old, changes)
    assert once == new
    assert wire.fold(once, changes) == new
    assert old == before
    assert wire.diff(new, once) == []
    assert wire.digest(once) == wire.digest(new)
    assert (wire.digest(old) == wire.digest(new)) == (old == new)


@given(STATES)
def test_a_whole_state_is_the_fold_of_its_changes_from_empty(state: wire.State) -> None:
    assert wire.fold(wire.empty(), wire.diff(wire.empty(), state)) == state


def test_fold_shares_what_it_does_not_change() -> None:
    old = wire.fold(wire.empty(), [backend('app'), server('app', 's1'), backend('other')])
    new = wire.fold(old, [server('app', 's2')])
    assert new['backends']['other'] is old['backends']['other']
    assert new['backends']['app']['servers']['s1'] is old['backends']['app']['servers']['s1']
    assert 's2' not in old['backends']['app']['servers']


def test_a_backend_replaced_keeps_its_servers_and_removed_loses_them() -> None:
    state = wire.fold(wire.empty(), [backend('app'), server('app', 's1'), backend('app', {**BACKEND, 'retries': 9})])
    assert list(state['backends']['app']['servers']) == ['s1']
    state = wire.fold(state, [backend('app', None), backend('app')])
    assert state['backends']['app']['servers'] == {}


def test_removing_what_is_not_there_is_harmless() -> None:
    changes = [server('app', 's1', None), backend('app', None), route('r', None)]
    assert wire.fold(wire.empty(), changes) == wire.empty()


@pytest.mark.parametrize(
    'change,words',
    [
        (server('app', 's1'), 'there is no such backend'),
        ({'kind': 'pool'}, 'unknown kind'),
        ([], 'must be an object'),
        ({'kind': 'route', 'name': 'r', 'spec': None}, 'exactly kind, spec, id'),
        (route('a b'), "invalid id: 'a b'"),
        (backend('app', []), 'must be an object'),  # type: ignore[arg-type]
    ],
)
def test_fold_refuses_what_cannot_be_applied(change: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wire.fold(wire.empty(), [change])


@pytest.mark.parametrize(
    'patch,words',
    [
        ({'port': 0}, 'port has an invalid value 0'),
        ({'port': True}, 'port has an invalid value True'),
        ({'weight': 257}, 'weight'),
        ({'weight': 1.5}, 'weight'),
        ({'adminState': 'up'}, 'adminState'),
        ({'adminState': 'ready\n'}, 'adminState'),
        ({'address': 'a b'}, 'address'),
        ({'backup': 0}, 'backup'),
        ({'minConn': 3}, 'minConn 3 is above maxConn 2'),
        ({'extra': 1}, "unknown field 'extra'"),
    ],
)
def test_a_server_field_out_of_range_is_named_with_its_backend(patch: dict[str, Any], words: str) -> None:
    ((owner, text),) = wire.faults([server('app', 's1', {**SERVER, **patch})])
    assert owner == 'app'
    assert text.startswith('server app/s1: ')
    assert words in text


@pytest.mark.parametrize(
    'patch,words',
    [
        ({'balance': 'uri'}, 'balance'),
        ({'balance': 'random(0)'}, 'balance'),
        ({'timeouts': {}}, 'timeouts must be'),
        ({'timeouts': {**BACKEND['timeouts'], 'queue': 0}}, 'timeouts.queue'),
        ({'servers': {}}, "unknown field 'servers'"),
    ],
)
def test_a_backend_field_out_of_range_is_named(patch: dict[str, Any], words: str) -> None:
    ((owner, text),) = wire.faults([backend('app', {**BACKEND, **patch})])
    assert owner == 'app'
    assert words in text


def test_a_missing_field_is_named() -> None:
    assert wire.faults([server('app', 's1', {k: v for k, v in SERVER.items() if k != 'minConn'})]) == [
        ('app', "server app/s1: field 'minConn' is missing")
    ]


@pytest.mark.parametrize('host', ['', 'a.example', '*.a.example', '[::1]'])
def test_hosts_of_routes(host: str) -> None:
    assert wire.faults([route('r', {**ROUTE, 'host': host})]) == []


@pytest.mark.parametrize(
    'patch', [{'host': 'A.example'}, {'host': '*'}, {'pathPrefix': 'x'}, {'pathPrefix': '/a?b'}, {'pathPrefix': '/a b'}]
)
def test_routes_that_could_never_match_are_refused(patch: dict[str, Any]) -> None:
    assert len(wire.faults([route('r', {**ROUTE, **patch})])) == 1


def test_check_of_a_whole_state() -> None:
    good = wire.fold(wire.empty(), [backend('app'), server('app', 's1'), route('r')])
    assert wire.check(good) == []
    assert wire.check([]) != []
    assert wire.check({'backends': [], 'routes': {}}) != []
    assert wire.check({'backends': {'app': []}, 'routes': {}}) != []
    assert wire.check({'backends': {'app': {**BACKEND, 'servers': []}}, 'routes': {}}) != []
    assert wire.check({**good, 'routes': {'r': []}}) == ['route r: must be an object, not list']


def test_two_routes_with_one_match_are_refused() -> None:
    state = wire.fold(wire.empty(), [route('r1'), route('r2')])
    assert wire.check(state) == ["route r2: host 'a.example' with prefix '/' is already matched by route r1"]


def test_more_than_the_maximum_is_refused() -> None:
    servers = {f's{i}': SERVER for i in range(wire.MAX_SERVERS + 1)}
    routes = {f'r{i}': {**ROUTE, 'pathPrefix': f'/{i}'} for i in range(wire.MAX_ROUTES + 1)}
    problems = wire.check({'backends': {'app': {**BACKEND, 'servers': servers}}, 'routes': routes})
    assert problems == ['16385 servers are more than 16384', '16385 routes are more than 16384']


@pytest.mark.parametrize('fields', [{'share': 2}, {'share': 0}, {'share': 0, 'shareDue': True}])
def test_a_share_may_be_there_and_need_not(fields: dict[str, Any]) -> None:
    assert wire.faults([server('app', 's', {**SERVER, **fields})]) == []


@pytest.mark.parametrize(
    'fields',
    [
        {'share': 3}, {'share': -1}, {'share': True}, {'shareDue': True}, {'share': 1, 'shareDue': True},
        {'share': 0, 'shareDue': False}, {'share': 0, 'maxConn': 0},
    ],
)  # fmt: skip
def test_a_share_is_one_of_the_limit_and_due_only_where_there_is_none(fields: dict[str, Any]) -> None:
    ((owner, _),) = wire.faults([server('app', 's', {**SERVER, **fields})])
    assert owner == 'app'
