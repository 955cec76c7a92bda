from __future__ import annotations

import dataclasses

import pytest

from dataplane.cli.stat import Row
from dataplane.core.changes import ForceHealth, SetAdmin, SetMaxconn, SetWeight
from dataplane.core.counters import C
from dataplane.core.health import Verdict
from dataplane.core.layout import ENTRY_STRIDE, EntryState
from dataplane.core.model import AdminState, Global, Origin, Server
from dataplane.supervisor.addresses import address
from dataplane.supervisor.checkfigures import BoardView
from dataplane.supervisor.departed import bury
from dataplane.supervisor.figures import Supervision
from tests.inprocess import SNAPSHOT, Plane


@pytest.fixture
def plane() -> Plane:
    return Plane()


def row(plane: Plane, proxy: str, name: str) -> Row:
    return next(row for row in plane.figures.rows() if (row.proxy, row.values['svname']) == (proxy, name))


def test_rows_come_proxy_by_proxy(plane: Plane) -> None:
    assert [(row.proxy, row.values['svname']) for row in plane.figures.rows()] == [
        ('fe', 'FRONTEND'), ('px', 's1'), ('px', 's2'), ('px', 's3'), ('px', 'BACKEND'), ('empty', 'BACKEND'),
    ]  # fmt: skip


def test_counters_are_summed_over_workers_and_the_departed(plane: Plane) -> None:
    at, server = plane.layout, plane.server('px', 's1')
    for worker, amount in [(0, 1), (1, 2), (at.departed, 4)]:
        plane.count(at.server_counters(worker, server), C.STOT, amount)
        plane.count(at.backend_counters(worker, 0), C.HRSP_2XX, amount)
        plane.count(at.frontend_counters(worker, 0), C.SCUR, amount)
    assert row(plane, 'px', 's1').values['stot'] == 7
    assert row(plane, 'px', 'BACKEND').values['hrsp_2xx'] == 7
    assert row(plane, 'fe', 'FRONTEND').values['scur'] == 3


def test_moving_a_dead_workers_row_changes_no_sum(plane: Plane) -> None:
    at = plane.layout
    plane.count(at.frontend_counters(0, 0), C.REQ_TOT, 5)
    plane.count(at.frontend_counters(0, 0), C.SCUR, 2)
    plane.count(at.frontend_counters(at.departed, 0), C.REQ_TOT, 2)
    before = row(plane, 'fe', 'FRONTEND').values['req_tot']
    bury(plane.cells, at, 0, plane.ledger.tables, ())
    assert row(plane, 'fe', 'FRONTEND').values['req_tot'] == before == 7
    assert row(plane, 'fe', 'FRONTEND').values['scur'] == 0


def test_a_server_in_numbers(plane: Plane) -> None:
    at, server = plane.layout, plane.server('px', 's1')
    plane.cells[at.served(0, server)] = 1
    plane.cells[at.idle(1, server)] = 3
    plane.cells[at.QUEUE_LENGTH + 2 * server] = 2
    plane.cells[at.QUEUE_LENGTH + 2 * server + 1] = 1
    plane.count(at.server_counters(1, server), C.LASTSESS, 1_700_000_090)
    plane.now_ms += 7_900
    values = row(plane, 'px', 's1').values
    expected = {
        'scur': 1, 'srv_icur': 3, 'qcur': 3, 'slim': 1, 'weight': 10, 'uweight': 10, 'status': 'no check', 'lastchg': 7,
        'lastsess': 10, 'addr': '127.0.0.1:18472', 'act': 1, 'bck': 0, 'iid': 3, 'sid': 1,
    }  # fmt: skip
    assert {name: values[name] for name in expected} == expected
    assert 'qlimit' not in values
    assert row(plane, 'px', 's2').values['qlimit'] == 5
    assert 'slim' not in row(plane, 'px', 's2').values
    assert row(plane, 'px', 's2').values['lastsess'] == -1


