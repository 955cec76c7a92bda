"""The first chapter of a request: it is routed, admitted, perhaps queued, and connected to its server.

A `Seeker` is the core's stream with sockets: the desk says what it owns (`life`), `stage` says what it waits for. Every
method is one event and returns in the same loop turn; nothing is awaited. The second chapter is in exchange.py.

    (TARPIT <-) ROUTED -> QUEUED -> CONNECTING <-> TURN_AROUND -> (exchange.py) HEADERS -> BODY or TUNNEL -> OVER

HAProxy's manual, 8.4, names the timers that are noted in `story`; facts of the retry policy are in core/retry.py.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from dataplane.core.counters import C
from dataplane.core.layout import ANY, NOBODY
from dataplane.core.observe import Event
from dataplane.core.outbound import header_of
from dataplane.core.retry import leaves, may_retry, turn_around
from dataplane.core.state import OpState
from dataplane.core.stream import HASHED, Admission
from dataplane.core.termination import CONNECT_REFUSED, NO_RESOURCE, NO_SERVER, QUEUE_FULL, Termination
from dataplane.worker.clock import now_ms
from dataplane.worker.ending import NOSRV
from dataplane.worker.persistence import Persistence
from dataplane.worker.routed import Routed, Stage

if TYPE_CHECKING:
    from dataplane.core.model import Server
    from dataplane.core.outbound import ProxyProtocol
    from dataplane.worker.upstream import Upstream

_NO_RESOURCE: Final = frozenset((
    errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN,
))  # fmt: skip


# named per request: see core/plane.py
_ROUTED: Final = Stage.ROUTED
_QUEUED: Final = Stage.QUEUED
_CONNECTING: Final = Stage.CONNECTING
_ADMITTED: Final = Admission.SLOT
_ROUTE_AGAIN: Final = Admission.ROUTE_AGAIN
_REDIRECTABLE: Final = (b'GET', b'HEAD')


class Seeker(Routed):
    """A request on its way to a server. Its end (`_fail`) and what follows the connection (`_send`) are the exchange's."""

    __slots__ = ()

    # -- routed and admitted -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The head is complete (and `client_body` was called with what came along with it): find a server."""
        context = self._context
        context.count_request(self.story.frontend, self._received_at)
        if context.rulebook is None or self._passes(context.rulebook.frontends.get(self.story.frontend)):
            self._ask()

    def _ask(self) -> None:
        """Choose the route and ask the desk; again while tables change in between, which each time needs a commit."""
        context, admission = self._context, _ROUTE_AGAIN
        while admission is _ROUTE_AGAIN:
            if self.wish >= 0:
                self.wish = ANY  # its cookie is read again: by now that number may be another server's
            self.backend = self.route()
            if self.backend == NOBODY:
                self._fail(NO_SERVER)
                return
            first = self._backend is None
            self._learn_backend()
            if first:
                context.count_selected(self.backend, self._received_at)
            if context.rulebook is not None:
                self._insist(context.rulebook)
                if not self._passes_backend(context.rulebook):
                    return
            admission = self._admit()
        self._act(admission)

    def _admit(self) -> Admission:
        """Ask the desk for a server of its backend."""
        context = self._context
        if context.rulebook is not None:
            self._persist()
            if context.tables:
                self._stick(context.rulebook)
        elif self._jar is not None:
            self._persist()
        if self._client.own is not None and self.wish == ANY:
            self._prefer(self._client.own)
        return context.desk.admit(self)

    def _act(self, admission: Admission) -> None:
        """Do what the desk decided."""
        if admission is _ADMITTED:
            self._assigned()
        elif admission is Admission.WAITING:
            self._wait()
        elif admission is _ROUTE_AGAIN:
            self._ask()
        else:
            self.on_refused(admission)

    def _wait(self) -> None:
        self.stage = _QUEUED
        self._waiting_since = self._context.clock.ms()
        timeout = self.timeouts.queue
        if timeout is not None:
            # One deadline for all the time in queues: who is moved to another queue does not wait anew.
            self._queue_deadline = self._queue_deadline or now_ms() + timeout
            self._context.wheel.arm(self._client.server_timer, self._queue_deadline)

    def _note_wait(self) -> None:
        """Its time in this queue is over; the log wants the sum over all queues, and its last place in each kind."""
        self.story.ahead = (self.position_server, self.position_backend)
        self.story.wait_ms = max(self.story.wait_ms, 0) + self._context.clock.ms() - self._waiting_since

    def on_slot(self) -> None:
        """The wait is over: a slot is reserved on `server`."""
        self._assigned()

    def on_refused(self, why: Admission) -> None:
        """Nobody usable is left, or the queue is full: then the one server it was to have is known."""
        if why is Admission.FULL and self.server != NOBODY and not self.story.reached:
            wished = self._context.desk.tables.servers.get(self.server)
            self.story.server_name = NOSRV if wished is None else wished.name
        self._fail(QUEUE_FULL if why is Admission.FULL else NO_SERVER)

    def on_server_left(self) -> None:
        """Its server takes no more traffic, or its route changed, and nothing was sent: decide anew."""
        self._release_upstream()
        self._client.server_timer.disarm()
        if self.stage is _QUEUED:
            self._note_wait()
        self.stage = _ROUTED
        self._again(NOBODY)

    def _again(self, avoid: int) -> None:
        context = self._context
        admission = context.desk.again(self, avoid)
        if self.backend != NOBODY:
            self._learn_backend()
            if context.rulebook is not None and not self._passes_backend(context.rulebook, waits=False):
                return
        self._act(admission)

    # -- connected ---------------------------------------------------------------------------------------------------

    def _assigned(self) -> None:
        """A slot is reserved on `server`: note what the log and the figures want to know, then connect."""
        context, story = self._context, self.story
        figures, now = context.figures, context.clock.ms()
        self._client.server_timer.disarm()
        self._learn_backend()
        queued = self.stage is _QUEUED
        if queued:
            self._note_wait()
        else:
            story.wait_ms = max(story.wait_ms, 0)
        cookie = story.cookie
        before = story.server if story.reached or cookie is None else cookie.server
        if before not in (NOBODY, self.server):
            story.redispatched = True
            figures.add(C.WREDIS, figures.server(before), figures.backend(self.backend))
        if story.server != self.server or not story.reached:
            context.count_assigned(self.backend, self.server, now, queued or before == self.server)
        story.reached = True
        story.server = self.server
        if cookie is not None:
            cookie.served_by(self.server)
        self._waiting_since = now
        self._connect()

    def _server(self) -> Server | None:
        """The server as the tables describe it; None when they changed within this very loop turn and it is gone."""
        return self._context.desk.tables.servers.get(self.server)

    def _connect(self) -> None:
        """Take an idle connection, or open one."""
        context, client, backend, server = self._context, self._client, self._backend_of(), self._server()
        self.stage = _CONNECTING
        if server is None:
            self._again(NOBODY)
            return
        self.story.server_name = server.name
        if server.redir and self.head.method in _REDIRECTABLE:
            self._send_away(server.redir)
            return
        self._pool = pool = context.pools.of(self.server, server)
        port = client.local_port if self._ruled is None else self._ruled.dst_port
        address = self._destination() if pool.anywhere else ''
        upstream, preface = None, b'' if server.proxy is None else self._preface(server.proxy)
        if not self._must_open:
            upstream = pool.take(backend.http_reuse, client.own, port, preface, address, first=client.requests == 1)
            client.own = None if upstream is client.own else client.own
        if upstream is not None:
            upstream.user = self
            self._upstream = upstream
            self._reused = True
            self.story.connect_ms = 0
            context.count_reused(self.backend, self.server)
            self._send()
            return
        self._reused = False
        self._upstream = pool.open(self, self.generation, port, preface, address)
        timeout = self.timeouts.connect
        if timeout is not None:
            context.wheel.arm(client.server_timer, now_ms() + timeout)

    def _preface(self, settings: ProxyProtocol) -> bytes:
        """What a server with `send-proxy` is told first of all."""
        client, ruled = self._client, self._ruled
        if ruled is None:
            return header_of(settings, (client.address, client.port), (client.local_address, client.local_port))
        unique = (ruled.unique_id() or b'') if settings.unique_id else b''
        return header_of(
            settings, (ruled.source(), ruled.src_port), (ruled.destination(), ruled.dst_port), unique
        )  # fmt: skip

    def on_connected(self) -> None:
        """The server accepted the connection."""
        figures = self._context.figures
        self._client.server_timer.disarm()
        self.story.connect_ms = self._context.clock.ms() - self._waiting_since
        figures.add(C.CONNECT, figures.server(self.server), figures.backend(self.backend))
        if self._pool is not None and self._pool.observer is not None:
            self._pool.observer.note(Event.CONNECTED)
        self._send()

    def _give_back(self, upstream: Upstream) -> None:
        """Keep the connection for a next request, if its server is still what it was when it was opened."""
        pool, client, pools = self._pool, self._client, self._context.pools
        if pool is None or pools.known(self.server) is not pool:
            upstream.shutdown()
            return
        if upstream.held:
            upstream.hold(held=False)  # its next user reads it
        private = upstream.private or self._backend_of().http_reuse == 'never'
        if private and not self._frontend.max_session_srv_conns:
            upstream.shutdown()
        elif pool.give(upstream, self._context.clock.ms(), private=private) and private:
            pools.close(client.own)
            client.own = upstream

    def on_connect_failed(self, error: int) -> None:
        """The server could not be reached; `error` is the errno."""
        self._upstream = None
        self._client.server_timer.disarm()
        self._retry(NO_RESOURCE if error in _NO_RESOURCE else CONNECT_REFUSED)

    def _retry(self, failure: Termination) -> None:
        """A try failed before anything was sent: another one, here or elsewhere, or the end."""
        if failure is not NO_RESOURCE and self._pool is not None and self._pool.observer is not None:
            self._pool.observer.note(Event.UNREACHABLE)
        backend, cells, at = self._backend_of(), self._context.cells, self._context.layout
        attempt = self.story.retries + 1
        if not may_retry(failure, attempt, self.retries, backend.retry_on):
            self._fail(failure)
            return
        self.story.retries = attempt
        active = cells[at.ACTIVE_UP + self.backend]
        self._leaving = self._leaves(attempt)
        pause = turn_around(
            self.timeouts.connect, same_server=not self._leaving, active=active, immediate=failure is NO_RESOURCE
        )
        if not pause:
            self._try_again()
            return
        self.stage = Stage.TURN_AROUND
        self._context.wheel.arm(self._client.server_timer, now_ms() + pause)

    def _leaves(self, attempt: int) -> bool:
        """May this retry go to another server?"""
        backend, cells, at = self._backend_of(), self._context.cells, self._context.layout
        return self.persistence is not Persistence.FORCED and leaves(
            attempt, self.retries, backend.redispatch, state=OpState(cells[at.OPSTATE + self.server]),
            active=cells[at.ACTIVE_UP + self.backend], persistent=self.wish >= 0 and not self._preferred,
            hashed=self.wish <= HASHED,
        )  # fmt: skip

    def _go_elsewhere(self) -> None:
        """Decide anew, with another server than this one if there is any. What a cookie named does not count any more."""
        if self.wish >= 0:
            self._wish_in(self.backend)
        self._again(self.server)

    def _try_again(self) -> None:
        if self._leaving:
            self._go_elsewhere()
            return
        figures = self._context.figures
        figures.add(C.WRETR, figures.server(self.server), figures.backend(self.backend))
        self._connect()

    # -- the other chapter -------------------------------------------------------------------------------------------

    def _send_away(self, prefix: str) -> None:
        """Its server answers nothing itself: the client is told where to go."""
        raise NotImplementedError

    def _send(self) -> None:
        """The connection is there: send the request."""
        raise NotImplementedError

    def _release_upstream(self) -> None:
        """Let the connection go, telling the server."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.shutdown()
