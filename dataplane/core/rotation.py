"""From records to columns: what the board must say of each server, who is in rotation, and which backup was elected.

Columns of a server are wanted as soon as its record changes; the election of a backend is done once per commit, over its
servers in configuration order, however many of them changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dataplane.core.columns import Columns
from dataplane.core.compose import algorithm_of
from dataplane.core.layout import LAYOUT_VERSION, NOBODY, Algorithm, Layout, Rota
from dataplane.core.model import Backend
from dataplane.core.reach import Reach
from dataplane.core.record import ServerRecord
from dataplane.core.state import reach
from dataplane.core.tables import Tables
from dataplane.core.wheels import Wheels, unit_of

_AFFINITIES = ('always', 'maxconn', 'maxqueue')


class Rotation:
    """Writes the commit columns of servers and backends, and remembers who must be looked at after the commit."""

    def __init__(self, layout: Layout, columns: Columns) -> None:
        self._at = layout
        self._columns = columns
        self._dirty: set[int] = set()
        self._servers: set[int] = set()
        self._backends: set[int] = set()
        self._chained: set[int] = set()
        self._settled: dict[int, Backend] = {}
        self._reach = Reach.HEARD
        self.wheels = Wheels(layout, columns)
        columns.set(layout.VERSION, 0, LAYOUT_VERSION)

    def put(self, record: ServerRecord) -> None:
        """The cells that follow from the record alone; its backend is due for an election if any changed."""
        at, server = self._at, record.server
        top, low = record.limits
        self._set(
            record,
            {
                at.BACKEND: record.backend_index,
                at.SERVER_ID: server.id,
                at.ADMIN: record.admin,
                at.OPSTATE: record.opstate,
                at.UWEIGHT: record.uweight,
                at.EWEIGHT: record.eweight,
                at.LIMIT: top,
                at.MINLIMIT: low,
                at.MAXQUEUE: server.maxqueue,
                at.BACKUP: int(server.backup),
                at.GENERATION: record.generation,
            },
        )
        self._columns.set(at.CHANGED_AT, record.index, record.changed_at)
        if server.share is not None:
            self._dirty.add(record.backend_index)  # whether slots are due stands in no cell

    def rely(self, reach: Reach, tables: Tables) -> None:
        """How far the control plane's word is good: every pushed backend is due for an election."""
        if reach is not self._reach:
            self._reach = reach
            self._dirty.update(index for index, backend in tables.backends.items() if backend.pushed)

    def retire(self, record: ServerRecord) -> None:
        """A server that is in no table any more: nobody gets it."""
        self._set(record, {self._at.ROTA: Rota.GONE})

    def arrange(self, tables: Tables, departed: Iterable[ServerRecord]) -> None:
        """Chains and settings of all backends of new tables; who departed comes last in its backend's chain."""
        chains = {backend: list(servers) for backend, servers in tables.members.items()}
        for record in departed:
            chains.setdefault(record.backend_index, []).append(record.index)
        for backend in self._chained - chains.keys():
            self._chain(backend, [])
        for backend, chain in chains.items():
            self._chain(backend, chain)
        self._chained = {backend for backend, chain in chains.items() if chain}
        known = max((*chains, *tables.backends), default=-1) + 1
        columns, cell = self._columns, self._at.BACKENDS
        columns.set(cell, 0, max(columns.get(cell, 0), known))
        for index in self._settled.keys() | tables.backends.keys():
            settings = tables.backends.get(index)
            if settings is not self._settled.get(index):
                self._dirty.add(index)
                if settings is not None:
                    self._settle(index, settings)
        self._settled = dict(tables.backends)

    def elect(self, tables: Tables, records: Mapping[int, ServerRecord]) -> None:
        """Who is in rotation, in every backend with a change since the last time."""
        for backend in sorted(self._dirty):
            self._elect(backend, tables.backends.get(backend), [records[s] for s in tables.members.get(backend, ())])
        self._dirty.clear()

    def looked_at(self) -> tuple[set[int], set[int]]:
        """Servers and backends that changed since the last call."""
        servers, backends = self._servers, self._backends
        self._servers, self._backends = set(), set()
        return servers, backends

    def _set(self, record: ServerRecord, values: Mapping[int, int]) -> None:
        changed = [self._columns.set(column, record.index, int(value)) for column, value in values.items()]
        if any(changed):
            self._servers.add(record.index)
            self._dirty.add(record.backend_index)

    def _chain(self, backend: int, chain: list[int]) -> None:
        """Link the servers: the cell of each holds the index of the next plus one, 0 at the end."""
        links = [*(server + 1 for server in chain), 0]
        changed = [self._columns.set(self._at.FIRST_SERVER, backend, links[0])]
        for server, following in zip(chain, links[1:], strict=True):
            changed.append(self._columns.set(self._at.NEXT_SERVER, server, following))
        if any(changed):
            self._backends.add(backend)
            self._dirty.add(backend)

    def _settle(self, index: int, backend: Backend) -> None:
        """Settings of a backend that live in cells."""
        at = self._at
        changed = [
            self._columns.set(at.ALGORITHM, index, algorithm_of(backend.balance)),
            self._columns.set(at.DRAWS, index, max(1, backend.balance.draws)),
            self._columns.set(at.FULLCONN, index, backend.fullconn),
            self._columns.set(at.BALANCE_FACTOR, index, backend.balance.factor),
            self._columns.set(at.AFFINITY, index, _AFFINITIES.index(backend.balance.affinity)),
        ]
        if any(changed):
            self._backends.add(index)

    def _elect(self, index: int, backend: Backend | None, records: list[ServerRecord]) -> None:
        """Backups serve only when no active server is usable: the first usable one, or all with `allbackups`."""
        offered: list[ServerRecord] = []
        if backend is not None and not backend.disabled:
            offered = [r for r in records if r.offered(self._reach)] if backend.pushed else records
        usable = [record for record in offered if record.usable]
        active = {record.index for record in usable if not record.server.backup}
        backups = [record.index for record in usable if record.server.backup]
        elected = active or set(backups if backend is not None and backend.allbackups else backups[:1])
        if backend is not None and backend.balance.algorithm == 'sticky':
            elected = self._stick(index, [r.index for r in usable if r.index in active], backups)
        reachable = {record.index for record in offered}
        for record in records:
            rota = reach(record.effective, record.opstate, record.eweight, elected=record.index in elected)
            if record.index not in reachable:
                rota = Rota.GONE
            if self._columns.set(self._at.ROTA, record.index, rota):
                self._servers.add(record.index)
        serving = [record for record in records if record.index in elected]
        self._turn(index, backend, records, serving)
        weights = [record.eweight for record in serving]
        at, columns = self._at, self._columns
        dynamic = any(columns.get(at.LIMIT, r.index) != columns.get(at.MINLIMIT, r.index) for r in records)
        columns.set(at.IN_ROTATION, index, len(elected))
        columns.set(at.ROTATION_WEIGHT, index, sum(weights))
        columns.set(at.ROTATION_MAXW, index, max(weights, default=0))
        columns.set(at.ACTIVE_UP, index, len(active))
        columns.set(at.BACKUP_UP, index, len(backups))
        columns.set(at.DYNAMIC_LIMITS, index, int(dynamic))

    def _stick(self, index: int, active: list[int], backups: list[int]) -> set[int]:
        """Who is elected stays so until it is out, whoever comes back meanwhile; an active server goes before a backup."""
        elected = self._columns.get(self._at.ELECTED, index) - 1
        if elected not in (active or backups):
            elected = next(iter(active or backups), NOBODY)
        self._columns.set(self._at.ELECTED, index, elected + 1)
        return set(active or backups)

    def _turn(
        self, index: int, backend: Backend | None, records: list[ServerRecord], serving: list[ServerRecord]
    ) -> None:
        """What the wheel of the backend is to be, where its algorithm has one."""
        algorithm = Algorithm.FIRST if backend is None else algorithm_of(backend.balance)
        unit = unit_of(record.iweight for record in records)
        self.wheels.turn(index, algorithm, ((r.index, r.server, r.uweight) for r in serving), unit)
        if algorithm is Algorithm.BOUNDED:
            sum_before = 0
            for record in serving:
                self._columns.set(self._at.CUMULATIVE, record.index, sum_before)
                sum_before += record.eweight