def test_a_backend_in_numbers(plane: Plane) -> None:
    at = plane.layout
    plane.cells[at.beconn(0, 0)] = 2
    plane.cells[at.beconn(1, 0)] = 1
    plane.cells[at.QUEUE_LENGTH + at.backend_queue(0)] = 4
    values = row(plane, 'px', 'BACKEND').values
    expected = {
        'scur': 3,
        'qcur': 4,
        'slim': 10,
        'status': 'UP',
        'weight': 10,
        'act': 1,
        'bck': 1,
        'algo': 'roundrobin',
    }
    assert {name: values[name] for name in expected} == expected


def test_a_backend_without_servers_is_up_and_one_without_usable_ones_down(plane: Plane) -> None:
    assert row(plane, 'empty', 'BACKEND').values['status'] == 'UP'
    for server in ('s1', 's2'):
        plane.make(SetAdmin('px', server, AdminState.MAINT))
    assert row(plane, 'px', 'BACKEND').values['status'] == 'DOWN'


@pytest.mark.parametrize(
    'state,origin,expected',
    [
        (AdminState.MAINT, Origin.CLI, 'MAINT'),
        (AdminState.DRAIN, Origin.CLI, 'DRAIN'),
        (AdminState.MAINT, Origin.PUSH, 'MAINT'),
        (AdminState.DRAIN, Origin.PUSH, 'DRAIN'),
        (AdminState.READY, Origin.CLI, 'no check'),
    ],
)
def test_status(plane: Plane, state: AdminState, origin: Origin, expected: str) -> None:
    plane.make(SetAdmin('px', 's1', state, origin))
    assert row(plane, 'px', 's1').values['status'] == expected


def test_status_of_other_states(plane: Plane) -> None:
    server = plane.server('px', 's1')
    for verdict, expected in [(Verdict.DOWN, 'DOWN'), (Verdict.STOPPING, 'NOLB'), (Verdict.UP, 'no check')]:
        plane.make(ForceHealth('px', 's1', verdict))
        assert plane.figures.status(server) == expected
    plane.make(SetWeight('px', 's1', 0))
    assert plane.figures.status(server) == 'DRAIN'


def test_a_frontend_in_numbers(plane: Plane) -> None:
    values = row(plane, 'fe', 'FRONTEND').values
    assert (values['slim'], values['status'], values['conn_rate']) == (100, 'OPEN', 0)
    plane.supervision = Supervision(stopping=True)
    assert row(plane, 'fe', 'FRONTEND').values['status'] == 'STOP'


def test_dropped_log_lines_are_those_of_everybody(plane: Plane) -> None:
    for worker, lines in enumerate((3, 4)):
        plane.cells[plane.layout.process_counters(worker) + C.DROPPED_LOGS] = lines
    plane.supervision = Supervision(dropped_logs=5)
    assert plane.figures.info()['DroppedLogs'] == 12


def test_server_states(plane: Plane) -> None:
    lines = [state.line() for state in plane.figures.server_states([0])]
    assert lines == [
        '3 px 1 s1 127.0.0.1 2 0 10 10 0 1 0 2 0 0 0 0 - 18472 - 0 0 - - 0',
        '3 px 2 s2 127.0.0.1 2 0 1 1 0 1 0 2 0 0 0 0 - 18473 - 0 0 - - 0',
        '3 px 3 s3 127.0.0.1 0 5 1 1 0 1 0 0 0 0 0 0 - 18474 - 0 0 - - 0',
    ]


@pytest.mark.parametrize('state,flags', [(AdminState.MAINT, 1), (AdminState.DRAIN, 8)])
def test_a_pushed_wish_is_shown_as_haproxys_flag(plane: Plane, state: AdminState, flags: int) -> None:
    plane.make(SetAdmin('px', 's1', state, Origin.PUSH))
    assert next(plane.figures.server_states([0])).admin == flags


