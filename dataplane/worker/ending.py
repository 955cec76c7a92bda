"""The end of a request: its figures and its line in the log, from what the exchange noted on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.core.counters import C
from dataplane.core.layout import NOBODY
from dataplane.core.termination import DONE, OUTCOMES, SERVER_CLOSED_DATA, Termination, Who
from dataplane.rules.writing import for_capture
from dataplane.wire.syslog import LEVELS
from dataplane.worker.httplog import http_line, request_line
from dataplane.worker.logbook import Entry, write_entry
from dataplane.worker.tracking import count_unserved

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.worker.context import Context
    from dataplane.worker.cookies import Ticket
    from dataplane.worker.halves import ClientEnd
    from dataplane.worker.transaction import Transaction

BADREQ: Final = '<BADREQ>'
NOSRV: Final = '<NOSRV>'
_FRONTEND_ONLY: Final = frozenset((C.EREQ, C.INTERCEPTED))
_BACKEND_ONLY: Final = frozenset((C.ECON, C.ERESP))
_UNLOGGED_STATUS: Final = 500
_ERR: Final = LEVELS.index('err')


class Story:
    """What is known of one request when it ends. Times are ms, -1 where it never got that far; `backend`, `server`,
    `frontend` are indexes (NOBODY: none). `reached` is set once a server was chosen, and stays when it was left again; `counter`
    is what a rule counts instead of the termination; `ruled` what rules saw, where there are any.
    """

    __slots__ = (
        'active', 'ahead', 'backend', 'backend_name', 'connect_ms', 'cookie', 'counter', 'frontend', 'logged', 'method', 'reached', 'received',
        'redispatched', 'request_ms', 'response_ms', 'retries', 'ruled', 'sent', 'server', 'server_name', 'status', 'target',
        'version', 'wait_ms', 'wall',
    )  # fmt: skip

    def __init__(self, frontend: int, wall: float) -> None:
        self.frontend = frontend
        self.backend = NOBODY
        self.server = NOBODY
        self.backend_name = ''
        self.server_name = NOSRV
        self.cookie: Ticket | None = None
        self.counter: C | None = None
        self.ruled: Transaction | None = None
        self.wall = wall
        self.request_ms = self.wait_ms = self.connect_ms = self.response_ms = -1
        self.active = 0
        self.status = -1
        self.received = self.sent = 0
        self.retries = 0
        self.redispatched = False
        self.reached = self.logged = False
        self.ahead = (0, 0)
        self.method = self.target = b''
        self.version = 1

    def asked(self, method: bytes, target: bytes, version: int) -> None:
        """The request line is known."""
        self.method, self.target, self.version = method, target, version

    @property
    def line(self) -> str:
        """The request line as it is shown to people."""
        return request_line(self.method, self.target, self.version) if self.method else BADREQ

    def is_normal(self, end: Termination | None) -> bool:
        """`option dontlog-normal`: complete, or still under way (None), at the first try, and not a server error."""
        if self.retries or self.redispatched or self.status >= _UNLOGGED_STATUS:
            return False
        return end is None or (self.status > 0 and (end is DONE or end.who is Who.LOCAL))


def record(context: Context, frontend: Frontend, client: ClientEnd, story: Story, end: Termination) -> None:
    """Count and log a request that has ended. Call it while its connection still counts as open."""
    _count(context, frontend, story, end, client.listener)
    if story.logged:
        client.since = context.clock.ms()
    else:
        _log(context, frontend, client, story, end)


def record_early(context: Context, frontend: Frontend, client: ClientEnd, story: Story, sent: int) -> None:
    """`option logasap`: the head of the response is here, and `sent` bytes of it; what is logged now is not logged again."""
    before, story.sent, story.logged = story.sent, sent, True
    _log(context, frontend, client, story, DONE)
    story.sent = before


def _log(context: Context, frontend: Frontend, client: ClientEnd, story: Story, end: Termination) -> None:
    if frontend.httplog and frontend.log_targets and not (frontend.dontlog_normal and story.is_normal(end)):
        ruled = story.ruled
        if ruled is not None:
            _record_ruled(context, frontend, client, story, end, ruled)
        elif frontend.log_separate_errors and not story.is_normal(end):
            context.log.write_at(frontend.log_targets, _line(context, frontend, client, story, end), _ERR)
        else:
            context.log.write(frontend.log_targets, _line(context, frontend, client, story, end))


def record_unserved(context: Context, frontend: Frontend, client: ClientEnd, story: Story, end: Termination) -> None:
    """The same of what was no request, or was answered before anything was asked of rules."""
    if client.tracking is not None:
        count_unserved(client.tracking, end)
    if context.rulebook is None or not frontend.httplog or not frontend.log_targets:
        record(context, frontend, client, story, end)
        return
    _count(context, frontend, story, end, client.listener)
    if not (frontend.dontlog_normal and story.is_normal(end)):
        level = _ERR if frontend.log_separate_errors and not story.is_normal(end) else -1
        entry = Entry(context, frontend, client, story, end, None)
        write_entry(entry, _line(context, frontend, client, story, end), level)
    client.since = context.clock.ms()


def _record_ruled(
    context: Context, frontend: Frontend, client: ClientEnd, story: Story, end: Termination, ruled: Transaction
) -> None:  # fmt: skip
    """Log a request that rules have seen: it may have a level of its own, or a format."""
    client.since = context.clock.ms()
    if not ruled.logged:
        return
    level = ruled.log_level
    if level < 0 and frontend.log_separate_errors and not story.is_normal(end):
        level = _ERR
    entry = Entry(context, frontend, client, story, end, ruled)
    usual = (
        ''
        if entry.formats is not None and entry.formats.line is not None
        else _line(context, frontend, client, story, end)
    )
    write_entry(entry, usual, level)


def _count(context: Context, frontend: Frontend, story: Story, end: Termination, listener: int) -> None:
    figures, backend = context.figures, story.backend
    server = story.server if story.reached else NOBODY
    answered = story.response_ms >= 0
    theirs = 0 if story.ruled is None else story.ruled.server_status
    context.count_finished(
        story.frontend, backend, server, story.status, story.received, story.sent, answered and not theirs
    )
    if listener != NOBODY:
        figures.listener_moved(listener, story.received, story.sent)
    if theirs:  # what the server has said, whatever rules made of it
        figures.add(C(C.HRSP_1XX - 1 + theirs // 100), figures.server(server))
    if story.reached and answered:
        second = int(context.clock.wall())
        context.count_timed(backend, server, second, story.wait_ms, story.connect_ms, story.response_ms, story.active)
    if end is DONE:
        return  # it counts nothing more; to look that up hashes two enumerations, 1.5 us
    counter = OUTCOMES[end].counter if story.counter is None else story.counter
    if counter is None or (counter is C.INTERCEPTED and _is_elsewhere(context, frontend, backend)):
        return
    if backend == NOBODY or counter not in _BACKEND_ONLY:
        figures.add(counter, figures.frontend(story.frontend))
        if listener != NOBODY:
            figures.add(counter, figures.listener(listener))
    if backend != NOBODY and counter not in _FRONTEND_ONLY:
        figures.add(counter, figures.backend(backend))
        if server != NOBODY:
            figures.add(counter, figures.server(server))
    if end is SERVER_CLOSED_DATA:  # a transfer the server has cut is an erroneous response as well
        figures.add(C.ERESP, figures.backend(backend), figures.server(server))


def _is_elsewhere(context: Context, frontend: Frontend, backend: int) -> bool:
    """Was it no longer the frontend's, but a backend's that is not its other half? Such an interception counts nowhere."""
    known = context.desk.tables.backends.get(backend)
    return known is not None and known.id != frontend.id


def _flags(story: Story, end: Termination) -> str:
    """The termination, and what became of the persistence cookie."""
    if story.cookie is not None:
        return f'{end}{story.cookie}'
    return '----' if end is DONE else f'{end}--'


def _captures(ruled: Transaction) -> str:
    """What was captured of the request and of the response, in braces, where there are slots."""
    shown = ''
    for where, slots in ruled.slots.items():
        if slots:
            values = [ruled.captured(where, number) or b'' for number in range(len(slots))]
            shown += f'{{{"|".join(for_capture(value).decode("latin-1") for value in values)}}} '
    return shown


def _cookies(ruled: Transaction) -> str:
    """What `capture cookie` has kept of the request and of the response."""
    return ' '.join((cookie or b'-').decode('utf-8', 'surrogateescape') for cookie in ruled.cookies)


def _from(client: ClientEnd, story: Story) -> str:
    """Where the request came from, as rules have it."""
    ruled = story.ruled
    return f'{client.address}:{client.port}' if ruled is None else f'{ruled.source()}:{ruled.src_port}'


def _line(context: Context, frontend: Frontend, client: ClientEnd, story: Story, end: Termination) -> str:
    figures, at, cells = context.figures, context.layout, context.cells
    backend_connections = server_connections = 0
    if story.backend != NOBODY:
        # As in HAProxy the request itself has left its backend and server by now, but not its frontend.
        backend_connections = cells[at.BETOTAL + story.backend]
        if story.reached:
            server_connections = cells[at.TOTAL + story.server]
    counts = (
        figures.all_connections(), figures.connections(story.frontend), backend_connections, server_connections,
        story.retries,
    )  # fmt: skip
    return http_line(
        _from(client, story),
        context.log.dates.http(story.wall),
        (frontend.name, story.backend_name or frontend.name, story.server_name),
        (story.request_ms, story.wait_ms, story.connect_ms, story.response_ms, story.active),
        story.status,
        story.sent,
        _flags(story, end),
        counts,
        story.redispatched,
        story.ahead,
        story.line,
        '' if story.ruled is None else _captures(story.ruled),
        '- -' if story.ruled is None else _cookies(story.ruled),
        '+' if frontend.logasap else '',
    )
