"""Servers that join and leave at run time: ids, places on the board, and what is refused."""

from __future__ import annotations

import pytest

from dataplane.core.changes import (
    AddServer,
    AdoptFile,
    AdoptPush,
    RemoveServer,
    RenameServer,
    SetAddress,
    SetAdmin,
    StructuralChange,
    SwitchCheck,
)
from dataplane.core.checks import ServerCheck
from dataplane.core.compose import Refused, Sources
from dataplane.core.dynamic import NOT_IN_MAINTENANCE, POINTED_TO, RENAMED_IN_MAINTENANCE
from dataplane.core.layout import Rota
from dataplane.core.model import AdminState, Backend, Balance, Server, Snapshot
from dataplane.core.state import OpState
from dataplane.rules.actions import Rules, Switch
from tests.unit.config.loading import HTTP, snapshot
from tests.unit.core.farm import Farm, backend, file, server

READY, MAINT = AdminState.READY, AdminState.MAINT
PAIR = file(backend('b', 3, server('x', 1), server('y', 4)))


def new(name: str = 'n', **settings: object) -> Server:
    return server(name, settings.pop('id', 0), **settings)  # type: ignore[arg-type]


def do(farm: Farm, *changes: StructuralChange) -> None:
    for change in changes:
        farm.ledger.adopt(farm.ledger.propose(change), 5)
        farm.commit()


def refusal(farm: Farm, change: AddServer | RemoveServer | RenameServer) -> str:
    before = farm.ledger.tables
    with pytest.raises(Refused) as caught:
        farm.ledger.propose(change)
    assert farm.ledger.tables is before
    assert farm.commit().images == ()
    return str(caught.value)


def names(farm: Farm) -> list[tuple[str, int]]:
    return [(one.name, one.id) for one in farm.ledger.tables.snapshot.backends[0].servers]


def test_a_newcomer_begins_in_maintenance_with_its_check_off_and_takes_traffic_once_enabled() -> None:
    farm = Farm(PAIR)
    do(farm, AddServer('b', new(check=ServerCheck())))
    record = farm.ledger.server('b', 'n')
    assert (record.effective, record.admin, record.opstate) == (MAINT, 1, OpState.STOPPED)
    assert not record.health.check.enabled
    assert farm.column(farm.at.ROTA, 3) == [Rota.IN, Rota.IN, Rota.OUT]
    farm.apply(SetAdmin('b', 'n', READY), SwitchCheck('b', 'n', enabled=True))
    assert farm.column(farm.at.ROTA, 3) == [Rota.IN] * 3
    assert farm.ledger.server('b', 'n').health.check.enabled


def test_ids_are_the_lowest_that_are_free_or_those_asked_for() -> None:
    farm = Farm(PAIR)
    do(farm, AddServer('b', new('n')), AddServer('b', new('m', id=40)), AddServer('b', new('o')))
    assert names(farm) == [('x', 1), ('y', 4), ('n', 2), ('m', 40), ('o', 3)]
    farm.apply(SetAdmin('b', 'n', MAINT))
    do(farm, RemoveServer('b', 'n'), AddServer('b', new('p')))
    assert names(farm) == [('x', 1), ('y', 4), ('m', 40), ('o', 3), ('p', 2)]


def test_nothing_is_remembered_of_who_came_and_went() -> None:
    sources = Sources(file=PAIR)
    for number in range(3):
        name = f'n{number}'
        sources = sources.adding('b', new(name)).addressed({('b', name): ('10.0.0.2', 1)}).removing(('b', name))
        sources = sources.backing(backend(name, 9)).showing(name, published=True).without(name)
    assert sources == Sources(file=PAIR)
    assert sources.removing(('b', 'x')).adding('b', new('x')).removing(('b', 'x')).removed == {('b', 'x')}


def test_an_address_set_on_a_newcomer_goes_with_it() -> None:
    farm = Farm(PAIR)
    do(farm, AddServer('b', new()), SetAddress('b', 'n', '10.9.9.9', 81))
    do(farm, AddServer('b', new('m')))
    assert farm.ledger.server('b', 'n').server.host == '10.9.9.9'
    do(farm, RemoveServer('b', 'n'), AddServer('b', new()))
    assert farm.ledger.server('b', 'n').server.host == '10.0.0.1'


