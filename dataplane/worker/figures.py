"""What this worker counts, in its own rows of the board: aligned stores, no lock (core/counters.py names them).

A request is counted once, at its end, for its frontend, backend and server together; connections when they open and
close. Gauges and rates that the log and the limits need over all workers are summed from the rows when asked for.
"""

from __future__ import annotations

import time
from collections.abc import MutableSequence

from dataplane.core.counters import COUNTERS, C
from dataplane.core.layout import Layout

# Plain integers for what every request counts: `block + C.BIN` is a method call on an enum's member, thrice the price.
_FIRST_CLASS, _OTHER = map(int, (C.HRSP_1XX, C.HRSP_OTHER))
_BIN, _BOUT, _TIMES, _LASTSESS = map(int, (C.BIN, C.BOUT, C.TIMES, C.LASTSESS))
_STOT, _REQ_TOT, _LBTOT, _SCUR, _REUSE = map(int, (C.STOT, C.REQ_TOT, C.LBTOT, C.SCUR, C.REUSE))
_SESS_SEC, _RATE_MAX, _REQ_SEC, _REQ_RATE_MAX = map(int, (C.SESS_SEC, C.RATE_MAX, C.REQ_SEC, C.REQ_RATE_MAX))
_QTIME, _CTIME, _RTIME, _TTIME = map(int, (C.QTIME, C.CTIME, C.RTIME, C.TTIME))
_QTIME_MAX, _CTIME_MAX, _RTIME_MAX, _TTIME_MAX = map(int, (C.QTIME_MAX, C.CTIME_MAX, C.RTIME_MAX, C.TTIME_MAX))


