from __future__ import annotations

from array import array

from dataplane.core.changes import AdoptFile
from dataplane.core.clearing import COUNTED, MAXIMA, blocks, clear, clear_process
from dataplane.core.counters import COUNTERS, C
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Backend, Bind, Frontend, Server, Snapshot

AT = Layout(workers=2, servers=4, backends=2, frontends=2, entries=4)
SNAPSHOT = Snapshot(
    frontends=(Frontend(name='fe', id=2, binds=(Bind(name='b', port=80),), maxconn=10),),
    backends=(Backend(name='px', id=3, servers=(Server(name='a', id=1, host='h', port=1),)),),
)
GAUGES_AND_RATES = (
    C.SCUR, C.VARIABLES, C.OBSERVED, C.SESS_SEC, C.SESS_CUR, C.SESS_PREV, C.CONN_SEC, C.CONN_CUR, C.CONN_PREV, C.REQ_SEC, C.REQ_CUR,
    C.REQ_PREV,
)  # fmt: skip


def full() -> array[int]:
    return array('q', [7] * AT.size)


def test_maxima_alone() -> None:
    cells = full()
    clear(cells, 0, everything=False)
    left = {C(offset) for offset in C if not cells[offset]}
    assert left == {counter for counter in C if counter.name.endswith('_MAX') or counter in (C.SMAX, C.QMAX)}
    assert set(MAXIMA) == left


def test_everything_but_what_is_open_and_what_is_of_the_last_seconds() -> None:
    cells = full()
    clear(cells, COUNTERS, everything=True)
    block = cells[COUNTERS : 2 * COUNTERS]
    assert {offset for offset, value in enumerate(block) if value} == set(map(int, GAUGES_AND_RATES))
    assert not set(COUNTED) & set(map(int, GAUGES_AND_RATES))
    assert set(cells[:COUNTERS]) == set(cells[2 * COUNTERS :]) == {7}


def test_of_the_process_the_maxima_alone() -> None:
    cells = full()
    clear_process(cells, AT, 1)
    block = AT.process_counters(1)
    assert (cells[block + C.CONN_TOT], cells[block + C.CONN_RATE_MAX]) == (7, 0)
    assert cells[AT.process_counters(0) + C.CONN_RATE_MAX] == 7


def test_the_blocks_of_a_row() -> None:
    ledger = Ledger(AT)
    ledger.adopt(ledger.propose(AdoptFile(SNAPSHOT)), 0)
    assert list(blocks(AT, 1, ledger.tables)) == [
        AT.frontend_counters(1, 0), AT.backend_counters(1, 0), AT.server_counters(1, 0),
    ]  # fmt: skip
