"""What the commands of the stats socket do: the one interpreter between `dataplane.cli` and the supervisor.

Every change goes through the publisher and is answered when all live workers have applied it; the answer names those that
could not. Nothing is decided here before an await and trusted after it: names are looked up, the change is handed over, and
the ledger looks again. Dumps let other callbacks of the loop run every few rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from dataplane.cli import arguments, commands, servers, sessions
from dataplane.cli.aids import Pool
from dataplane.cli.commands import Verb
from dataplane.cli.grammar import Command
from dataplane.cli.session import Answer, Complaint, Session, Severity, SeverityOutput
from dataplane.core import weight
from dataplane.core.changes import (
    Change,
    SetAddress,
    SetAdmin,
    SetGlobalMaxconn,
    SetMaxconn,
    SetWeight,
    ShutdownSessions,
)
from dataplane.core.compose import Refused
from dataplane.core.ledger import Ledger, ServerRecord
from dataplane.core.model import AdminState, Level, Origin, StatsSocket
from dataplane.core.naming import lacks_address
from dataplane.supervisor import healthverbs
from dataplane.supervisor.aids import AidVerbs, Surroundings
from dataplane.supervisor.asking import Workers
from dataplane.supervisor.backendverbs import BackendVerbs
from dataplane.supervisor.cookieverbs import CookieVerbs
from dataplane.supervisor.figures import Figures
from dataplane.supervisor.frontverbs import Doors, FrontVerbs
from dataplane.supervisor.healthverbs import HealthVerbs
from dataplane.supervisor.mapverbs import VERBS as MAP_VERBS
from dataplane.supervisor.mapverbs import Method as MapMethod
from dataplane.supervisor.nameverbs import NameVerbs
from dataplane.supervisor.pacing import gather
from dataplane.supervisor.questions import unanswered
from dataplane.supervisor.serververbs import ServerVerbs
from dataplane.supervisor.statverbs import Counters, StatVerbs
from dataplane.supervisor.tableverbs import TableVerbs
from dataplane.supervisor.wait import Patience, wait_for

if TYPE_CHECKING:
    from dataplane.core.tables import Tables

SET_SERVER_USAGE: Final = (
    'usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr | check-port | '
    'fqdn | health | name | ssl | state | weight'
)
_STATE_USAGE: Final = "'set server <srv> state' expects 'ready', 'drain' and 'maint'."


class Applied(Protocol):
    """What the publisher says of a change that was made."""

    @property
    def missing(self) -> Sequence[int]:
        """Workers that did not confirm it: dead meanwhile, or standing still."""


class Publisher(Protocol):
    """The one door for changes."""

    @property
    def ledger(self) -> Ledger:
        """The supervisor's truth."""

    async def submit(self, changes: Sequence[Change], *, source: str) -> Applied:
        """Make the changes on all workers. Raises Refused."""