class Figures:
    """The counters of one worker."""

    def __init__(self, cells: MutableSequence[int], layout: Layout, worker: int) -> None:
        self.cells = cells
        self.layout = layout
        self.worker = worker
        self.process = layout.process_counters(worker)
        self._frontends = layout.frontend_counters(worker, 0)
        self._backends = layout.backend_counters(worker, 0)
        self._servers = layout.server_counters(worker, 0)
        self._listeners = layout.listener_counters(worker, 0)
        self._rows_at = layout.ROWS
        self._rows = 0
        self._whole: tuple[int, ...] = ()
        self._open: dict[int, tuple[int, ...]] = {}
        self._look_at_rows()

    def frontend(self, frontend: int) -> int:
        """First cell of this worker's block for a frontend."""
        return self._frontends + frontend * COUNTERS

    def backend(self, backend: int) -> int:
        """First cell of this worker's block for a backend."""
        return self._backends + backend * COUNTERS

    def server(self, server: int) -> int:
        """First cell of this worker's block for a server."""
        return self._servers + server * COUNTERS

    def add(self, counter: int, *blocks: int, amount: int = 1) -> None:
        """Add to one counter in several blocks."""
        cells = self.cells
        for block in blocks:
            cells[block + counter] += amount

    # -- connections ---------------------------------------------------------------------------------------------

    def _look_at_rows(self) -> None:
        """There are more rows, or fewer, to sum over. The cell is read once: what it says later is seen later."""
        self._rows = self.cells[self._rows_at]
        rows = range(self._rows or self.layout.workers)
        self._whole = tuple(self.layout.process_counters(row) + _SCUR for row in rows)
        self._open.clear()

    def connections(self, frontend: int) -> int:
        """Client connections open now on a frontend, over all workers."""
        if self.cells[self._rows_at] != self._rows:
            self._look_at_rows()
        gauges, cells, total = self._open.get(frontend) or self._gauges(frontend), self.cells, 0
        for gauge in gauges:
            total += cells[gauge]
        return total

    def _gauges(self, frontend: int) -> tuple[int, ...]:
        at = self.layout
        gauges = tuple(at.frontend_counters(row, frontend) + _SCUR for row in range(len(self._whole)))
        self._open[frontend] = gauges
        return gauges

    def all_connections(self) -> int:
        """Client connections open now in the whole data plane."""
        if self.cells[self._rows_at] != self._rows:
            self._look_at_rows()
        cells, total = self.cells, 0
        for gauge in self._whole:
            total += cells[gauge]
        return total

    def opened(self, frontend: int, now: int) -> None:
        """A client connection was accepted at `now` (ms)."""
        block = self.frontend(frontend)
        self.add(C.SCUR, block, self.process)
        self.add(C.CONN_TOT, block, self.process)
        self.add(C.STOT, block)
        self._rate(block, C.CONN_SEC, C.CONN_RATE_MAX, now)
        self._rate(block, C.SESS_SEC, C.RATE_MAX, now)
        self._rate(self.process, C.CONN_SEC, C.CONN_RATE_MAX, now)
        self._rate(self.process, C.SESS_SEC, C.RATE_MAX, now)
        self.cells[block + C.LASTSESS] = int(time.time())
        self._raise_max(
            self.layout.frontend_counters(self.layout.departed, frontend) + C.SMAX, self.connections(frontend)
        )

    def refused(self, frontend: int, now: int) -> None:
        """A client connection was accepted that a rule does not let in."""
        block = self.frontend(frontend)
        self.add(C.CONN_TOT, block, self.process)
        self._rate(block, C.CONN_SEC, C.CONN_RATE_MAX, now)
        self._rate(self.process, C.CONN_SEC, C.CONN_RATE_MAX, now)

    def closed(self, frontend: int) -> None:
        """A client connection is gone."""
        self.add(C.SCUR, self.frontend(frontend), self.process, amount=-1)

    # -- listening addresses (`option socket-stats`) -----------------------------------------------------------------

    def listener(self, listener: int) -> int:
        """First cell of this worker's block for a listening address."""
        return self._listeners + listener * COUNTERS

    def listener_opened(self, listener: int) -> None:
        """A client connection was accepted on it."""
        at, block = self.layout, self.listener(listener)
        self.add(C.SCUR, block)
        self.add(C.STOT, block)
        self._raise_max(at.listener_counters(at.departed, listener) + C.SMAX, self.on_listener(listener))

    def on_listener(self, listener: int) -> int:
        """Client connections that came in by it and are open, of all workers."""
        at = self.layout
        return sum(self.cells[at.listener_counters(row, listener) + _SCUR] for row in range(at.rows(self.cells)))

    def listener_closed(self, listener: int) -> None:
        """A client connection that came in by it is gone."""
        self.add(C.SCUR, self.listener(listener), amount=-1)

    def listener_moved(self, listener: int, received: int, sent: int) -> None:
        """A request that came in by it ended."""
        self._moved(self.listener(listener), received, sent)

    # -- requests ------------------------------------------------------------------------------------------------

    def request(self, frontend: int, now: int) -> None:
        """A request's head was received at `now` (ms)."""
        cells, block = self.cells, self._frontends + frontend * COUNTERS
        cells[block + _REQ_TOT] += 1
        cells[self.process + _REQ_TOT] += 1
        self._rate(block, _REQ_SEC, _REQ_RATE_MAX, now)

    def selected(self, backend: int, now: int) -> None:
        """A request selected its backend."""
        cells, block = self.cells, self._backends + backend * COUNTERS
        cells[block + _STOT] += 1
        cells[block + _REQ_TOT] += 1
        self._rate(block, _SESS_SEC, _RATE_MAX, now)

    def assigned(self, backend: int, server: int, now: int, queued: bool) -> None:
        """A request got a server: by the algorithm, or, `queued`, since its turn had come. Only the first is a choice."""
        cells, block = self.cells, self._servers + server * COUNTERS
        cells[block + _STOT] += 1
        if not queued:
            cells[block + _LBTOT] += 1
            cells[self._backends + backend * COUNTERS + _LBTOT] += 1
        self._rate(block, _SESS_SEC, _RATE_MAX, now)

    def reused(self, backend: int, server: int) -> None:
        """A request goes over a connection that has carried others."""
        cells = self.cells
        cells[self._servers + server * COUNTERS + _REUSE] += 1
        cells[self._backends + backend * COUNTERS + _REUSE] += 1

    def finished(
        self, frontend: int, backend: int, server: int, status: int, received: int, sent: int, answered: bool
    ) -> None:
        """A request ended: its bytes and the class of its status (below 100: none was given), wherever it came to.

        `backend` and `server` are NOBODY where it had none. A server's classes are those of what it has `answered` itself.
        """
        klass = _FIRST_CLASS + status // 100 - 1 if 100 <= status < 600 else _OTHER
        self._finished(self._frontends + frontend * COUNTERS, klass, received, sent)
        if backend >= 0:
            self._finished(self._backends + backend * COUNTERS, klass, received, sent)
            if server >= 0:
                self._moved(self._servers + server * COUNTERS, received, sent)
                if answered:
                    self.cells[self._servers + server * COUNTERS + klass] += 1

    def _finished(self, block: int, klass: int, received: int, sent: int) -> None:
        self._moved(block, received, sent)
        self.cells[block + klass] += 1

    def _moved(self, block: int, received: int, sent: int) -> None:
        cells = self.cells
        cells[block + _BIN] += received
        cells[block + _BOUT] += sent

    def timed(
        self, backend: int, server: int, second: int, wait: int, connect: int, response: int, active: int
    ) -> None:  # fmt: skip
        """The times of a request that had a server: in queue, to connect, to answer, in all (ms; negative counts as 0), and the second
        in which it ended, since the epoch.
        """
        self._timed(self._backends + backend * COUNTERS, second, wait, connect, response, active)
        self._timed(self._servers + server * COUNTERS, second, wait, connect, response, active)

    def _timed(self, block: int, second: int, wait: int, connect: int, response: int, active: int) -> None:
        cells = self.cells
        cells[block + _TIMES] += 1
        cells[block + _LASTSESS] = second
        if wait > 0:
            self._took(block + _QTIME, block + _QTIME_MAX, wait)
        if connect > 0:
            self._took(block + _CTIME, block + _CTIME_MAX, connect)
        if response > 0:
            self._took(block + _RTIME, block + _RTIME_MAX, response)
        if active > 0:
            self._took(block + _TTIME, block + _TTIME_MAX, active)

    def _took(self, total: int, most: int, value: int) -> None:
        cells = self.cells
        cells[total] += value
        if value > cells[most]:
            cells[most] = value

    # -- rates ---------------------------------------------------------------------------------------------------

    def _rate(self, block: int, triple: int, most: int, now: int) -> None:
        """Count one event in a frequency counter: the second it stands for, this second's count, the last one's.

        What began earlier, such as a request that waited for its body, counts now: going back would forget everybody else.
        """
        cells, first, second = self.cells, block + triple, now // 1000
        if cells[first] >= second:
            count = cells[first + 1] + 1
            cells[first + 1] = count
            if count > cells[block + most]:
                cells[block + most] = count
            return
        cells[first + 2] = cells[first + 1] if cells[first] == second - 1 else 0
        cells[first + 1] = 1
        cells[first] = second

    def _raise_max(self, cell: int, value: int) -> None:
        if value > self.cells[cell]:
            self.cells[cell] = value
