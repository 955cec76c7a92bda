"""What the commands about figures do: `show stat`, `dump stats-file`, `show info`, `show schema json`, `clear counters`, `show errors`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from dataplane.cli import errors, info, resolvers, stat, statsfile
from dataplane.cli.resolvers import NameserverRow
from dataplane.cli.schema import show_schema
from dataplane.cli.session import Answer, Complaint, Session, Severity
from dataplane.core.model import Level
from dataplane.supervisor.asking import Workers
from dataplane.supervisor.figures import Figures
from dataplane.supervisor.pacing import gather
from dataplane.supervisor.questions import unanswered
from dataplane.supervisor.statsfile import guids

if TYPE_CHECKING:
    from dataplane.core.ledger import ServerRecord
    from dataplane.core.tables import Tables
    from dataplane.supervisor.naming.desk import Names

_Words = tuple[str, ...]


class Counters(Protocol):
    """Who can begin counters anew. Both return the workers that did not say that they have."""

    async def all(self, *, everything: bool) -> tuple[int, ...]:
        """Clear the maxima, or `everything`."""

    async def server(self, index: int) -> tuple[int, ...]:
        """Clear what was counted of one server."""


class StatVerbs:
    """The methods of these commands."""

    _figures: Figures
    _workers: Workers
    _counters: Counters
    names: Names | None
    _nameservers: Callable[[], list[NameserverRow]]
    _server: Callable[[str], ServerRecord]

    async def _show_stat(self, words: _Words, session: Session, _patience: object) -> Answer:
        request = stat.parse(words)
        if request.resolvers:
            return Answer(resolvers.show_stat(self._nameservers(), request))
        rows = stat.select(await gather(self._figures.rows()), request)
        written = await gather(stat.parts(rows, request, legends=session.may(Level.OPERATOR)))
        return Answer(stat.assemble(written, request))

    async def _dump_stats_file(self, _words: _Words, _session: object, _patience: object) -> Answer:
        rows = await gather(self._figures.rows())
        return Answer(statsfile.write(rows, guids(self._figures.tables)))

    async def _show_info(self, words: _Words, _session: object, _patience: object) -> Answer:
        request = info.parse(words)
        values = self._figures.info()
        if request.floats:
            values['Uptime_sec'] = self._figures.uptime_ms() / 1000
        return Answer(info.render(values, request))

    async def _show_schema_json(self, _words: _Words, _session: object, _patience: object) -> Answer:
        return Answer(show_schema())

    async def _clear_counters(self, words: _Words, session: Session, _patience: object) -> Answer:
        what = words[0] if words else ''
        if what in ('all', 'server') and not session.may(Level.ADMIN):
            raise Complaint('Permission denied')
        if what == 'server':
            record = self._server(words[1] if len(words) > 1 else '')
            silent = await self._counters.server(record.index)
            said = 'Server counters cleared.'
            return Answer(f'{said}\n{unanswered(silent)}' if silent else said, Severity.INFO)
        silent = await self._counters.all(everything=what == 'all')
        if what == 'all' and self.names is not None:
            self.names.clear()
        return Answer(unanswered(silent), Severity.WARNING) if silent else Answer()

    async def _show_errors(self, words: _Words, _session: object, _patience: object) -> Answer:
        request = errors.parse(words, _numbers(self._figures.tables))
        found = await self._workers.ask('errors')
        total = sum(int(answer['total']) for answer in found.said)
        faults: Iterable[errors.Fault] = errors.select(found.rows, request)
        lines = await gather(errors.show_errors(faults, total, self._figures.wall(), self._figures.workers))
        if found.silent:
            lines.append(f'# {unanswered(found.silent)}')
        return Answer('\n'.join(lines))


def _numbers(tables: Tables) -> dict[str, int]:
    """Numbers of all proxies by name; both halves of a `listen` have the same."""
    found = {frontend.name: frontend.id for frontend in tables.frontends.values()}
    return found | {backend.name: backend.id for backend in tables.backends.values()}
