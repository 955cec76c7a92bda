"""`clear counters`: which cells of a counter block begin anew, and which go on.

HAProxy clears either the maxima alone or all that was counted; never gauges (what is open now) nor the frequency counters, which
tell of the last two seconds. Each cell is cleared by whoever writes it, a store each: a worker clears its own row, the supervisor
the departed one, inside a hold. Gauges are not even touched: limits are enforced by them.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from typing import Final

from dataplane.core.counters import COUNTERS, C
from dataplane.core.layout import Layout
from dataplane.core.tables import Tables

_MAXIMA: Final = (
    C.QTIME_MAX, C.CTIME_MAX, C.RTIME_MAX, C.TTIME_MAX, C.SMAX, C.QMAX, C.RATE_MAX, C.CONN_RATE_MAX, C.REQ_RATE_MAX,
)  # fmt: skip
_GOES_ON: Final = frozenset({
    C.SCUR, C.VARIABLES, C.OBSERVED, C.SESS_SEC, C.SESS_CUR, C.SESS_PREV, C.CONN_SEC, C.CONN_CUR, C.CONN_PREV, C.REQ_SEC, C.REQ_CUR,
    C.REQ_PREV,
})  # fmt: skip
MAXIMA: Final = tuple(map(int, _MAXIMA))
COUNTED: Final = tuple(offset for offset in range(COUNTERS) if offset not in _GOES_ON)


def blocks(at: Layout, row: int, tables: Tables) -> Iterable[int]:
    """The first cells of all blocks of a row that mean something."""
    for frontend in tables.frontends:
        yield at.frontend_counters(row, frontend)
    for backend in tables.backends:
        yield at.backend_counters(row, backend)
    for server in tables.servers:
        yield at.server_counters(row, server)
    for listener in tables.listeners:
        yield at.listener_counters(row, listener)


def clear(cells: MutableSequence[int], block: int, *, everything: bool) -> None:
    """Clear one block: its maxima, or `everything` that was counted."""
    for offset in COUNTED if everything else MAXIMA:
        if cells[block + offset]:
            cells[block + offset] = 0


def clear_process(cells: MutableSequence[int], at: Layout, row: int) -> None:
    """Clear the maxima of the whole process; what it counted goes on, whatever is cleared."""
    clear(cells, at.process_counters(row), everything=False)
