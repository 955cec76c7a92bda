"""What everything in one worker shares: the loop, the desk, the wheel, figures, log and pools. Built by traffic.py."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import TYPE_CHECKING

from dataplane.core.counters import C, per_second
from dataplane.core.layout import Layout
from dataplane.core.model import Backend, ForwardFor, Frontend, Global
from dataplane.stick import StickTable
from dataplane.worker.access_log import AccessLog
from dataplane.worker.allowance import Allowance
from dataplane.worker.casing import Casing
from dataplane.worker.clock import now_ms
from dataplane.worker.contents import Contents
from dataplane.worker.cookies import Jar
from dataplane.worker.desk import Desk
from dataplane.worker.faults import Faults
from dataplane.worker.figures import Figures
from dataplane.worker.hashing import Wish
from dataplane.worker.headers import ForwardedFor
from dataplane.worker.inquiry import Inquiries
from dataplane.worker.outbox import Outbox
from dataplane.worker.pool import Pools
from dataplane.worker.rulebook import Rulebook
from dataplane.worker.sticking import Numbers
from dataplane.worker.turn import Turn
from dataplane.worker.wheel import Wheel

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class Context:
    """One per worker. `stopping`: a soft stop has begun or is near, every answer closes its connection."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        desk: Desk,
        cells: MutableSequence[int],
        layout: Layout,
        worker: int,
        log: AccessLog,
        contents: Contents,
    ) -> None:
        self.loop = loop
        self.desk = desk
        self.clock = desk.clock
        self.cells = cells
        self.layout = layout
        self.worker = worker
        self.lease = layout.LEASE_ENDS
        self.log = log
        self.contents = contents
        self.figures = figures = Figures(cells, layout, worker)
        # What every request counts, bound once: found by its name each takes 150 instructions more, of 72,000 for a request.
        self.count_request, self.count_selected = figures.request, figures.selected
        self.count_assigned, self.count_reused = figures.assigned, figures.reused
        self.count_finished, self.count_timed = figures.finished, figures.timed
        self.allowance = Allowance(cells, layout, worker)
        self.faults = Faults()
        self.outbox = Outbox(loop)
        self.turn = Turn(loop)
        self.pools = Pools(loop, self.outbox, cells, layout, worker)
        self.wheel = Wheel(now_ms())
        # stopping: every answer from now on says that its connection closes; closes_idle: nobody is waited for to ask once more
        self.stopping = self.closes_idle = False
        self.bufsize = 0
        self.head_limit = 0
        self.max_fields = 0
        self.counted_codes = (0, 0)
        self.casing = Casing(())
        self.wishes: dict[int, Wish] = {}
        self.rulebook: Rulebook | None = None
        self.tables: dict[str, StickTable] = {}
        self.numbers = Numbers(desk.tables)
        self.inquiries = Inquiries()
        self._numbers = 0
        # by ids of the options, which are kept beside: to hash it takes 0.7 us of each request
        self._forwarded: dict[tuple[int, int], tuple[ForwardFor, ForwardFor | None, ForwardedFor]] = {}
        self._jars: dict[int, tuple[Backend, Jar]] = {}

    def adopt(self, settings: Global) -> None:
        """Follow the `global` section: sizes in bytes, `maxhdr` in fields."""
        self.bufsize = self.allowance.longest = settings.bufsize
        self.head_limit = settings.bufsize - settings.maxrewrite
        self.max_fields = settings.maxhdr
        self.counted_codes = settings.counted_codes
        self.casing = Casing(settings.case_adjust)
        self._forwarded.clear()
        self._jars.clear()

    def is_overdue(self) -> bool:
        """Are new requests for the next turn of the loop? Only rules make them take long."""
        return self.rulebook is not None and self.turn.is_long()

    def tell_sent(self) -> None:
        """Let the supervisor know how much has been sent."""
        self.cells[self.figures.process + C.BOUT] = self.outbox.sent

    def number(self) -> int:
        """A number for a new exchange, unique in this worker's life."""
        self._numbers += 1
        return self._numbers

    def sessions_per_second(self, frontend: int) -> int:
        """Connections to a frontend within the last second, over all workers."""
        cells, at, now, total = self.cells, self.layout, now_ms(), 0
        for worker in range(at.rows(cells)):
            first = at.frontend_counters(worker, frontend) + C.SESS_SEC
            total += per_second(cells[first], cells[first + 1], cells[first + 2], now)
        return total

    def rate(self, counter: int) -> int:
        """Events of the whole data plane within the last second: the frequency counter that begins at `counter`."""
        cells, at, now, total = self.cells, self.layout, now_ms(), 0
        for worker in range(at.workers):
            first = at.process_counters(worker) + counter
            total += per_second(cells[first], cells[first + 1], cells[first + 2], now)
        return total

    def frontend(self, index: int, last: Frontend) -> Frontend:
        """The frontend as the tables in force have it; `last` when it is gone, though another may have its index now."""
        found = self.desk.tables.frontends.get(index)
        return found if found is not None and found.name == last.name else last

    def jar(self, index: int, backend: Backend) -> Jar:
        """The cookie jar of a backend that has a cookie, under the tables in force."""
        ready = self._jars.get(index)
        if ready is None or ready[0] is not backend:
            tables = self.desk.tables
            members = ((server, tables.servers[server]) for server in tables.members[index])
            ready = self._jars[index] = backend, Jar(backend, members)
        return ready[1]

    def forwarded(self, frontend: Frontend, backend: Backend) -> ForwardedFor | None:
        """`option forwardfor` for a request: the backend's, the frontend's, or what both come to."""
        return self._ready(backend.forwardfor, frontend.forwardfor)

    def original_to(self, frontend: Frontend, backend: Backend) -> ForwardedFor | None:
        """`option originalto`, likewise."""
        return self._ready(backend.originalto, frontend.originalto)

    def _ready(self, back: ForwardFor | None, front: ForwardFor | None) -> ForwardedFor | None:
        if front is None or front is back:
            if back is None:
                return None
            first, second = back, None
        elif back is None:
            first, second = front, None
        else:
            first, second = back, front
        key = (id(first), id(second))
        ready = self._forwarded.get(key)
        if ready is None:
            ready = self._forwarded[key] = first, second, ForwardedFor(first, second)
        return ready[2]