def test_who_comes_back_to_its_address_has_its_place_while_it_may_hold_slots_there() -> None:
    farm = Farm(PAIR)
    do(farm, AddServer('b', new()))
    at = farm.ledger.server('b', 'n').index
    do(farm, RemoveServer('b', 'n'))
    assert at in farm.ledger.departed
    assert farm.cells[farm.at.ROTA + at] == Rota.GONE
    do(farm, AddServer('b', new()))
    assert farm.ledger.server('b', 'n').index == at
    assert farm.ledger.server('b', 'n').effective is MAINT


def test_the_file_alone_says_which_servers_there_are_once_it_is_read_again() -> None:
    farm = Farm(PAIR)
    farm.apply(SetAdmin('b', 'x', MAINT))
    do(farm, AddServer('b', new()), RemoveServer('b', 'x'))
    assert [name for name, _ in names(farm)] == ['y', 'n']
    do(farm, AdoptFile(PAIR))
    assert names(farm) == [('x', 1), ('y', 4)]
    assert farm.ledger.server('b', 'x').effective is READY


def test_a_file_that_takes_a_newcomer_over_keeps_what_was_set_and_checks_it() -> None:
    farm = Farm(PAIR)
    do(farm, AddServer('b', new(check=ServerCheck(), id=9)))
    farm.apply(SetAdmin('b', 'n', READY))
    index = farm.ledger.server('b', 'n').index
    do(farm, AdoptFile(file(backend('b', 3, server('x', 1), server('y', 4), server('n', 9, check=ServerCheck())))))
    record = farm.ledger.server('b', 'n')
    assert (record.index, record.effective, record.health.check.enabled) == (index, READY, True)


@pytest.mark.parametrize(
    'change, said',
    [
        (AddServer('z', new()), 'No such backend.'),
        (AddServer('b', new('x')), 'Already exists a server with the same name in backend.'),
        (AddServer('b', new(id=4)), "'id' : custom id 4 already used at f.cfg:7 ('server y')."),
        (AddServer('b', new(track=('b', 'q'))), "unable to find required server 'b/q' for tracking."),
        (
            AddServer('b', new(track=('b', 'x'))),
            'unable to use b/x for tracking as it does not have any check nor agent enabled.',
        ),
        (
            AddServer('s', new()),
            "Backend does not support dynamic servers : backend 's' uses a non dynamic load balancing method.",
        ),
        (AddServer('off', new()), "Backend does not support dynamic servers : backend 'off' is disabled."),
        (RemoveServer('z', 'x'), 'No such backend.'),
        (RemoveServer('b', 'z'), 'No such server.'),
        (RemoveServer('b', 'x'), NOT_IN_MAINTENANCE),
    ],
)
def test_what_is_refused(change: AddServer | RemoveServer, said: str) -> None:
    farm = Farm(
        file(
            backend('b', 3, server('x', 1), server('y', 4, where='f.cfg:7')),
            backend('s', 4, balance=Balance(algorithm='static-rr')),
            backend('off', 5, disabled=True),
        )
    )
    assert refusal(farm, change) == said


def test_a_tracker_may_follow_one_that_is_checked_through_another() -> None:
    farm = Farm(file(backend('b', 3, server('x', 1, check=ServerCheck()), server('y', 2, track=('b', 'x')))))
    do(farm, AddServer('b', new(track=('b', 'y'))))
    farm.apply(SetAdmin('b', 'y', MAINT))
    assert refusal(farm, RemoveServer('b', 'y')) == POINTED_TO
    said = 'unable to use b/n for tracking as it is a dynamic server.'
    assert refusal(farm, AddServer('b', new('m', track=('b', 'n')))) == said


def test_what_the_control_plane_pushed_is_its_own() -> None:
    farm = Farm(PAIR)
    pushed = (Backend(name='p', id=0, servers=(Server(name='x', id=0, host='10.0.0.2', port=80),)),)
    farm.ledger.adopt(farm.ledger.propose(AdoptPush(pushed, (), {('p', 'x'): (MAINT, 0)})), 0)
    farm.commit()
    assert 'belongs to the control plane' in refusal(farm, AddServer('p', new()))
    assert 'belongs to the control plane' in refusal(farm, RemoveServer('p', 'x'))


def test_a_push_between_leaves_newcomers_where_they_are() -> None:
    farm = Farm(PAIR)
    do(farm, AddServer('b', new()))
    pushed = (Backend(name='p', id=0, servers=(Server(name='x', id=0, host='10.0.0.2', port=80),)),)
    farm.ledger.adopt(farm.ledger.propose(AdoptPush(pushed, (), {})), 0)
    assert farm.ledger.server('b', 'n').effective is MAINT


