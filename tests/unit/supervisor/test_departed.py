"""Counters of the dead: sums stay, maxima stay, gauges and rates go."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from dataplane.core.counters import COUNTERS, C
from dataplane.core.layout import Layout
from dataplane.core.model import Backend, Bind, Frontend, Server
from dataplane.core.tables import Tables
from dataplane.supervisor.departed import GAUGES, MAXIMA, RATES, begin, bury, follow, forget

AT = Layout(workers=2, servers=4, backends=2, frontends=2, entries=2, listeners=2)
TABLES = Tables(
    1,
    frontends={0: Frontend(name='f', id=1, binds=(), maxconn=1)},
    backends={1: Backend(name='b', id=2)},
    servers={2: Server(name='s', id=1, host='h', port=1)},
    members={1: (2,)},
    listeners={1: ('f', '127.0.0.1:80')},
)


def firsts(row: int) -> list[int]:
    """First cells of the six blocks that count in the tables: process, frontend, listener, backend, server, departed server."""
    return [
        AT.process_counters(row),
        AT.frontend_counters(row, 0),
        AT.listener_counters(row, 1),
        AT.backend_counters(row, 1),
        AT.server_counters(row, 2),
        AT.server_counters(row, 3),
    ]


def test_a_row_is_moved_whole() -> None:
    cells = array('q', [0]) * AT.size
    for worker in range(2):
        for first in firsts(worker):
            for offset in range(COUNTERS):
                cells[first + offset] = 100 * (worker + 1) + offset
    for first in firsts(AT.departed):
        for offset in range(COUNTERS):
            cells[first + offset] = 150
    bury(cells, AT, 0, TABLES, [3])
    for dead, living, kept in zip(firsts(0), firsts(1), firsts(AT.departed), strict=True):
        assert not any(cells[dead : dead + COUNTERS])
        assert cells[living + C.STOT] == 200
        assert cells[kept + C.STOT] == 250
        for gone in (*GAUGES, *RATES):
            assert cells[kept + gone] == 150
        for highest in MAXIMA:
            assert cells[kept + highest] == max(150, 100 + highest)


def test_burying_twice_changes_nothing() -> None:
    cells = array('q', [0]) * AT.size
    cells[AT.process_counters(1) + C.CONN_TOT] = 7
    bury(cells, AT, 1, TABLES, [])
    bury(cells, AT, 1, TABLES, [])
    assert cells[AT.process_counters(AT.departed) + C.CONN_TOT] == 7


@pytest.mark.parametrize('row', [0, 1, 2])
def test_an_index_that_means_another_server_begins_at_zero(row: int) -> None:
    cells = array('q', [5]) * AT.size
    cells[AT.ROWS] = AT.workers
    forget(cells, AT, 3)
    assert not any(cells[AT.server_counters(row, 3) : AT.server_counters(row, 3) + COUNTERS])
    assert cells[AT.server_counters(row, 2)] == 5


@pytest.mark.parametrize('row', [0, 1, 2])
def test_what_is_new_in_the_tables_begins_at_zero_and_what_was_there_goes_on(row: int) -> None:
    cells = array('q', [5]) * AT.size
    cells[AT.ROWS] = AT.workers
    after = Tables(
        2,
        frontends={**TABLES.frontends, 1: Frontend(name='g', id=3, binds=(), maxconn=1)},
        backends={0: Backend(name='c', id=4), **TABLES.backends},
        servers=TABLES.servers,
        members={0: (), **TABLES.members},
    )
    begin(cells, AT, TABLES, after)
    new_front, new_back = AT.frontend_counters(row, 1), AT.backend_counters(row, 0)
    assert not any(cells[new_back : new_back + COUNTERS])
    assert cells[new_front + C.SCUR] == 5
    assert sum(cells[new_front : new_front + COUNTERS]) == 5
    for known in (AT.frontend_counters(row, 0), AT.backend_counters(row, 1)):
        assert cells[known + C.STOT] == 5


def renamed(*, guid: str = 'g') -> Tables:
    """The same three with other names, at other indexes."""
    bind = Bind(name='l', host='127.0.0.1', port=80, guid=f'{guid}l')
    return Tables(
        2,
        frontends={1: Frontend(name='g', id=1, binds=(bind,), maxconn=1, guid=f'{guid}f', socket_stats=True)},
        backends={0: Backend(name='c', id=2, guid=f'{guid}b')},
        servers={1: Server(name='t', id=1, host='h', port=1, guid=f'{guid}s')},
        members={0: (1,)},
        listeners={0: ('g', bind.address)},
    )


def guided() -> Tables:
    (front,), (back,), (server,) = TABLES.frontends.values(), TABLES.backends.values(), TABLES.servers.values()
    bind = Bind(name='l', host='127.0.0.1', port=80, guid='gl')
    return replace(
        TABLES,
        frontends={0: replace(front, binds=(bind,), guid='gf', socket_stats=True)},
        backends={1: replace(back, guid='gb')},
        servers={2: replace(server, guid='gs')},
    )


def targets() -> list[int]:
    row = AT.departed
    return [
        AT.frontend_counters(row, 1), AT.listener_counters(row, 0), AT.backend_counters(row, 0), AT.server_counters(row, 1),
    ]  # fmt: skip


def test_counters_follow_the_guid_to_another_name() -> None:
    cells = array('q', [0]) * AT.size
    for row in range(AT.workers + 1):
        for first in firsts(row)[1:5]:
            cells[first + C.STOT], cells[first + C.SMAX], cells[first + C.SCUR] = 5, 10 + row, 1
    follow(cells, AT, guided(), renamed())
    for first in targets():
        assert (cells[first + C.STOT], cells[first + C.SMAX], cells[first + C.SCUR]) == (15, 12, 0)
    assert cells[AT.server_counters(0, 2) + C.STOT] == 5, 'who still counts there goes on'


def test_who_has_another_guid_or_none_begins_at_zero() -> None:
    cells = array('q', [5]) * AT.size
    for after in (renamed(guid='x'), renamed(guid='')):
        begin(cells, AT, guided(), after)
        assert {cells[first + C.STOT] for first in targets()[:3]} == {0}


def test_nothing_moves_while_everything_has_its_index() -> None:
    cells = array('q', [5]) * AT.size
    follow(cells, AT, guided(), guided())
    assert set(cells) == {5}
