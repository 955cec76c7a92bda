"""What `add server`, `del server`, `set server ... name` and `wait ... srv-removable` do: servers that join and leave at run time.

They are changes like any other: handed to the publisher, which makes them true on all workers or on none. A server that was
added is known to workers that start later, too, and is forgotten when the configuration is read again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dataplane.cli import arguments
from dataplane.cli.session import Answer, Complaint, Severity
from dataplane.config.dynamic import read_server, words_for_servers
from dataplane.config.naming import check_name
from dataplane.config.problems import Rejected
from dataplane.core.changes import AddServer, Change, RemoveServer, RenameServer
from dataplane.core.dynamic import NOT_IN_MAINTENANCE, POINTED_TO, is_pointed_to
from dataplane.core.ledger import ServerRecord
from dataplane.core.model import AdminState
from dataplane.supervisor.figures import Figures

_ATTACHED = 'Server still has connections attached to it, cannot remove it.'


class ServerVerbs:
    """The methods of these commands; whoever has them finds names and submits changes."""

    _figures: Figures
    _backend: Callable[[str], int]
    _server: Callable[[str], ServerRecord]
    _submit: Callable[[Change], Awaitable[Answer]]

    async def _add_server(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        if words == ('help',):
            lines = ('List of keywords supported for dynamic servers:', *words_for_servers())
            return Answer('\n'.join(lines), Severity.INFO)
        backend_word, name = arguments.server_path(words[0] if words else '')
        backend = self._figures.tables.backends[self._backend(backend_word)]
        try:
            server, warnings = read_server(backend, name, words[1:], self._settings)
        except Rejected as problem:
            raise Complaint(str(problem)) from None
        answer = await self._submit(AddServer(backend.name, server))
        return said((*warnings, 'New server registered.'), answer)

    def _settings(self, backend: str) -> tuple[str, ...] | None:
        """What the `default-server` lines of a backend add up to."""
        tables = self._figures.tables
        index = tables.backend_of(backend)
        return None if index is None else tables.backends[index].default_server

    async def _del_server(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        word = words[0] if words else ''
        reason = self._hindrance(word)
        if reason:
            raise Complaint(reason)
        record = self._server(word)
        answer = await self._submit(RemoveServer(record.backend, record.name))
        return said(('Server deleted.',), answer)

    async def _rename(self, record: ServerRecord, name: str) -> Answer:
        if not name:
            raise Complaint('set server <b>/<s> name requires a name.')
        try:
            check_name(name, 'server')
        except Rejected as problem:
            raise Complaint(str(problem)) from None
        answer = await self._submit(RenameServer(record.backend, record.name, name))
        return said(('Server name updated.',), answer)

    def _hindrance(self, word: str) -> str:
        """Why a server cannot be removed yet, '' when it can. Raises Complaint when waiting will not help."""
        record = self._server(word)
        if is_pointed_to(self._figures.tables, (record.backend, record.name)):
            raise Complaint(POINTED_TO)
        if record.effective is not AdminState.MAINT:
            raise Complaint(NOT_IN_MAINTENANCE)
        return _ATTACHED if self._figures.attached(record.index) else ''


def said(lines: tuple[str, ...], answer: Answer) -> Answer:
    """What was done, and behind it what the change itself had to tell (workers that did not confirm it)."""
    if not answer.text:
        return Answer('\n'.join(lines), Severity.INFO)
    return Answer('\n'.join((*lines, answer.text)), answer.severity)