class Verbs(
    HealthVerbs, ServerVerbs, BackendVerbs, TableVerbs, FrontVerbs, NameVerbs, StatVerbs, AidVerbs, CookieVerbs
):
    """One method per verb. `wall_ms` is wall-clock ms, from which session generations are made."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        workers: Workers,
        figures: Figures,
        counters: Counters,
        doors: Doors,
        around: Surroundings,
        pools: Callable[[], Sequence[Pool]],
        wall_ms: Callable[[], int],
    ) -> None:
        self.sockets: tuple[StatsSocket, ...] = ()
        self.maps: dict[Verb, MapMethod] = {}
        self._publisher, self._workers, self._figures = publisher, workers, figures
        self._counters, self._doors, self._around = counters, doors, around
        self._pools, self._wall_ms = pools, wall_ms
        verbs = [entry.verb for entry in (*commands.COMMANDS, *commands.ALWAYS) if entry.verb not in MAP_VERBS]
        self._methods: Final[dict[Verb, _Method]] = {verb: getattr(self, f'_{verb.name.lower()}') for verb in verbs}

    async def run(self, command: Command, session: Session, patience: Patience) -> Answer:
        """Do one command and say what is to be said. `patience` tells whether the client still waits for the answer."""
        entry = commands.find(command.words)
        if entry is None:
            return commands.unknown(command.words)
        try:
            if not session.may(entry.level):
                raise Complaint('Permission denied')
            words = command.words[len(entry.words) :]
            on_maps = self.maps.get(entry.verb)
            if on_maps is not None:
                return await on_maps(command, words, session)
            return await self._methods[entry.verb](words, session, patience)
        except Complaint as complaint:
            return complaint.answer
        except Refused as refused:
            return Answer('\n'.join(refused.problems), Severity.ERROR)

    # -- names ------------------------------------------------------------------------------------------------------

    @property
    def _tables(self) -> Tables:
        return self._publisher.ledger.tables

    def _backend(self, word: str, unknown: str = 'No such backend.') -> int:
        """Index of a backend by its name or `#id`."""
        tables = self._tables
        index = tables.backend_of(word)
        if index is None and word[:1] == '#':
            index = next((index for index, backend in tables.backends.items() if f'#{backend.id}' == word), None)
        if index is None:
            raise Complaint(unknown)
        return index

    def _server(self, word: str) -> ServerRecord:
        """A server by `backend/server`, each a name or `#id`."""
        backend_word, server_word = arguments.server_path(word)
        backend = self._backend(backend_word)
        tables = self._tables
        if tables.backends[backend].disabled:
            raise Complaint('Proxy is disabled.')
        index = tables.server_of(tables.backends[backend].name, server_word)
        if index is None and server_word[:1] == '#':
            members = tables.members[backend]
            index = next((index for index in members if f'#{tables.servers[index].id}' == server_word), None)
        if index is None:
            raise Complaint('No such server.')
        return self._publisher.ledger.records[index]

    def _backends(self, word: str) -> list[int]:
        """The backend named, or all of them, by their numbers."""
        if word:
            return [self._backend(word, "Can't find backend.")]
        return sorted(self._tables.backends, key=lambda index: self._tables.backends[index].id)

    # -- changes ----------------------------------------------------------------------------------------------------

    async def _submit(self, change: Change) -> Answer:
        applied = await self._publisher.submit([change], source='cli')
        if not applied.missing:
            return Answer()
        names = ', '.join(str(worker) for worker in applied.missing)
        return Answer(f'Applied, but not confirmed by worker {names}.', Severity.WARNING)

    async def _set_state(self, record: ServerRecord, state: AdminState) -> Answer:
        """Ask for a state; say so when the control plane's wish keeps the server in a stricter one."""
        answer = await self._submit(SetAdmin(record.backend, record.name, state))
        index = self._tables.server_of(record.backend, record.name)  # what was known before is of no use by now
        pushed = AdminState.READY if index is None else self._publisher.ledger.records[index].wished(Origin.PUSH)
        if answer.text or _STRICTNESS[pushed] <= _STRICTNESS[state]:
            return answer
        name = f'{record.backend}/{record.name}'
        return Answer(f'{name} stays in {pushed}, as the control plane asks.', Severity.WARNING)

    async def _disable_server(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        return await self._set_state(self._server(_word(words, 0)), AdminState.MAINT)

    async def _enable_server(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        return await self._set_state(self._server(_word(words, 0)), AdminState.READY)

    async def _set_server(self, words: _Words, session: Session, patience: Patience) -> Answer:
        record = self._server(_word(words, 0))
        match words[1:2]:
            case ('state',):
                try:
                    state = AdminState(_word(words, 2))
                except ValueError:
                    raise Complaint(_STATE_USAGE) from None
                return await self._set_state(record, state)
            case ('weight',):
                return await self._set_weight((words[0], *words[2:]), session, patience)
            case ('addr',):
                return await self._set_address(record, words[2:])
            case ('name',):
                return await self._rename(record, _word(words, 2))
            case ('fqdn',):
                return await self._set_fqdn(record, _word(words, 2))
            case ('ssl',):
                raise Complaint("'set server <srv> ssl' cannot be set.  default-server should define ssl settings")
            case (word,) if word in healthverbs.SET_WORDS:
                return await self._submit(healthverbs.setting(record, word, words[2:]))
        raise Complaint(SET_SERVER_USAGE)

    async def _set_weight(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        record = self._server(_word(words, 0))
        try:
            value, percent = weight.parse(_word(words, 1))
        except ValueError as problem:
            raise Complaint(str(problem)) from None
        return await self._submit(SetWeight(record.backend, record.name, value, percent))

    async def _get_weight(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        record = self._server(_word(words, 0))
        return Answer(f'{record.uweight} (initial {record.iweight})')

    async def _set_address(self, record: ServerRecord, words: _Words) -> Answer:
        host, port = arguments.address(words)
        old = record.server
        if lacks_address(old):
            text = 'Update for the current server address family is only supported through configuration file'
            return Answer(f"{text} by 'stats socket command'", Severity.WARNING)
        changes = []
        if host != old.host:
            changes.append(f"IP changed from '{old.host}' to '{host}'")
        if port is not None and port != old.port:
            changes.append(f"port changed from '{old.port}' to '{port}'")
        if not changes:
            return Answer('nothing changed', Severity.WARNING)
        answer = await self._submit(SetAddress(record.backend, record.name, host, port))
        said = f"{', '.join(changes)} by 'stats socket command'"
        return Answer(f'{said}\n{answer.text}' if answer.text else said, Severity.WARNING)

    async def _set_maxconn_server(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        record = self._server(_word(words, 0))
        return await self._submit(SetMaxconn(record.backend, record.name, arguments.server_maxconn(_word(words, 1))))

    async def _set_maxconn_global(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        most = self._tables.snapshot.globals.maxconn
        return await self._submit(SetGlobalMaxconn(arguments.global_maxconn(_word(words, 0), most=most)))

    async def _shutdown_sessions_server(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        record = self._server(_word(words, 0))
        generation = max(record.generation + 1, self._wall_ms())
        return await self._submit(ShutdownSessions(record.backend, record.name, generation))

    async def _shutdown_session(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        found, silent = await self._workers.kill_session(arguments.session_pointer(_word(words, 0)))
        if not found:
            raise Complaint(unanswered(silent) or "No such session (use 'show sess').")
        return Answer()

    # -- questions --------------------------------------------------------------------------------------------------

    async def _show_servers_state(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        rows = await gather(self._figures.server_states(self._backends(_word(words, 0))))
        return Answer(servers.show_state(rows))

    async def _show_servers_conn(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        rows = await gather(self._figures.server_connections(self._backends(_word(words, 0))))
        return Answer(servers.show_connections(rows, self._figures.workers))

    async def _show_sess(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        request = self._known_to_sess(sessions.parse_sess(words))
        found = await self._workers.sessions()
        missing = unanswered(found.silent)
        lines = await gather(sessions.session_lines(found.rows, request, missing=missing))
        return Answer('\n'.join(lines), Severity.WARNING) if missing else Answer('\n'.join(lines))

    def _known_to_sess(self, request: sessions.SessRequest) -> sessions.SessRequest:
        """With the names of what was given by number. Raises Complaint for what there is none of."""
        tables = self._tables
        if request.backend:
            request = replace(request, backend=tables.backends[self._backend(request.backend)].name)
        if request.frontend:
            request = replace(request, frontend=self._frontend((request.frontend,)).name)
        if request.server:
            record = self._server(request.server)
            request = replace(request, server=f'{record.backend}/{record.name}')
        return request

    async def _show_backend(self, _words: _Words, _session: Session, _patience: Patience) -> Answer:
        return Answer(servers.show_backends(self._tables.backends[index].name for index in self._backends('')))

    async def _show_default_server(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        backends = self._backends(_word(words, 0))
        return Answer('\n'.join(f'* {self._tables.backends[index].name}' for index in backends))

    async def _show_version(self, _words: _Words, _session: Session, _patience: Patience) -> Answer:
        return Answer(self._figures.identity.version, Severity.INFO)

    async def _show_cli_level(self, _words: _Words, session: Session, _patience: Patience) -> Answer:
        return Answer(session.level, Severity.INFO)

    async def _show_cli_sockets(self, _words: _Words, _session: Session, _patience: Patience) -> Answer:
        return Answer(servers.show_sockets(self.sockets))

    async def _help(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        return commands.help_text(words)

    async def _echo(self, words: _Words, _session: Session, _patience: Patience) -> Answer:
        return Answer(' '.join(words), Severity.INFO)

    async def _wait(self, words: _Words, _session: Session, patience: Patience) -> Answer:
        return await wait_for(words, patience, self._hindrance_of)

    # -- the session itself -----------------------------------------------------------------------------------------

    async def _prompt(self, words: _Words, session: Session, _patience: Patience) -> Answer:
        session.change_mode(words)
        return Answer()

    async def _quit(self, _words: _Words, session: Session, _patience: Patience) -> Answer:
        session.ended = True
        return Answer()

    async def _operator(self, _words: _Words, session: Session, _patience: Patience) -> Answer:
        session.lower(Level.OPERATOR)
        return Answer()

    async def _user(self, _words: _Words, session: Session, _patience: Patience) -> Answer:
        session.lower(Level.USER)
        return Answer()

    async def _expert_mode(self, words: _Words, session: Session, _patience: Patience) -> Answer:
        session.expert, answer = _switch('expert-mode', words, is_on=session.expert)
        return answer

    async def _experimental_mode(self, words: _Words, session: Session, _patience: Patience) -> Answer:
        session.experimental, answer = _switch('experimental-mode', words, is_on=session.experimental)
        return answer

    async def _set_severity_output(self, words: _Words, session: Session, _patience: Patience) -> Answer:
        try:
            session.severity = SeverityOutput(_word(words, 0))
        except ValueError:
            raise Complaint("one of 'none', 'number', 'string' is a required argument") from None
        return Answer()

    async def _set_timeout(self, words: _Words, session: Session, _patience: Patience) -> Answer:
        if words[:1] != ('cli',):
            raise Complaint("'set timeout' only supports 'cli'.")
        session.timeout_ms = arguments.cli_timeout(_word(words, 1))
        return Answer()


_Words = tuple[str, ...]
_Method = Callable[[_Words, Session, Patience], Awaitable[Answer]]
_STRICTNESS: Final = {AdminState.READY: 0, AdminState.DRAIN: 1, AdminState.MAINT: 2}


def _word(words: _Words, index: int) -> str:
    return words[index] if index < len(words) else ''


def _switch(name: str, words: _Words, *, is_on: bool) -> tuple[bool, Answer]:
    """`NAME [on|off]`: the new position, and what is said when it is only asked for."""
    if words[:1] in {('on',), ('off',)}:
        return words[0] == 'on', Answer()
    return is_on, Answer(f'{name} is {"ON" if is_on else "OFF"}', Severity.INFO)