def test_server_connections(plane: Plane) -> None:
    at, server = plane.layout, plane.server('px', 's1')
    plane.cells[at.served(1, server)] = 1
    plane.cells[at.TOTAL + server] = 2
    plane.cells[at.idle(0, server)] = 5
    plane.cells[at.server_counters(at.departed, server) + C.SMAX] = 9
    shown = next(plane.figures.server_connections([0]))
    assert (shown.served, shown.used, shown.used_max, shown.idle) == (2, 1, 9, (5, 0))
    plane.cells[at.TOTAL + server] = 0
    assert next(plane.figures.server_connections([0])).served == 1


def test_attached_sees_rows_and_entries(plane: Plane) -> None:
    at, server, other = plane.layout, plane.server('px', 's1'), plane.server('px', 's2')
    assert not plane.figures.attached(server)
    for cell in (at.served(1, server), at.idle(1, server)):
        plane.cells[cell] = 1
        assert plane.figures.attached(server)
        plane.cells[cell] = 0
    plane.cells[at.HIGH_WATER] = 2
    entry = ENTRY_STRIDE
    plane.cells[at.E_STATE + entry] = EntryState.WAITING
    plane.cells[at.E_QUEUE + entry] = 2 * server + 1
    plane.cells[at.E_SERVER + entry] = other
    assert plane.figures.attached(server)
    assert not plane.figures.attached(other)
    plane.cells[at.E_STATE + entry] = EntryState.GIVEN
    assert plane.figures.attached(other)
    assert not plane.figures.attached(server)


def test_info(plane: Plane) -> None:
    at = plane.layout
    plane.cells[at.process_counters(0) + C.SCUR] = 2
    plane.cells[at.process_counters(at.departed) + C.CONN_TOT] = 5
    plane.cells[at.beconn(1, 0)] = 3
    plane.cells[at.QUEUE_LENGTH + 2 * plane.server('px', 's1')] = 1
    plane.now_ms = 65_000
    values = plane.figures.info()
    expected = {
        'Name': 'Sluice', 'Version': '1.2.3', 'Nbthread': 2, 'Uptime': '0d 0h01m05s', 'Maxconn': 1000, 'CurrConns': 2,
        'CumConns': 5, 'CurrStreams': 3, 'Run_queue': 1, 'node': 'n1', 'Stopping': 0, 'Listeners': 1, 'Jobs': 3,
    }  # fmt: skip
    assert {name: values[name] for name in expected} == expected
    assert 'description' not in values


def test_description_is_shown_when_there_is_one() -> None:
    settings = Global(description='edge', nbthread=3)
    plane = Plane(dataclasses.replace(SNAPSHOT, globals=settings))
    assert plane.figures.info()['description'] == 'edge'
    assert plane.figures.workers == 3


def test_limits_set_at_run_time_are_shown(plane: Plane) -> None:
    plane.make(SetMaxconn('px', 's1', 7))
    assert row(plane, 'px', 's1').values['slim'] == 7


def test_pool_limits_and_ipv6_addresses() -> None:
    servers = (Server(name='s', id=1, host='::1', port=80, pool_max_conn=4),)
    backend = dataclasses.replace(SNAPSHOT.backends[0], servers=servers)
    plane = Plane(dataclasses.replace(SNAPSHOT, backends=(backend,)))
    assert row(plane, 'px', 's').values['src_ilim'] == 4
    assert address(servers[0]) == '[::1]:80'


def test_who_waits_for_a_server_is_counted_alike_everywhere(plane: Plane) -> None:
    """Those forced on it among them: by the row, and by what a check sends along (`http-check send-state`)."""
    at, server = plane.layout, plane.server('px', 's1')
    for cell, waiting in ((2 * server, 1), (2 * server + 1, 2), (at.forced + server, 4)):
        plane.cells[at.QUEUE_LENGTH + cell] = waiting
    assert row(plane, 'px', 's1').values['qcur'] == 7
    assert plane.figures.info()['Run_queue'] == 7
    assert BoardView(plane.cells, at).load(plane.ledger.records[server]).queued == 7
