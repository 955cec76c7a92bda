"""What a worker does and says of itself when the supervisor asks: its activity, its counters begun anew, its faulty messages.

All of it is asked for by people, now and then; nothing here is on the way of a request.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import time
from typing import TYPE_CHECKING, Final

from dataplane.core.clearing import blocks, clear, clear_process
from dataplane.core.counters import C
from dataplane.core.layout import NOBODY

if TYPE_CHECKING:
    from dataplane.board import Board
    from dataplane.worker.desk import Desk
    from dataplane.worker.traffic import Traffic

_AT_ONCE: Final = 100


class Lateness:
    """How late the loop was at most: the delay of a timer that is due every `period` seconds."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._last = 0.0
        self.most = 0.0

    def beat(self) -> None:
        """The timer has fired."""
        now = time.monotonic()
        if self._last:
            self.most = max(self.most, now - self._last - self._period)
        self._last = now


def activity(board: Board, worker: int, traffic: Traffic, lateness: Lateness) -> dict[str, int]:
    """What this worker has done and has open: counts since its start, `cpu_ms` of processor time, `late_us_max` of a late loop."""
    cells, block = board.cells, board.layout.process_counters(worker)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    clients, streams, idle = traffic.open_now()
    with open('/proc/self/statm', encoding='ascii') as file:
        resident = int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    return {
        'accepted': int(cells[block + C.CONN_TOT]),
        'requests': int(cells[block + C.REQ_TOT]),
        'clients': clients,
        'streams': streams,
        'idle_servers': idle,
        'ctxsw': usage.ru_nvcsw + usage.ru_nivcsw,
        'cpu_ms': int((usage.ru_utime + usage.ru_stime) * 1000),
        'rss_bytes': resident,
        'gc_runs': sum(int(generation['collections']) for generation in gc.get_stats()),
        'dropped_logs': int(cells[block + C.DROPPED_LOGS]),
        'late_us_max': int(lateness.most * 1_000_000),
    }


async def clear_row(board: Board, worker: int, desk: Desk, *, everything: bool, server: int) -> None:
    """Begin this worker's counters anew, some per turn of the loop; with `server` (an index, NOBODY: no) that server's alone."""
    cells, at = board.cells, board.layout
    if server != NOBODY:
        clear(cells, at.server_counters(worker, server), everything=everything)
        return
    clear_process(cells, at, worker)
    for number, block in enumerate(blocks(at, worker, desk.tables)):
        clear(cells, block, everything=everything)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
