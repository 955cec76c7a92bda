"""What checks found, as the stats socket, the page and the exporter show it; and what checks want to know of the board."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from dataplane.cli.fields import Value
from dataplane.core import line, weight
from dataplane.core.admin import Admin
from dataplane.core.checks import Pace
from dataplane.core.counters import C
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger, ServerRecord
from dataplane.core.model import AdminState
from dataplane.core.state import OpState
from dataplane.health.checker import Load
from dataplane.health.watch import Watch

_IN_PROGRESS, _CONFIGURED, _ENABLED, _PAUSED, _AGENT = 1, 2, 4, 8, 16
_OWN_MAINT: Final = int(Admin.FMAINT | Admin.RMAINT | Admin.PMAINT)
_NO_STATE: Final = (1, 0, Pace().rise, 0)
"""As HAProxy has it for a server nobody checks: as if it had been taken for up."""


class BoardView:
    """The board as the checker reads it, without the lock."""

    def __init__(self, cells: Sequence[int] | memoryview, layout: Layout) -> None:
        self._cells, self._at = cells, layout

    def load(self, record: ServerRecord) -> Load:
        """What `http-check send-state` says of a server."""
        cells, at = self._cells, self._at
        backend = record.backend_index
        return Load(
            weight=weight.shown(record.eweight),
            total_weight=weight.shown(cells[at.ROTATION_WEIGHT + backend]),
            sessions=cells[at.TOTAL + record.index],
            total_sessions=cells[at.BETOTAL + backend],
            queued=line.queued(cells, at, record.index),
        )

    def observed(self, server: int) -> list[int]:
        """What the workers noted of a server, as many cells as there may be workers: see core/observe.py."""
        at, cells = self._at, self._cells
        rows = at.rows(cells)
        noted = [cells[at.server_counters(worker, server) + C.OBSERVED] for worker in range(rows)]
        return noted + [0] * (at.workers - rows)


class CheckFigures:
    """Columns, words and numbers about checks, by the index of a server."""

    def __init__(self, ledger: Ledger, watches: Mapping[tuple[int, bool], Watch], clock: Callable[[], int]) -> None:
        self._ledger, self._watches, self._clock = ledger, watches, clock
        self._cleared: dict[tuple[str, str], int] = {}

    def clear(self, indexes: Iterable[int]) -> None:
        """Count failures of these servers' checks, and how often they went down, from 0 again."""
        records = self._ledger.records
        if len(self._cleared) > len(records):  # names come and go for ever
            there = {(record.backend, record.name) for record in records.values()}
            self._cleared = {key: downs for key, downs in self._cleared.items() if key in there}
        for index in indexes:
            record, watch = records[index], self._watches.get((index, False))
            self._cleared[record.backend, record.name] = record.downs
            if watch is not None:
                watch.failures = watch.errors = 0

    def restore(self, index: int, *, failures: int, errors: int, downs: int) -> None:
        """Count on from what was counted of a server before this process was started."""
        record, watch = self._ledger.records[index], self._watches.get((index, False))
        self._cleared[record.backend, record.name] = self._cleared.get((record.backend, record.name), 0) - downs
        if watch is not None:
            watch.failures += failures
            watch.errors += errors

    def _downs(self, record: ServerRecord) -> int:
        """How often it went down since that was cleared; a server that is declared anew counts from 0 by itself."""
        before = self._cleared.get((record.backend, record.name), 0)
        return record.downs - before if record.downs >= before else record.downs

    def _watch(self, index: int, *, agent: bool) -> Watch | None:
        """A check that is enabled, its counter as the record wants it."""
        watch, record = self._watches.get((index, agent)), self._ledger.records.get(index)
        if watch is None or record is None or watch.key != (record.backend, record.name):
            return None
        watch.obey(record)
        return watch if watch.side(record).enabled else None

    def _leader(self, record: ServerRecord) -> ServerRecord:
        """The server whose checks count for this one: itself, or at the end of those it tracks."""
        while record.server.track is not None:
            index = self._ledger.tables.server_of(*record.server.track)
            if index is None:
                break
            record = self._ledger.records[index]
        return record

    def status(self, index: int) -> str:
        """A server's state in the words of `show stat`."""
        record = self._ledger.records[index]
        if record.effective is AdminState.MAINT:
            inherited = record.server.track is not None and not record.admin & _OWN_MAINT
            if record.admin & Admin.RMAINT:
                return 'MAINT (resolution)'
            return f'MAINT (via {"/".join(record.server.track or ())})' if inherited else 'MAINT'
        leader = self._leader(record).index
        check, agent = self._watch(leader, agent=False), self._watch(leader, agent=True)
        progress = ''
        if check is not None and not check.counter.settled:
            progress = ' {}/{}'.format(*check.counter.shown())
        if record.opstate is OpState.STOPPED:
            return self._down(leader, check, agent)
        if record.opstate is OpState.STOPPING:
            return f'NOLB{progress}'
        if record.effective is AdminState.DRAIN or not record.uweight:
            return 'DRAIN (agent)' if agent is not None else f'DRAIN{progress}'
        if check is not None and not check.counter.up:  # by somebody's word, against what it found
            progress = ' {}/{}'.format(*check.counter.shown(up=True))
        return f'UP{progress}' if check is not None else 'no check'

    def _down(self, leader: int, check: Watch | None, agent: Watch | None) -> str:
        """Who says so; where nobody of those who are asked does, how far the check's counter is, were it asked or not."""
        if agent is not None and not agent.counter.up:
            return 'DOWN (agent)'
        if (check is None and agent is None) or (check is not None and not check.counter.health):
            return 'DOWN'
        counted = self._watches.get((leader, False))
        if counted is None:
            return f'DOWN 0/{Pace().rise}'
        return f'DOWN {counted.counter.health}/{counted.counter.pace.rise}'

    def columns(self, index: int) -> dict[str, Value]:
        """The columns of `show stat` about checks that apply to a server."""
        record = self._ledger.records[index]
        values: dict[str, Value] = {}
        if record.server.track is not None:
            values['tracked'] = '/'.join(record.server.track)
        check = self._watch(index, agent=False)
        if check is not None:
            down = self._clock() - record.changed_at if record.opstate is OpState.STOPPED else 0
            values |= {
                'chkfail': check.failures,
                'chkdown': self._downs(record),
                'downtime': (record.down_ms + max(0, down)) // 1000,
            }
            if record.server.observe is not None:
                values['hanafail'] = check.errors
        for prefix, last in (('check', 'last_chk'), ('agent', 'last_agt')):
            watch = self._watch(index, agent=prefix == 'agent')
            if watch is not None and (prefix == 'agent' or record.effective is not AdminState.MAINT):
                values |= _of_watch(watch, prefix, last)
        return values

    def states(self, index: int) -> tuple[tuple[int, int, int, int], int]:
        """For `show servers state`: status, result, health and state of the check; state of the agent."""
        record = self._ledger.records[index]
        check, agent = self._watches.get((index, False)), self._watches.get((index, True))
        rests = record.effective is AdminState.MAINT and record.server.track is None
        numbers = (1, 0, 0, 0) if rests else _NO_STATE
        if record.server.check is not None and check is not None:
            check.obey(record)
            paused = record.effective is AdminState.MAINT
            bits = _bits(check, enabled=record.health.check.enabled) | (_PAUSED if paused else 0)
            last = check.last
            numbers = last.status.number, int(last.outcome), 0 if paused else check.counter.health, bits
        agent_bits = 0
        if record.server.agent is not None and agent is not None:
            agent_bits = _bits(agent, enabled=record.health.agent.enabled) | _AGENT
        return numbers, agent_bits

    def places(self, index: int) -> tuple[int, str, str, int]:
        """For `show servers state`: port and address of the check, address and port of the agent; 0 and '-' where not set."""
        record = self._ledger.records[index]
        check, agent, health = record.server.check, record.server.agent, record.health
        return (
            health.check_target.port or (check.port if check is not None else 0),
            health.check_target.addr or (check.addr if check is not None else '') or '-',
            health.agent_target.addr
            or (agent.addr if agent is not None else check.addr if check is not None else '')
            or '-',
            health.agent_target.port or (agent.port if agent is not None else 0),
        )


def _bits(watch: Watch, *, enabled: bool) -> int:
    return _CONFIGURED | (_ENABLED if enabled else 0) | (_IN_PROGRESS if watch.under_way else 0)


def _of_watch(watch: Watch, prefix: str, last: str) -> dict[str, Value]:
    result, counter = watch.last, watch.counter
    values: dict[str, Value] = {
        f'{prefix}_status': ('* ' if watch.under_way else '') + result.status.code,
        f'{prefix}_desc': result.status.words,
        f'{prefix}_rise': counter.pace.rise,
        f'{prefix}_fall': counter.pace.fall,
        f'{prefix}_health': counter.health,
        last: result.info,
    }
    if result.status.has_code:
        values[f'{prefix}_code'] = result.code
    if result.status.timed:
        values[f'{prefix}_duration'] = result.duration
    return values
