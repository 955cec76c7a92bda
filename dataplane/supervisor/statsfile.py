"""At the start: counters go on from what a stats-file says they were. And whose counters `dump stats-file` writes.

What was counted is put into the departed row, as if a worker that is no more had counted it; what the supervisor itself counts
(failed checks, times that servers and backends went down) goes to who counts that. Rates describe a second that is over, and since
when a server is in its state is for its server-state file to say: neither is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableSequence
from typing import TYPE_CHECKING, Final

from dataplane.cli.stat import Kind as RowKind
from dataplane.cli.statsfile import Key, Saved, ignored, read
from dataplane.core.counters import C
from dataplane.core.guids import Holder, Kind, holders
from dataplane.supervisor.sources import read_file
from dataplane.supervisor.tally import BACK, COMMON, FRONT

if TYPE_CHECKING:
    from dataplane.core.layout import Layout
    from dataplane.core.ledger import Ledger
    from dataplane.core.tables import Tables
    from dataplane.supervisor.checkfigures import CheckFigures
    from dataplane.supervisor.outages import Outages

MOST: Final = 64 << 20
"""Bytes of a stats-file: 200 for each of 300,000 rows."""
_SAME: Final = ('req_tot', 'h1sess', 'h1req', 'reqbin', 'resbout', 'reqbout', 'resbin')
"""Columns that show again what another one shows, and `req_tot`, which is read in a way of its own."""
_FRONT: Final = {name: counter for name, counter in (*COMMON, *FRONT) if name not in _SAME}
_BACK: Final = {name: counter for name, counter in (*COMMON, *BACK, ('dreq', C.DREQ)) if name not in _SAME}
_REQUESTS: Final = ('req_other', 'h1req', 'h2req', 'h3req')
_FRONTS: Final = (Kind.FRONTEND, Kind.LISTENER)


def guids(tables: Tables) -> dict[Key, str]:
    """The guids of all that has rows in `show stat`, by what tells these rows apart."""
    found: dict[Key, str] = {}
    for frontend in tables.frontends.values():
        found[RowKind.FRONTEND, frontend.id, 0] = frontend.guid
        for bind in frontend.binds:
            found[RowKind.LISTENER, frontend.id, bind.id] = bind.guid
    for index, backend in tables.backends.items():
        found[RowKind.BACKEND, backend.id, 0] = backend.guid
        for server in tables.members[index]:
            found[RowKind.SERVER, backend.id, tables.servers[server].id] = tables.servers[server].guid
    return {key: guid for key, guid in found.items() if guid}


class KeptCounters:
    """Puts what was kept where it is counted on. One per data plane; `wall` gives wall-clock seconds."""

    def __init__(
        self,
        cells: MutableSequence[int],
        layout: Layout,
        ledger: Ledger,
        *,
        checks: CheckFigures,
        outages: Outages,
        wall: Callable[[], float],
    ) -> None:
        self._cells, self._at, self._ledger = cells, layout, ledger
        self._checks, self._outages, self._wall = checks, outages, wall

    async def restore(self, path: str, log: Callable[[str, str], None]) -> None:
        """Take over what the file says of whatever has a guid by now. What of it cannot be used is told as a warning."""
        try:
            text = (await asyncio.to_thread(read_file, path, MOST)).decode('utf-8', 'surrogateescape')
        except OSError:
            log('warning', f"config: Can't load stats-file '{path}': cannot open file.")
            return
        saved, told = read(text, path)
        told += [ignored(line, path) for line in self._apply(saved)]
        for warning in told:
            log('warning', warning)

    def _apply(self, rows: list[Saved]) -> list[int]:
        """Returns the lines that are about something of the other table. Of two rows with one guid the later one counts."""
        known: dict[tuple[bool, str], Holder] = {}
        for guid, holder in holders(self._ledger.tables):
            known[holder.kind in _FRONTS, guid] = holder
        wrong: list[int] = []
        for row in {(row.front, row.guid): row for row in rows}.values():
            own, other = known.get((row.front, row.guid)), known.get((not row.front, row.guid))
            if own is not None:
                self._put(own, row.values)
            elif other is not None and other.kind in (Kind.LISTENER, Kind.SERVER):
                wrong.append(row.line)
        return wrong

    def _put(self, holder: Holder, values: Mapping[str, int]) -> None:
        at, index = self._at, holder.index
        first = {
            Kind.FRONTEND: at.frontend_counters,
            Kind.LISTENER: at.listener_counters,
            Kind.BACKEND: at.backend_counters,
            Kind.SERVER: at.server_counters,
        }[holder.kind](at.departed, index)
        for name, counter in (_FRONT if holder.kind in _FRONTS else _BACK).items():
            self._cells[first + counter] += values.get(name, 0)
        self._cells[first + C.REQ_TOT] += _requests(values)
        if 'lastsess' in values:
            last = int(self._wall()) - values['lastsess']
            self._cells[first + C.LASTSESS] = max(self._cells[first + C.LASTSESS], last, 0)
        if holder.kind is Kind.SERVER:
            self._checks.restore(
                index,
                failures=values.get('chkfail', 0),
                errors=values.get('hanafail', 0),
                downs=values.get('chkdown', 0),
            )
        elif holder.kind is Kind.BACKEND:
            self._outages.restore(self._ledger.tables.backends[index].name, values.get('chkdown', 0))


def _requests(values: Mapping[str, int]) -> int:
    """Requests: of a frontend by their protocols, where the file has these, for HAProxy writes something else as their sum."""
    if any(name in values for name in _REQUESTS):
        return sum(values.get(name, 0) for name in _REQUESTS)
    return values.get('req_tot', 0)
