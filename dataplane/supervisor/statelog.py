"""HAProxy's lines about servers that change state, one record per applied revision and server (facts 2.3).

Numbers in a line are those of the moment the revision was applied. A revision's count of requeued sessions is told with its
only server, and so is that of ended ones; where one revision changed several, it cannot be said whose they were and the count is 0
in each line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from dataplane.core.admin import Admin, effective
from dataplane.core.commit import Commit
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger, ServerRecord
from dataplane.core.line import queued
from dataplane.core.model import AdminState, Backend
from dataplane.core.state import OpState
from dataplane.supervisor import namelog
from dataplane.supervisor.namelog import Named
from dataplane.supervisor.publish import Applied

_START: Final = 'start'
_WARMING: Final = {OpState.STARTING, OpState.RUNNING}


class Seen(NamedTuple):
    """What was told last of a server. `inherited`: what is in force, it has from the server it tracks alone."""

    admin: AdminState
    opstate: OpState
    inherited: bool
    named: Named


def _seen(record: ServerRecord) -> Seen:
    inherited = _inherits(record, Admin.IMAINT if record.effective is AdminState.MAINT else Admin.IDRAIN)
    return Seen(record.effective, record.opstate, inherited, namelog.named(record))


def _inherits(record: ServerRecord, flag: Admin) -> bool:
    """Is the state in force for the sake of this flag alone?"""
    return bool(record.admin & flag) and effective(record.admin & ~flag) is not record.effective


def _followed(told: Sequence[tuple[ServerRecord, Seen]]) -> Iterator[tuple[ServerRecord, Seen]]:
    """Who is tracked before those that track it, and of these the last declared first, as HAProxy has them."""
    here = {(record.backend, record.name) for record, _ in told}
    followers: dict[tuple[str, str] | None, list[tuple[ServerRecord, Seen]]] = {}
    for record, seen in told:
        leader = record.server.track if record.server.track in here else None
        followers.setdefault(leader, []).append((record, seen))
    ahead = followers.pop(None, [])[::-1]
    while ahead:
        record, seen = ahead.pop()
        yield record, seen
        ahead += followers.pop((record.backend, record.name), [])


class Effects(NamedTuple):
    """What a revision did to the sessions of the one server it was about."""

    requeued: int
    killed: int


class StateLog:
    """Watches the publisher. `log(backend, level, text)` writes a line about a backend."""

    def __init__(
        self,
        ledger: Ledger,
        cells: Sequence[int] | memoryview,
        layout: Layout,
        log: Callable[[Backend, str, str], None],
    ) -> None:
        self._ledger = ledger
        self._cells = cells
        self._at = layout
        self._log = log
        self._known: dict[tuple[str, str], Seen] = {}
        self._served: dict[str, bool] = {}
        self._tables = 0

    def __call__(self, commit: Commit, applied: Applied, source: str) -> None:
        """A revision was applied: tell of every server whose administrative or operational state is another one."""
        changed = [(record, self._known.get((record.backend, record.name))) for record in self._looked_at(commit)]
        for record, _ in changed:
            self._known[record.backend, record.name] = _seen(record)
        told = [(record, before) for record, before in changed if before is not None and before != _seen(record)]
        if source == _START:  # an address out of a state file is the one it begins with
            told = [(record, before) for record, before in told if before.named == namelog.named(record)]
        effects = Effects(applied.requeued, applied.killed) if len(told) == 1 else Effects(0, 0)
        for record, before in _followed(told):
            backend = self._ledger.tables.backends[record.backend_index]
            for line in namelog.changed(record, before.named):
                self._log(backend, 'notice', line)
            for level, line in self._lines(record, before, effects):
                self._log(backend, level, line)
        self._tell_of_backends()
        self._forget()

    def _forget(self) -> None:
        """Names come and go for ever: what is no more is not kept, and tells nothing should it come back."""
        records, tables = self._ledger.records, self._ledger.tables
        if len(self._known) > len(records):
            there = {(record.backend, record.name) for record in records.values()}
            self._known = {key: state for key, state in self._known.items() if key in there}
        if len(self._served) > len(tables.backends):
            self._served = {
                name: served for name, served in self._served.items() if tables.backend_of(name) is not None
            }

    def _looked_at(self, commit: Commit) -> Iterator[ServerRecord]:
        records, backends, tables = self._ledger.records, set(commit.backends), self._ledger.tables
        for index in commit.servers:
            if index in records:
                yield records[index]
        moved = tables.number != self._tables and bool(tables.snapshot.resolvers)
        self._tables = tables.number
        for index, record in records.items():
            if record.backend_index in backends:
                yield record
            elif moved and record.server.lookup is not None and index not in commit.servers:
                yield record  # another address alone is in no cell

    def _lines(self, record: ServerRecord, before: Seen, effects: Effects) -> Iterator[tuple[str, str]]:
        name = f'{"Backup " if record.server.backup else ""}Server {record.backend}/{record.name}'
        now = record.effective
        again = [('notice', line) for line in namelog.resolved(record, before.named)]
        if now is AdminState.MAINT and before.admin is not AdminState.MAINT:
            via = f' via {record.health.via}' if _inherits(record, Admin.IMAINT) else namelog.cause(record)
            if before.opstate is OpState.STOPPED:
                yield 'notice', f'{name} was DOWN and now enters maintenance{via}.'
            else:
                yield 'alert', f'{name} is going DOWN for maintenance{via}. {self._left(record, effects)}'
        elif again:
            yield from again
        elif before.admin is AdminState.MAINT and now is not AdminState.MAINT:
            state = 'DOWN' if record.opstate is OpState.STOPPED else 'UP'
            forced = '' if before.inherited else 'forced '
            wish = 'DRAIN' if now is AdminState.DRAIN else 'READY'
            yield 'notice', f'{name} is {state}/{wish} (leaving {forced}maintenance).'
            if now is AdminState.DRAIN:
                yield 'notice', f'{name} remains in forced drain mode.'
        elif now is not AdminState.MAINT:
            yield from self._moved(record, name, before, effects)
            if now is before.admin:
                return
            if now is AdminState.DRAIN:
                via = f' via {record.health.via}' if _inherits(record, Admin.IDRAIN) else ''
                yield 'notice', f'{name} enters drain state{via}. {self._online(record, effects.requeued)}'
            else:
                state = 'DOWN' if record.opstate is OpState.STOPPED else 'UP'
                yield 'notice', f'{name} is {state} (leaving forced drain).'

    def _moved(self, record: ServerRecord, name: str, before: Seen, effects: Effects) -> Iterator[tuple[str, str]]:
        """What checks did to it, with the reason they gave."""
        if record.opstate is before.opstate or {record.opstate, before.opstate} == _WARMING:
            return
        health = record.health
        reason = f' via {health.via}' if health.tracked is not None else health.reason
        match record.opstate:
            case OpState.STOPPED:
                expected = before.opstate is OpState.STOPPING or before.admin is AdminState.DRAIN
                line = f'{name} is DOWN{reason}. {self._left(record, effects)}'
                yield 'notice' if expected else 'alert', line
            case OpState.STOPPING:
                yield 'notice', f'{name} is stopping{reason}. {self._online(record, effects.requeued)}'
            case _:
                yield 'notice', f'{name} is UP{reason}. {self._online(record, effects.requeued)}'

    def _left(self, record: ServerRecord, effects: Effects) -> str:
        """Those that went down with it (`on-marked-down shutdown-sessions`) were active."""
        sessions = self._cells[self._at.TOTAL + record.index]
        if record.server.shutdown_when_down:
            sessions += effects.killed
        return (
            f'{self._usable(record, "left")} {sessions} sessions active, '
            f'{effects.requeued} requeued, {self._queued(record)} remaining in queue.'
        )

    def _online(self, record: ServerRecord, requeued: int) -> str:
        return f'{self._usable(record, "online")} {requeued} sessions requeued, {self._queued(record)} total in queue.'

    def _usable(self, record: ServerRecord, are: str) -> str:
        cells, at = self._cells, self._at
        active, backup = cells[at.ACTIVE_UP + record.backend_index], cells[at.BACKUP_UP + record.backend_index]
        on_backup = ' Running on backup.' if backup and not active else ''
        return f'{active} active and {backup} backup servers {are}.{on_backup}'

    def _queued(self, record: ServerRecord) -> int:
        return int(queued(self._cells, self._at, record.index))

    def _tell_of_backends(self) -> None:
        """The last usable server of a backend, or of a `listen` (whose two halves have one id), went."""
        tables = self._ledger.tables
        for index, backend in tables.backends.items():
            served = bool(self._cells[self._at.IN_ROTATION + index])
            if self._served.get(backend.name) and not served:
                front = tables.frontend_of(backend.name)
                listens = front is not None and tables.frontends[front].id == backend.id
                text = f'{"proxy" if listens else "backend"} {backend.name} has no server available!'
                self._log(backend, 'emerg', text)
            self._served[backend.name] = served