def test_who_is_enabled_while_its_removal_is_prepared_stays() -> None:
    farm = Farm(PAIR)
    farm.apply(SetAdmin('b', 'x', MAINT))
    proposal = farm.ledger.propose(RemoveServer('b', 'x'))
    farm.apply(SetAdmin('b', 'x', READY))
    with pytest.raises(Refused, match=NOT_IN_MAINTENANCE):
        farm.ledger.adopt(proposal, 0)
    assert farm.column(farm.at.ROTA, 2) == [Rota.IN] * 2
    assert [name for name, _ in names(farm)] == ['x', 'y']


def configured(lines: str, front: str = '') -> Snapshot:
    servers = ' balance roundrobin\n server x 10.0.0.1:80\n server y 10.0.0.1:81\n'
    return snapshot(f'{HTTP}backend b\n{servers}{lines}frontend f\n bind :80\n default_backend b\n{front}')


@pytest.mark.parametrize(
    'lines, front, pinned',
    [
        ('', '', False),
        (' use-server x if { path /x }\n', '', True),
        (' use-server y if { path /x }\n', '', False),
        (' http-request deny if { srv_is_up(x) }\n', '', True),
        (' acl up srv_is_up(b/x)\n http-request deny if !up\n', '', True),
        (' http-request set-header X %[srv_conn(b/x)]\n', '', True),
        ('', ' http-request set-header X %[srv_conn(b/x),add(1)]\n', True),
        ('', ' http-request set-header X %[srv_conn(b/y)]\n', False),
    ],
)
def test_who_is_pointed_to_stays(lines: str, front: str, pinned: bool) -> None:
    farm = Farm(configured(lines, front))
    farm.apply(SetAdmin('b', 'x', MAINT))
    if pinned:
        assert refusal(farm, RemoveServer('b', 'x')) == POINTED_TO
    else:
        do(farm, RemoveServer('b', 'x'))


def test_a_use_server_line_of_another_backend_points_to_nobody_here() -> None:
    rules = Rules(servers=(Switch('x'),))
    farm = Farm(file(backend('b', 3, server('x', 1)), backend('c', 4, server('x', 1), rules=rules)))
    farm.apply(SetAdmin('b', 'x', MAINT))
    do(farm, RemoveServer('b', 'x'))
    assert names(farm) == []


def test_a_server_that_is_renamed_keeps_its_index_and_its_record() -> None:
    farm = Farm(PAIR)
    farm.apply(SetAdmin('b', 'x', MAINT))
    index = farm.ledger.server('b', 'x').index
    do(farm, RenameServer('b', 'x', 'z'))
    record = farm.ledger.server('b', 'z')
    assert (record.index, record.effective, record.name) == (index, MAINT, 'z')
    assert names(farm) == [('y', 4), ('z', 1)]
    assert farm.ledger.tables.server_of('b', 'x') is None
    do(farm, AddServer('b', new('x')))
    assert farm.ledger.server('b', 'x').index != index


def test_who_leaves_maintenance_while_the_new_name_is_prepared_keeps_the_old_one() -> None:
    farm = Farm(PAIR)
    farm.apply(SetAdmin('b', 'x', MAINT))
    proposal = farm.ledger.propose(RenameServer('b', 'x', 'z'))
    farm.apply(SetAdmin('b', 'x', READY))
    with pytest.raises(Refused, match=RENAMED_IN_MAINTENANCE):
        farm.ledger.adopt(proposal, 5)
    assert farm.ledger.server('b', 'x').effective is READY


@pytest.mark.parametrize(
    'change, said',
    [
        (RenameServer('z', 'x', 'n'), 'No such backend.'),
        (RenameServer('b', 'z', 'n'), 'No such server.'),
        (RenameServer('b', 'x', 'y'), 'Already exists a server with the same name in backend.'),
        (RenameServer('b', 'x', 'n'), RENAMED_IN_MAINTENANCE),
    ],
)
def test_names_that_are_refused(change: RenameServer, said: str) -> None:
    assert refusal(Farm(PAIR), change) == said


def test_a_pushed_server_is_named_by_the_control_plane() -> None:
    farm = Farm(PAIR)
    do(farm, AdoptPush((backend('p', 0, server('s', 1)),), (), {}))
    said = "Server 'p/s' belongs to the control plane, which names it."
    assert refusal(farm, RenameServer('p', 's', 'n')) == said


def test_a_guid_that_something_has_is_refused() -> None:
    farm = Farm(file(backend('b', 3, server('x', 1, guid='g'))))
    assert refusal(farm, AddServer('b', new(guid='g'))) == "'guid' : duplicate entry with server b/x"
