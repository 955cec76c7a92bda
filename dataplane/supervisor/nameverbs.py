"""What the commands about names of servers do: `set server ... fqdn`, `show resolvers`, `show stat domain resolvers`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from dataplane.cli.resolvers import NameserverRow, show_resolvers
from dataplane.cli.session import Answer, Complaint, Severity
from dataplane.core.changes import Change, Rename

if TYPE_CHECKING:
    from dataplane.core.ledger import ServerRecord
    from dataplane.supervisor.figures import Figures
    from dataplane.supervisor.naming.desk import Names

_Words = tuple[str, ...]
_BY: Final = "by 'stats socket command'"
_LABEL: Final = '[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
_NAME: Final = re.compile(rf'{_LABEL}(?:\.{_LABEL})*\.?', re.ASCII)
_LONGEST: Final = 253


class NameVerbs:
    """The methods of these commands; whoever has them finds servers and submits changes. `names`: who asks nameservers."""

    names: Names | None = None
    _figures: Figures
    _submit: Callable[[Change], Awaitable[Answer]]

    def _nameservers(self) -> list[NameserverRow]:
        rows = () if self.names is None else self.names.rows()
        return [NameserverRow(row.section, row.nameserver, row.counts.values()) for row in rows]

    async def _show_resolvers(self, words: _Words, _session: object, _patience: object) -> Answer:
        sections = [section.name for section in self._figures.tables.snapshot.resolvers]
        return Answer(show_resolvers(self._nameservers(), sections, ''.join(words[:1])))

    async def _set_fqdn(self, record: ServerRecord, fqdn: str) -> Answer:
        """Another host name to ask for; the address stays until there is an answer."""
        lookup, what = record.server.lookup, 'set server <b>/<s> fqdn'
        if not fqdn:
            raise Complaint(f'{what} requires a FQDN.')
        if lookup is None:
            raise Complaint(f'{what} failed because no resolution is configured.')
        if lookup.is_service:
            raise Complaint(f'{what} failed because SRV resolution is configured.')
        if fqdn == lookup.host:
            return Answer(f'no need to change the FDQN {_BY}', Severity.WARNING)
        if not _NAME.fullmatch(fqdn) or len(fqdn) > _LONGEST:
            return Answer(f"invalid fqdn '{fqdn[:_LONGEST]}' {_BY}", Severity.WARNING)
        said = f'{record.backend}/{record.name} changed its FQDN from {lookup.host} to {fqdn} {_BY}'
        answer = await self._submit(Rename(record.backend, record.name, fqdn))
        return Answer(f'{said}\n{answer.text}' if answer.text else said, Severity.WARNING)
