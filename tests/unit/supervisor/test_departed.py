"""Counters of the dead: sums stay, maxima stay, gauges and rates go."""

from __future__ import annotations

from array import array

import pytest

from dataplane.core.counters import COUNTERS, C
from dataplane.core.layout import Layout
from dataplane.core.model import Backend, Frontend, Server
from dataplane.core.tables import Tables
from dataplane.supervisor.departed import GAUGES, MAXIMA, RATES, begin, bury, forget

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
    forget(cells, AT, 3)
    assert not any(cells[AT.server_counters(row, 3) : AT.server_counters(row, 3) + COUNTERS])
    assert cells[AT.server_counters(row, 2)] == 5


@pytest.mark.parametrize('row', [0, 1, 2])
def test_what_is_new_in_the_tables_begins_at_zero_and_what_was_there_goes_on(row: int) -> None:
    cells = array('q', [5]) * AT.size
    after = Tables(
        2,
        frontends={**TABLES.frontends, 1: Frontend(name='g', id=3, binds=(), maxconn=1)},
        backends={0: Backend(name='c', id=4), **TABLES.backends},
    )
    begin(cells, AT, TABLES, after)
    new_front, new_back = AT.frontend_counters(row, 1), AT.backend_counters(row, 0)
    assert not any(cells[new_back : new_back + COUNTERS])
    assert cells[new_front + C.SCUR] == 5
    assert sum(cells[new_front : new_front + COUNTERS]) == 5
    for known in (AT.frontend_counters(row, 0), AT.backend_counters(row, 1)):
        assert cells[known + C.STOT] == 5
