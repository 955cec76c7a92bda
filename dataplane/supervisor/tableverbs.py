"""What the commands about stick tables do: `show table`, `set table` and `clear table`.

Each entry is looked at in a hold of its own, so a dump is no picture of one moment: what comes or goes meanwhile may be in it or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dataplane.cli import tables
from dataplane.cli.session import Answer, Complaint, Session, Severity
from dataplane.core.model import Level
from dataplane.core.stick.serverkey import mark_of, text_of
from dataplane.stick import Busy

if TYPE_CHECKING:
    from dataplane.cli.tables import Request
    from dataplane.core.model import Server
    from dataplane.core.stick.definition import Definition
    from dataplane.stick import StickTable
    from dataplane.supervisor.wait import Patience

MOST: Final = 100_000
"""Entries of one dump: an answer is made as a whole."""
_TURN: Final = 16
_NOT_DUMPED: Final = '# contents not dumped due to insufficient privileges'


class TableVerbs:
    """The verbs, for `Verbs`. `stick_tables` gives the tables in force, by name, in the order of the file; `stick_servers` all servers, of
    which some may be known there.
    """

    stick_tables: Callable[[], Mapping[str, StickTable]] = dict
    stick_servers: Callable[[], Iterable[Server]] = tuple

    def _definitions(self) -> dict[str, Definition]:
        return {name: table.definition for name, table in self.stick_tables().items()}

    def _stick_table(self, request: Request) -> StickTable:
        """Looked up anew after every await: another configuration may be in force."""
        table = self.stick_tables().get(request.definition.name)
        if table is None or table.definition != request.definition:
            raise Complaint(tables.NO_TABLE)
        return table

    def _known_servers(self, definition: Definition) -> dict[int, str]:
        """What a table's marks of servers mean."""
        if all(data.name != 'server_key' for data in definition.stores):
            return {}
        kind = definition.srvkey
        known = {text_of(kind, server.name, server.host, server.port) for server in self.stick_servers()}
        return {mark_of(text): text for text in known}

    async def _show_table(self, words: Sequence[str], session: Session, _: Patience) -> Answer:
        try:
            if not words:
                known = reversed(tuple(self.stick_tables().values()))
                return _lines([tables.head(table.definition, table.size()[0]) for table in known])
            request = tables.parse('show', words, self._definitions())
            return _lines(await self._shown(request, allowed=session.may(Level.OPERATOR)))
        except Busy as busy:
            raise Complaint(f'{busy}; try again.') from busy

    async def _shown(self, request: Request, *, allowed: bool) -> list[str]:
        table = self._stick_table(request)
        if request.key is not None:
            if not allowed:
                raise Complaint('Permission denied')
            row = table.row(request.key)
            if row is None:
                return []
            line = tables.line(table.definition, request.key, row, self._known_servers(table.definition))
            return [tables.head(table.definition, table.size()[0]), line]
        found, servers = [tables.head(table.definition, table.size()[0])], self._known_servers(table.definition)
        if not allowed:
            return [*found, _NOT_DUMPED]
        for part in range(table.layout.shards):
            for looked, key in enumerate(await self._keys(request, part), start=1):
                if looked % _TURN == 0:
                    await asyncio.sleep(0)
                row = self._stick_table(request).row(key)
                if row is None or not request.wants(row[3]):
                    continue
                if len(found) > MOST:
                    return [*found, f'# there are more than these {MOST}: filter them']
                found.append(tables.line(table.definition, key, row, servers))
        return found

    async def _keys(self, request: Request, part: int) -> list[bytes]:
        """The keys of one part of a table, in their order."""
        found: list[bytes] = []
        first = 0
        while first >= 0:
            keys, first = self._stick_table(request).keys(part, first)
            found += keys
            await asyncio.sleep(0)
        return sorted(found)

    async def _set_table(self, words: Sequence[str], _session: Session, _: Patience) -> Answer:
        try:
            if not words:
                raise tables.usage('set')
            request = tables.parse('set', words, self._definitions())
            assert request.key is not None
            if self._stick_table(request).put(request.key, request.values, make=True) is None:
                raise Complaint(tables.NO_ROOM)
        except Busy as busy:
            raise Complaint(f'{busy}; try again.') from busy
        return Answer()

    async def _clear_table(self, words: Sequence[str], _session: Session, _: Patience) -> Answer:
        try:
            if not words:
                raise tables.usage('clear')
            request = tables.parse('clear', words, self._definitions())
            if request.key is not None:
                if self._stick_table(request).drop(request.key) is False:
                    raise Complaint(tables.IN_USE)
                return Answer()
            await self._cleared(request)
        except Busy as busy:
            raise Complaint(f'{busy}; try again.') from busy
        return Answer()

    async def _cleared(self, request: Request) -> None:
        """Entries that somebody tracks stay, as they do for HAProxy."""
        for part in range(self._stick_table(request).layout.shards):
            for done, key in enumerate(await self._keys(request, part), start=1):
                table = self._stick_table(request)
                row = table.row(key) if request.filters else None
                if not request.filters or (row is not None and request.wants(row[3])):
                    table.drop(key)
                if done % _TURN == 0:
                    await asyncio.sleep(0)


def _lines(lines: Sequence[str]) -> Answer:
    return Answer('\n'.join(lines), Severity.SILENT)
