"""What `show info` says of the process as a whole, read from the board (the mixin of `dataplane.supervisor.figures`)."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dataplane.cli.fields import Value
from dataplane.cli.info import uptime
from dataplane.core import line
from dataplane.core.counters import C
from dataplane.core.layout import Layout, Rate

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.core.tables import Tables
    from dataplane.supervisor.figures import Identity, Supervision
    from dataplane.supervisor.pulse import Beat
    from dataplane.supervisor.tally import Tally


class InfoFigures:
    """Whoever has this reads the board."""

    identity: Identity
    _cells: memoryview | Sequence[int]
    _at: Layout
    _doors: Callable[[Frontend], str]
    _tally: Callable[[Callable[[int], int]], Tally]
    _per_worker: Callable[[Callable[[int, int], int], int], tuple[int, ...]]
    _beat: Callable[[], Beat]
    uptime_s: Callable[[], int]

    @property
    def tables(self) -> Tables:
        """The tables in force."""
        raise NotImplementedError

    @property
    def supervision(self) -> Supervision:
        """The supervisor's own numbers."""
        raise NotImplementedError

    def info(self) -> dict[str, Value]:
        """`show info`, without the fields that are always 0."""
        tables, cells, at, supervision = self.tables, self._cells, self._at, self.supervision
        settings = tables.snapshot.globals
        beat = self._beat()
        tally = self._tally(at.process_counters)
        streams = sum(sum(self._per_worker(at.beconn, backend)) for backend in tables.backends)
        waiting = sum(cells[at.QUEUE_LENGTH + at.backend_queue(backend)] for backend in tables.backends)
        waiting += sum(line.queued(cells, at, server) for server in tables.servers)
        listeners = sum(len(one.binds) for one in tables.frontends.values() if self._doors(one) == 'OPEN')
        listeners += sum(len(one.binds) for one in tables.snapshot.stats_listeners) + len(settings.stats_sockets)
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        values: dict[str, Value] = {
            'Name': 'Sluice',
            'Version': self.identity.version,
            'Release_date': self.identity.release_date,
            'Nbthread': settings.nbthread,
            'Nbproc': 1,
            'Process_num': 1,
            'Pid': os.getpid(),
            'Uptime': uptime(self.uptime_s()),
            'Uptime_sec': self.uptime_s(),
            'Ulimit-n': descriptors,
            'Maxsock': descriptors,
            'Maxconn': cells[at.GLOBAL_MAXCONN],
            'Hard_maxconn': settings.maxconn,
            'CurrConns': tally.gauge(C.SCUR),
            'CumConns': tally.total(C.CONN_TOT),
            'CumReq': tally.total(C.REQ_TOT),
            'ConnRate': tally.rate(C.CONN_SEC),
            'ConnRateLimit': cells[at.RATE_LIMITS + Rate.CONNECTIONS],
            'MaxConnRate': tally.rate_peak(C.CONN_SEC, C.CONN_RATE_MAX),
            'SessRate': tally.rate(C.SESS_SEC),
            'SessRateLimit': cells[at.RATE_LIMITS + Rate.SESSIONS],
            'MaxSessRate': tally.rate_peak(C.SESS_SEC, C.RATE_MAX),
            'SslRateLimit': cells[at.RATE_LIMITS + Rate.SSL_SESSIONS],
            'CompressBpsRateLim': cells[at.RATE_LIMITS + Rate.HTTP_COMPRESSION],
            'Tasks': streams,
            'Run_queue': waiting,
            'node': settings.node,
            'Stopping': int(supervision.stopping),
            'Jobs': tally.gauge(C.SCUR) + listeners,
            'Listeners': listeners,
            'DroppedLogs': tally.total(C.DROPPED_LOGS) + supervision.dropped_logs,
            'TotalBytesOut': tally.total(C.BOUT),
            'BytesOutRate': beat.sent,
            'Build info': self.identity.version,
            'Start_time_sec': self.identity.started_at,
            'Tainted': '0',
            'TotalWarnings': self.identity.warnings,
            'BootTime_ms': self.identity.boot_ms,
            'CurrStreams': streams,
            'CumStreams': tally.total(C.STOT),
            'NbThreadGroups': 1,
        }
        if beat.idle_pct is not None:
            values['Idle_pct'] = beat.idle_pct
        if settings.description:
            values['description'] = settings.description
        return values


def total_sent(cells: memoryview | Sequence[int], at: Layout) -> int:
    """Bytes that workers have sent so far, those that are no more as well."""
    return sum(cells[at.process_counters(row) + C.BOUT] for row in (*range(at.rows(cells)), at.departed))
