"""Backends that come, go, are shown and hidden at run time."""

from __future__ import annotations

import pytest

from dataplane.core.backends import POINTED_TO, PUBLISHED
from dataplane.core.changes import (
    AddBackend,
    AddServer,
    AdoptFile,
    AdoptPush,
    BackendChange,
    PublishBackend,
    RemoveBackend,
    RemoveServer,
    SetAdmin,
    StructuralChange,
)
from dataplane.core.compose import Refused
from dataplane.core.layout import Layout
from dataplane.core.model import AdminState, Backend, Route, Server
from tests.unit.config.loading import snapshot
from tests.unit.core.farm import Farm, server

FILE = """
defaults base
 mode http
 timeout client 1s
 timeout connect 2s
 timeout server 3s
 balance leastconn
 retries 7
defaults bare
 timeout connect 2s
frontend f from base
 bind :80
 maxconn 55
 use_backend %[path] if { nbsrv(asked) gt 0 }
 default_backend a
backend a from base
 server x 10.0.0.1:80
backend empty from base
backend asked from base
backend off from base
 disabled
listen l from base
 bind :81
"""


LARGE = Layout(workers=1, servers=12, backends=16, frontends=4, entries=8, wheels=2_048)


@pytest.fixture
def farm() -> Farm:
    return Farm(snapshot(FILE), LARGE)


def do(farm: Farm, *changes: StructuralChange) -> None:
    for change in changes:
        farm.ledger.adopt(farm.ledger.propose(change), 5)
        farm.commit()


def get(farm: Farm, name: str) -> Backend:
    index = farm.ledger.tables.backend_of(name)
    assert index is not None
    return farm.ledger.tables.backends[index]


def names(farm: Farm) -> list[str]:
    return [backend.name for backend in farm.ledger.tables.snapshot.backends]


def test_a_newcomer_is_as_its_defaults_say_and_hidden(farm: Farm) -> None:
    do(farm, AddBackend('n', 'base'))
    backend = get(farm, 'n')
    assert (backend.published, backend.servers, backend.balance.algorithm, backend.retries) == (
        False,
        (),
        'leastconn',
        7,
    )
    assert (backend.timeouts.server, backend.fullconn) == (3_000, 1)
    others = {one.id for one in farm.ledger.tables.backends.values() if one.name != 'n'}
    assert backend.id not in others | {one.id for one in farm.ledger.tables.frontends.values()}


def test_a_newcomer_takes_servers_and_goes_when_it_has_none(farm: Farm) -> None:
    do(farm, AddBackend('n', 'bare', 'http'), AddServer('n', server('s', 0)), PublishBackend('n', True))
    farm.apply(SetAdmin('n', 's', AdminState.READY))
    assert farm.ledger.tables.eligible(farm.ledger.tables.backend_of('n') or 0)
    assert refusal(farm, RemoveBackend('n')) == PUBLISHED
    do(farm, PublishBackend('n', False))
    assert refusal(farm, RemoveBackend('n')) == 'Only a backend without server can be deleted.'
    farm.apply(SetAdmin('n', 's', AdminState.MAINT))
    do(farm, RemoveServer('n', 's'), RemoveBackend('n'))
    assert 'n' not in names(farm)
    do(farm, AddBackend('n', 'base'))
    assert get(farm, 'n').servers == ()


def test_a_backend_of_the_file_can_go_and_comes_back_with_it(farm: Farm) -> None:
    do(farm, PublishBackend('empty', False), RemoveBackend('empty'))
    assert 'empty' not in names(farm)
    do(farm, AddBackend('n', 'base'), AdoptFile(snapshot(FILE)))
    assert names(farm) == ['a', 'empty', 'asked', 'off', 'l']
    assert get(farm, 'empty').published


def test_hidden_is_hidden_until_the_file_says_something_else(farm: Farm) -> None:
    do(farm, PublishBackend('a', False), AdoptFile(snapshot(FILE)))
    assert not get(farm, 'a').published
    hidden = FILE.replace('backend a from base\n', 'backend a from base\n be-unpublished\n')
    do(farm, AdoptFile(snapshot(hidden)))
    assert not get(farm, 'a').published
    do(farm, PublishBackend('a', True), AdoptFile(snapshot(hidden)))
    assert get(farm, 'a').published
    do(farm, AdoptFile(snapshot(FILE)))
    assert get(farm, 'a').published


def refusal(farm: Farm, change: BackendChange) -> str:
    with pytest.raises(Refused) as caught:
        farm.ledger.propose(change)
    return str(caught.value)


@pytest.mark.parametrize(
    'change, said',
    [
        (AddBackend('a', 'base'), "Already exists a proxy with the same name 'a'."),
        (AddBackend('f', 'base'), "Already exists a proxy with the same name 'f'."),
        (AddBackend('n', 'nobody'), "Cannot find default proxy 'nobody'."),
        (AddBackend('n', 'bare'), 'Mode is required.'),
        (AddBackend('n', 'base', 'tcp'), "'mode tcp' is not supported, only 'mode http' is."),
        (RemoveBackend('n'), 'No such backend.'),
        (RemoveBackend('l'), 'Cannot delete a listen section.'),
        (RemoveBackend('empty'), PUBLISHED),
        (PublishBackend('n', True), 'No such backend.'),
        (PublishBackend('off', True), 'No effect on a disabled backend.'),
    ],
)
def test_what_is_refused(farm: Farm, change: BackendChange, said: str) -> None:
    assert refusal(farm, change) == said


@pytest.mark.parametrize('name', ['asked', 'a'])
def test_who_is_pointed_to_stays(farm: Farm, name: str) -> None:
    assert refusal(farm, RemoveBackend(name)) == POINTED_TO, 'published or not'
    do(farm, PublishBackend(name, False))
    if name == 'a':
        farm.apply(SetAdmin('a', 'x', AdminState.MAINT))
        do(farm, RemoveServer('a', 'x'))
    assert refusal(farm, RemoveBackend(name)) == POINTED_TO


def test_a_route_points_to_its_backend(farm: Farm) -> None:
    do(farm, PublishBackend('empty', False))
    farm.ledger.adopt(farm.ledger.propose(AdoptPush((), (Route(host='', path_prefix='/', backend='empty'),), {})), 0)
    assert refusal(farm, RemoveBackend('empty')) == POINTED_TO


def test_what_the_control_plane_pushed_is_its_own(farm: Farm) -> None:
    pushed = (Backend(name='p', id=0, servers=(Server(name='x', id=0, host='10.0.0.2', port=80),)),)
    farm.ledger.adopt(farm.ledger.propose(AdoptPush(pushed, (), {})), 0)
    for change in (PublishBackend('p', False), RemoveBackend('p')):
        assert refusal(farm, change) == "Backend 'p' belongs to the control plane."
    do(farm, AddBackend('n', 'base'))
    with pytest.raises(Refused, match='belongs to the configuration file'):
        farm.ledger.propose(AdoptPush((Backend(name='n', id=0),), (), {}))
