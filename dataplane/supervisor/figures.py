"""The figures of the whole data plane, read from the board: what the stats socket, the page and the exporter show.

Pure reading, without the lock: a counter has one writer and is one aligned store. Sums go over the rows of the workers and
the departed row, where the supervisor keeps what dead workers counted; it moves a row there within one turn of the loop in
which these functions run, too, so no figure runs backwards or counts twice while a worker restarts. Gauges are summed over
the workers alone: nothing of a dead worker is open.

Dumps are iterators, one object at a time, so that a caller can let others run in between. A dump that spans several turns
shows each object as it was at its own moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataplane.cli.fields import Value
from dataplane.cli.servers import ServerConnections, ServerState
from dataplane.cli.stat import Kind, Row
from dataplane.core import line, weight
from dataplane.core.admin import shown
from dataplane.core.counters import COUNTERS, C
from dataplane.core.dyncookie import cookie_of
from dataplane.core.layout import ENTRY_STRIDE, UNLIMITED, EntryState, Layout
from dataplane.core.model import Backend, Frontend, Server
from dataplane.core.state import OpState
from dataplane.supervisor.addresses import address, asked, host
from dataplane.supervisor.checkfigures import CheckFigures
from dataplane.supervisor.infofigures import InfoFigures
from dataplane.supervisor.listenrows import listener_rows
from dataplane.supervisor.outages import Outages
from dataplane.supervisor.pulse import Beat
from dataplane.supervisor.tally import ABSENT_BACK, ABSENT_FRONT, AVERAGES, BACK, COMMON, FRONT, PEAKS, RESPONSES, Tally

if TYPE_CHECKING:
    from dataplane.core.tables import Tables

Cells = memoryview | Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this process is. `started_ms` is monotonic, `started_at` the wall-clock second, `boot_ms` what the start took."""

    version: str
    release_date: str
    started_ms: int
    started_at: int
    boot_ms: int = 0
    warnings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """What the supervisor knows of its workers and its changes. `pause` in microseconds: the last one and the longest."""

    revision: int = 0
    pause_us: int = 0
    pause_max_us: int = 0
    workers: int = 0
    restarts: int = 0
    stopping: bool = False
    dropped_logs: int = 0
    lease_in_force: bool | None = None  # None: there is no control plane to give one
    lease_ms: int = 0


