"""What dead workers counted: moved from their rows into the departed row, so that no counter runs backwards.

Sums are added, maxima kept, gauges dropped (nothing of a dead worker is open), and so are the frequency counters, which
describe the last two seconds of a process that is no more. A move is done within one turn of the supervisor's loop, in
which every reader of figures runs too, so nobody sees a number twice or not at all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, MutableSequence
from typing import Final

from dataplane.core.counters import COUNTERS, C
from dataplane.core.guids import Kind, holders
from dataplane.core.layout import Layout
from dataplane.core.tables import Tables

GAUGES: Final = frozenset({C.SCUR, C.VARIABLES})
RATES: Final = frozenset({
    C.SESS_SEC, C.SESS_CUR, C.SESS_PREV, C.CONN_SEC, C.CONN_CUR, C.CONN_PREV, C.REQ_SEC, C.REQ_CUR, C.REQ_PREV,
})  # fmt: skip
MAXIMA: Final = frozenset({
    C.LASTSESS, C.QTIME_MAX, C.CTIME_MAX, C.RTIME_MAX, C.TTIME_MAX, C.SMAX, C.QMAX, C.RATE_MAX, C.CONN_RATE_MAX,
    C.REQ_RATE_MAX,
})  # fmt: skip
_EMPTY: Final = bytes(8 * COUNTERS)


def bury(cells: MutableSequence[int], at: Layout, worker: int, tables: Tables, departed: Iterable[int]) -> None:
    """Move all counters of a dead worker. `departed`: servers that left the tables but still have an index."""
    _move(cells, at.process_counters(worker), at.process_counters(at.departed))
    for frontend in tables.frontends:
        _move(cells, at.frontend_counters(worker, frontend), at.frontend_counters(at.departed, frontend))
    for backend in tables.backends:
        _move(cells, at.backend_counters(worker, backend), at.backend_counters(at.departed, backend))
    for listener in tables.listeners:
        _move(cells, at.listener_counters(worker, listener), at.listener_counters(at.departed, listener))
    for server in (*tables.servers, *departed):
        _move(cells, at.server_counters(worker, server), at.server_counters(at.departed, server))


def forget(cells: MutableSequence[int], at: Layout, server: int) -> None:
    """Clear the counters of a server whose index is about to mean another one. Nobody counts for it any more."""
    for row in (*range(at.rows(cells)), at.departed):
        start = at.server_counters(row, server)
        cells[start : start + COUNTERS] = array('q', _EMPTY)


def begin(cells: MutableSequence[int], at: Layout, before: Tables, after: Tables) -> None:
    """Clear the counters of frontends, listeners and backends whose index is about to mean another one; just before that commit.

    Nobody counts for such a backend any more. A client of the frontend that was may still be connected: it stays counted as open.
    Then `follow`.
    """
    for row in (*range(at.rows(cells)), at.departed):
        for backend in after.backends.keys() - before.backends.keys():
            start = at.backend_counters(row, backend)
            cells[start : start + COUNTERS] = array('q', _EMPTY)
        fronts = [at.frontend_counters(row, new) for new in after.frontends.keys() - before.frontends.keys()]
        fronts += [at.listener_counters(row, new) for new in after.listeners.keys() - before.listeners.keys()]
        for start in fronts:
            open_now = cells[start + C.SCUR]
            cells[start : start + COUNTERS] = array('q', _EMPTY)
            cells[start + C.SCUR] = open_now
    follow(cells, at, before, after)


def follow(cells: MutableSequence[int], at: Layout, before: Tables, after: Tables) -> None:
    """Who has the guid that something else had until now goes on from what that one counted; just before that commit.

    Rates and what is open stay where they are.
    """
    kinds = ((before.frontends, after.frontends), (before.listeners, after.listeners), (before.backends, after.backends),
             (before.servers, after.servers))  # fmt: skip
    if not any(new.keys() - old.keys() for old, new in kinds):
        return
    known = {(holder.kind, guid): holder.index for guid, holder in holders(before)}
    blocks = {
        Kind.FRONTEND: at.frontend_counters,
        Kind.LISTENER: at.listener_counters,
        Kind.BACKEND: at.backend_counters,
        Kind.SERVER: at.server_counters,
    }
    for guid, holder in holders(after):
        was = known.get((holder.kind, guid), holder.index)
        if was != holder.index:
            first = blocks[holder.kind]
            for row in (*range(at.rows(cells)), at.departed):
                start = first(row, was)
                _add(list(cells[start : start + COUNTERS]), cells, first(at.departed, holder.index))


def _move(cells: MutableSequence[int], source: int, target: int) -> None:
    row = list(cells[source : source + COUNTERS])
    if not any(row):
        return
    cells[source : source + COUNTERS] = array('q', _EMPTY)
    _add(row, cells, target)


def _add(row: list[int], cells: MutableSequence[int], target: int) -> None:
    for offset, value in enumerate(row):
        if not value:
            continue
        if offset in MAXIMA:
            cells[target + offset] = max(cells[target + offset], value)
        elif offset not in GAUGES and offset not in RATES:
            cells[target + offset] += value