class Figures(InfoFigures):
    """All figures of one data plane.

    `tables` gives the tables in force, `clock` monotonic ms, `wall` wall-clock seconds, `supervision` the supervisor's own
    numbers, `checks` what checks found, `outages` which backends were down, `doors` the state of a frontend, `beat` what the last second was like. `cells` and `layout`
    are the board's.
    """

    def __init__(
        self,
        *,
        cells: Cells,
        layout: Layout,
        tables: Callable[[], Tables],
        identity: Identity,
        supervision: Callable[[], Supervision],
        clock: Callable[[], int],
        wall: Callable[[], float],
        checks: CheckFigures,
        outages: Outages,
        doors: Callable[[Frontend], str],
        beat: Callable[[], Beat],
    ) -> None:
        self._cells, self._at, self._tables, self.identity = cells, layout, tables, identity
        self._supervision, self._clock, self._wall = supervision, clock, wall
        self._checks, self._outages, self._doors, self._beat = checks, outages, doors, beat

    @property
    def tables(self) -> Tables:
        """The tables in force."""
        return self._tables()

    @property
    def supervision(self) -> Supervision:
        """The supervisor's own numbers."""
        return self._supervision()

    @property
    def workers(self) -> int:
        """How many rows of workers are in use."""
        return self._at.rows(self._cells)

    def wall(self) -> float:
        """Wall-clock seconds."""
        return self._wall()

    def uptime_ms(self) -> int:
        """Milliseconds since the start."""
        return self._clock() - self.identity.started_ms

    def uptime_s(self) -> int:
        """Seconds since the start."""
        return self.uptime_ms() // 1000

    def rows(self) -> Iterator[Row]:
        """`show stat`: per proxy its frontend, its servers, its backend; proxies by their number."""
        tables = self.tables
        fronts = [(front.id, 0, index) for index, front in tables.frontends.items()]
        backs = [(back.id, 1, index) for index, back in tables.backends.items()]
        for _, side, index in sorted(fronts + backs):
            if side == 0:
                yield self._frontend_row(index, tables.frontends[index])
                yield from listener_rows(tables, tables.frontends[index], self._listener_tally)
            else:
                backend = tables.backends[index]
                for server in tables.members[index]:
                    yield self._server_row(server, tables.servers[server], backend)
                yield self._backend_row(index, backend, tables.members[index])

    def _tally(self, first: Callable[[int], int]) -> Tally:
        cells, rows = self._cells, []
        for row in (*range(self.workers), self._at.departed):
            start = first(row)
            rows.append(list(cells[start : start + COUNTERS]))
        return Tally(rows, self._clock())

    def _listener_tally(self, index: int) -> Tally:
        return self._tally(lambda row: self._at.listener_counters(row, index))

    def _per_worker(self, column: Callable[[int, int], int], index: int) -> tuple[int, ...]:
        return tuple(self._cells[column(worker, index)] for worker in range(self.workers))

    def _frontend_row(self, index: int, frontend: Frontend) -> Row:
        tally = self._tally(lambda row: self._at.frontend_counters(row, index))
        values: dict[str, Value] = dict.fromkeys(ABSENT_FRONT, 0)
        values |= {name: tally.total(counter) for name, counter in (*COMMON, *FRONT)}
        values |= {
            'pxname': frontend.name,
            'svname': 'FRONTEND',
            'scur': tally.gauge(C.SCUR),
            'smax': tally.peak(C.SMAX),
            'slim': self._cells[self._at.FEMAXCONN + index],
            'status': 'STOP' if self.supervision.stopping else self._doors(frontend),
            'rate_lim': frontend.rate_limit,
            'pid': 1,
            'iid': frontend.id,
            'sid': 0,
            'type': int(Kind.FRONTEND),
            'mode': 'http',
            'rate': tally.rate(C.SESS_SEC),
            'rate_max': tally.rate_peak(C.SESS_SEC, C.RATE_MAX),
            'req_rate': tally.rate(C.REQ_SEC),
            'req_rate_max': tally.rate_peak(C.REQ_SEC, C.REQ_RATE_MAX),
            'conn_rate': tally.rate(C.CONN_SEC),
            'conn_rate_max': tally.rate_peak(C.CONN_SEC, C.CONN_RATE_MAX),
        }
        return Row(Kind.FRONTEND, frontend.id, 0, values, frontend.description)

    def _behind(self, tally: Tally, mode: str) -> dict[str, Value]:
        """What servers and backends have in common."""
        values: dict[str, Value] = {name: tally.total(counter) for name, counter in (*COMMON, *BACK)}
        values |= {name: tally.average(counter) for name, counter in AVERAGES}
        values |= {name: tally.peak(counter) for name, counter in PEAKS}
        last = tally.peak(C.LASTSESS)
        return values | {
            'qmax': tally.peak(C.QMAX),
            'smax': tally.peak(C.SMAX),
            'rate': tally.rate(C.SESS_SEC),
            'rate_max': tally.rate_peak(C.SESS_SEC, C.RATE_MAX),
            'lastsess': max(0, int(self._wall()) - last) if last else -1,
            'pid': 1,
            'mode': mode,
        }

    def _server_row(self, index: int, server: Server, backend: Backend) -> Row:
        cells, at = self._cells, self._at
        served = sum(self._per_worker(at.served, index))
        idle = sum(self._per_worker(at.idle, index))
        values = self._behind(self._tally(lambda row: at.server_counters(row, index)), backend.mode)
        values |= {
            'pxname': backend.name,
            'svname': server.name,
            'qcur': line.queued(cells, at, index),
            'scur': served,
            'status': self._checks.status(index),
            'weight': weight.shown(cells[at.EWEIGHT + index]),
            'uweight': cells[at.UWEIGHT + index],
            'act': int(not server.backup),
            'bck': int(server.backup),
            'lastchg': self._age_s(index),
            'iid': backend.id,
            'sid': server.id,
            'type': int(Kind.SERVER),
            'addr': address(server),
            'srv_icur': idle,
            'idle_conn_cur': 0,
            'safe_conn_cur': idle,
            'used_conn_cur': served,
            'need_conn_est': served,
            'srid': 0,
            'req_tot': sum(int(values[name]) for name in RESPONSES),
            'priv_idle_cur': 0,
            **self._checks.columns(index),
        }
        if cells[at.OPSTATE + index] == OpState.STARTING and cells[at.UWEIGHT + index]:
            values['throttle'] = -(-100 * cells[at.EWEIGHT + index] // (weight.SCALE * cells[at.UWEIGHT + index]))
        if cells[at.LIMIT + index] != UNLIMITED:
            values['slim'] = cells[at.LIMIT + index]
        if cells[at.MAXQUEUE + index]:
            values['qlimit'] = cells[at.MAXQUEUE + index]
        if cookie := cookie_of(backend, server):
            values['cookie'] = cookie
        if server.pool_max_conn >= 0:
            values['src_ilim'] = server.pool_max_conn
        return Row(Kind.SERVER, backend.id, server.id, values, backend.description)

    def _backend_row(self, index: int, backend: Backend, members: Sequence[int]) -> Row:
        cells, at = self._cells, self._at
        tally = self._tally(lambda row: at.backend_counters(row, index))
        in_use = weight.shown(cells[at.ROTATION_WEIGHT + index])
        values = dict.fromkeys(ABSENT_BACK, 0) | self._behind(tally, backend.mode)
        values |= {
            'pxname': backend.name,
            'svname': 'BACKEND',
            'dreq': tally.total(C.DREQ),
            'qcur': cells[at.QUEUE_LENGTH + at.backend_queue(index)],
            'scur': sum(self._per_worker(at.beconn, index)),
            'slim': cells[at.FULLCONN + index],
            'status': ('UP' if cells[at.IN_ROTATION + index] or not members else 'DOWN') + _unpublished(backend),
            'weight': in_use,
            'uweight': in_use,
            'act': cells[at.ACTIVE_UP + index],
            'bck': cells[at.BACKUP_UP + index],
            'iid': backend.id,
            'sid': 0,
            'type': int(Kind.BACKEND),
            'algo': backend.balance.algorithm,
            'agg_server_status': 0,
            'agg_server_check_status': 0,
            'agg_check_status': 0,
            **self._outages.columns(backend),
        }
        if backend.cookie is not None:
            values['cookie'] = backend.cookie.name
        return Row(Kind.BACKEND, backend.id, 0, values, backend.description)

    def status(self, server: int) -> str:
        """A server's state in the words of `show stat`."""
        return self._checks.status(server)

    def _age_s(self, server: int) -> int:
        return max(0, self._clock() - self._cells[self._at.CHANGED_AT + server]) // 1000

    def server_states(self, backends: Sequence[int]) -> Iterator[ServerState]:
        """`show servers state`. A wish of the control plane is shown as HAProxy's flag for the same, 1 or 8."""
        tables, cells, at = self.tables, self._cells, self._at
        for backend in backends:
            for index in tables.members[backend]:
                server, flags = tables.servers[index], cells[at.ADMIN + index]
                yield ServerState(
                    backend_id=tables.backends[backend].id,
                    backend=tables.backends[backend].name,
                    id=server.id,
                    forced=(int(tables.backends[backend].forced_id), int(server.forced_id)),
                    name=server.name,
                    host=host(server),
                    port=server.port,
                    opstate=cells[at.OPSTATE + index],
                    admin=shown(flags),
                    uweight=cells[at.UWEIGHT + index],
                    iweight=server.weight,
                    age=self._age_s(index),
                    check=self._checks.states(index),
                    places=self._checks.places(index),
                    asked=asked(server),
                )

    def server_connections(self, backends: Sequence[int]) -> Iterator[ServerConnections]:
        """`show servers conn`; `served` counts slots, those given to somebody who has not taken them yet among them."""
        tables, cells, at = self.tables, self._cells, self._at
        for backend in backends:
            for index in tables.members[backend]:
                server = tables.servers[index]
                used = sum(self._per_worker(at.served, index))
                yield ServerConnections(
                    backend_id=tables.backends[backend].id,
                    backend=tables.backends[backend].name,
                    id=server.id,
                    name=server.name,
                    host=host(server),
                    port=server.port,
                    purge_delay=server.pool_purge_delay,
                    served=max(used, cells[at.TOTAL + index]),
                    used=used,
                    used_max=self._tally(lambda row, index=index: at.server_counters(row, index)).peak(C.SMAX),  # type: ignore[misc]
                    idle_limit=server.pool_max_conn,
                    idle=self._per_worker(at.idle, index),
                )

    def attached(self, server: int) -> bool:
        """Whether anything is attached to a server anywhere: slots, idle connections, waiters.

        Told from the rows and the entries, which are true at every instant, never from the totals, which a repair rebuilds.
        """
        at = self._at
        if any(any(self._per_worker(column, server)) for column in (at.served, at.idle)):
            return True
        end = self._cells[at.HIGH_WATER] * ENTRY_STRIDE
        states, queues, given = (
            list(self._cells[first : first + end : ENTRY_STRIDE]) for first in (at.E_STATE, at.E_QUEUE, at.E_SERVER)
        )
        own = (2 * server, 2 * server + 1, at.forced_queue(server))
        return any(
            (state == EntryState.WAITING and queue in own) or (state == EntryState.GIVEN and target == server)
            for state, queue, target in zip(states, queues, given, strict=True)
        )

    def engaged(self, backend: int) -> bool:
        """Whether any stream is in a backend, or waits in its queue."""
        waiting = self._cells[self._at.QUEUE_LENGTH + self._at.backend_queue(backend)]
        return bool(waiting) or any(self._per_worker(self._at.beconn, backend))


def _unpublished(backend: Backend) -> str:
    return '' if backend.published else ' (UNPUB)'
