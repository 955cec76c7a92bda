"""One client connection: reads heads, hands requests over one at a time and in order, writes what comes back.

What a client may make this process keep is bounded: a head by `tune.bufsize` less `tune.maxrewrite`, pipelined bytes and a body that has no
server yet by `tune.bufsize`, unsent output as in connection.py. Beyond that the connection is not read, which is what back-pressure is.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from dataplane.core.counters import C
from dataplane.core.layout import NOBODY
from dataplane.core.termination import BAD_REQUEST, CLIENT_LEFT_REQUEST, LOCAL_ANSWER, REQUEST_TIMEOUT, Termination
from dataplane.worker.connection import Connection, Hold, Phase, has_unread
from dataplane.worker.ending import Story, record_unserved
from dataplane.worker.exchange import Exchange
from dataplane.worker.framing import BadBody, Body, body_of
from dataplane.worker.head import BadHead, RequestHead, end_of_head, incomplete, parse_request
from dataplane.worker.pages import empty_page, kept_open, own_page, page, parser_page, without_body
from dataplane.worker.routed import Stage
from dataplane.worker.wheel import Timer

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.worker.context import Context
    from dataplane.worker.sides import Owner

# named per request: see core/plane.py
_IDLE: Final = Phase.IDLE
_HEAD: Final = Phase.HEAD
_BUSY: Final = Phase.BUSY
_BODY: Final = Hold.BODY
_PIPELINE: Final = Hold.PIPELINE


class Client(Connection):
    """Serves the requests of one connection, one at a time and in order."""

    __slots__ = ('_body', 'exchange')

    def __init__(self, context: Context, owner: Owner, index: int, frontend: Frontend, sock: socket.socket) -> None:
        super().__init__(context, owner, index, frontend, sock)
        self.server_timer = Timer(self._server_expired)
        self._body: Body | None = None
        self.own = None
        self.requests = 0
        self.exchange: Exchange | None = None

    # -- the connection ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has taken the accepted socket over."""
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whomever."""
        if self.phase is Phase.CLOSED:
            return
        phase, self.phase = self.phase, Phase.CLOSED
        self._timer.disarm()
        if self.exchange is not None:
            self.exchange.client_gone()
        elif phase is _HEAD or (phase is Phase.FRESH and not self._frontend.dontlognull):
            self._record_unserved(CLIENT_LEFT_REQUEST, 400)
        self._forget()

    def _forget(self) -> None:
        self.phase = Phase.CLOSED
        self.exchange = None
        self._buffer = b''
        self._timer.disarm()
        self.server_timer.disarm()
        self._context.pools.close(self.own)
        self.own = None
        self._owner.parted(self, self._index)

    def eof_received(self) -> bool:
        """The client will send no more; half-closed connections still get the answer they wait for, where configured."""
        self._eof = True
        self.push()  # a transport that is closed after this sends what it has, not what is posted
        if self.exchange is not None:
            return self.exchange.client_eof()
        if self.phase is _HEAD:
            self._refuse(400, CLIENT_LEFT_REQUEST)  # half a request and no more to come: it may still listen
            return False
        if self.phase is Phase.LINGER or not self._buffer:
            return False
        return self.phase is _IDLE  # pipelined requests are still to be served

    # -- heads -------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self.exchange is not None:
            self._during(self.exchange, data)
        elif self.phase <= _HEAD:
            if self._write_paused or (self._buffer and self.phase is _IDLE):
                self._keep_more(data)  # its turn comes after what is pipelined, and after the answers not yet taken
            elif self._context.is_overdue():
                self._put_off(data)
            else:
                self._read_head(data)

    def _read_head(self, data: bytes) -> None:
        known = len(self._buffer)
        if known:
            data = self._buffer + data
        elif data[0] in b'\r\n':
            data = data.lstrip(b'\r\n')
        if not data:
            return
        end = end_of_head(data, max(0, known - 3))
        if self.phase is not _HEAD:
            self._begin_head(whole=end >= 0)
        try:
            if (end if end >= 0 else len(data)) > self._context.head_limit:
                raise BadHead('the request head is too large')
            if end < 0:
                incomplete(data, known)
                self._keep_rest(data)
                return
            head = parse_request(data[:end], self._context.max_fields)
        except BadHead as bad:
            self._context.faults.request(self._frontend, self, data, bad)
            self._refuse(bad.status)
            return
        self._start(head, end, data[end:])

    def _begin_head(self, *, whole: bool) -> None:
        """The first byte is here: `timeout http-request` runs, of a fresh connection since it was accepted; a `whole` head needs none."""
        self._note_first_byte()
        if self.phase is _IDLE and not whole:
            timeouts = self._frontend.timeouts
            self._arm(timeouts.client if timeouts.http_request is None else timeouts.http_request)
        self.phase = _HEAD

    def _await_request(self) -> None:
        """Wait for the first byte of the first request, or of the next one."""
        timeouts = self._frontend.timeouts
        timeout = timeouts.client if timeouts.http_request is None else timeouts.http_request
        if self.phase is _IDLE and timeouts.http_keep_alive is not None:
            timeout = timeouts.http_keep_alive
        self._arm(timeout)

    def _start(self, head: RequestHead, size: int, rest: bytes) -> None:
        """A whole head is here, and perhaps bytes after it."""
        if head.max_forwards == 0:
            self._answer_here(head, rest)
            return
        context = self._context
        self._timer.disarm()
        self.phase = _BUSY
        self.requests += 1
        self._frontend = context.frontend(self._index, self._frontend)
        self.patience = self._frontend.timeouts.client
        exchange = Exchange(context, self, self._index, self._frontend, head, self._began, self._wall)
        if self._frontend.monitor_uri in (head.origin, head.target):
            self._answer_monitor(head, rest, exchange.fails())
            return
        exchange.story.received = size
        if head.length:
            self._body = body = body_of(head.length)
            try:
                payload = body.feed(rest)
            except BadBody as bad:
                self._context.faults.request(self._frontend, self, rest, bad)
                self._refuse(400)
                return
            self._keep_rest(body.rest)
            self.exchange = exchange
            exchange.client_body(payload, done=body.done)
            self._await_body(body)
            if body.more:
                self._pace(body)
        else:
            self._keep_rest(rest)
        self.exchange = exchange
        exchange.begin()

    def _answer_here(self, head: RequestHead, rest: bytes) -> None:
        """OPTIONS that may be forwarded no further (RFC 9110, 7.6.2): this hop is the one it asks about."""
        self.requests += 1
        self._context.count_request(self._index, self._context.clock.ms())
        keep = self._may_keep(head)
        answer = empty_page(head.version, keep=keep)
        story = Story(self._index, self._wall)
        story.asked(head.method, head.target, head.version)
        story.status, story.sent, story.request_ms = 200, len(answer), self._context.clock.ms() - self._began
        self._record(story, LOCAL_ANSWER)
        self._answered(head, answer, rest, keep=keep)

    def _may_keep(self, head: RequestHead) -> bool:
        return head.keep_alive and not head.length and not self._context.stopping

    def _answered(self, head: RequestHead, answer: bytes, rest: bytes, *, keep: bool) -> None:
        self.write(answer)
        self._keep_rest(rest)
        self._after(keep=keep, unread=bool(head.length))

    def _answer_monitor(self, head: RequestHead, rest: bytes, fails: bool) -> None:
        """`monitor-uri`: this proxy says that it is there, or that it `fails`. Nothing is logged, and no rule is asked."""
        figures = self._context.figures
        self._context.count_request(self._index, self._context.clock.ms())
        figures.add(C.INTERCEPTED, figures.frontend(self._index))
        keep = self._may_keep(head)
        status = 503 if fails else 200
        own = own_page(status, None, self._frontend) if fails else None
        keep = keep and (own is None or own.keeping is not None)
        answer = page(status, close=not keep) if own is None else (keep and own.keeping) or own.closing
        answer = kept_open(answer) if keep and not head.version else answer
        answer = without_body(answer) if head.method == b'HEAD' else answer
        figures.finished(self._index, NOBODY, NOBODY, status, len(head.raw), len(answer), answered=False)
        self._answered(head, answer, rest, keep=keep)

    # -- while a request is served -----------------------------------------------------------------------------------

    def _during(self, exchange: Exchange, data: bytes) -> None:
        body = self._body
        if body is not None and not body.done:
            try:
                payload = body.feed(data)
            except BadBody as bad:
                self._context.faults.request(self._frontend, self, data, bad)
                exchange.bad_body()
                return
            self._keep_more(body.rest)
            self._await_body(body)
            exchange.client_body(payload, done=body.done)
            if body.more:
                self._pace(body)
        elif exchange.stage is Stage.TUNNEL:
            exchange.client_tunnel(data)
        else:
            self._keep_more(data)

    def _go_on(self, body: Body) -> None:
        if self._body is body and self.exchange is not None:
            self._during(self.exchange, b'')

    def _keep_more(self, data: bytes) -> None:
        """Keep what was sent beyond this request; served later, and in order."""
        if data:
            self._keep_rest(self._buffer + data)

    def _keep_rest(self, rest: bytes) -> None:
        """All that is kept for later is this; while it is a buffer full, no more is read."""
        self._buffer = rest
        self._hold(_PIPELINE, held=len(rest) >= self._context.bufsize)

    def _await_body(self, body: Body) -> None:
        """While a body is being read, `timeout client` limits each silence."""
        if self._write_paused:
            return
        if body.done:
            self._timer.disarm()
        elif not self._holds:
            self._arm(self.patience)

    def hold_body(self, *, held: bool) -> None:
        """Stop, or go on, reading the request's body (or a tunnel's bytes)."""
        self._hold(_BODY, held=held)
        if not held:
            self.renew()
        elif not self._write_paused:
            self._timer.disarm()

    def renew(self) -> None:
        """The client may be silent anew: it was sent to, or it is read again."""
        if self._body is not None:
            self._await_body(self._body)

    def has_more(self) -> bool:
        """Has the client sent bytes beyond this request?"""
        return bool(self._buffer)

    def take_more(self) -> bytes:
        """Those bytes; they are no request."""
        more = self._buffer
        self._keep_rest(b'')
        return more

    def exchange_done(self, *, keep: bool) -> None:
        """The exchange is over: on with the next request, or close once everything is sent."""
        unread = self._body is not None and not self._body.done
        self.exchange = self._body = None
        self._after(keep=keep and not unread, unread=unread)

    def _after(self, *, keep: bool, unread: bool = False) -> None:
        self.phase = _IDLE
        self._hold(_BODY, held=False)
        if not keep or self._context.closes_idle:
            self.close(linger=unread or bool(self._buffer))
        elif self._buffer:
            self._context.loop.call_soon(self._in_turn)
        elif self._eof:
            self.close(linger=False)
        elif not self._write_paused:
            self._await_request()

    def _next(self) -> None:
        """Serve what was pipelined, unless the client does not even take what it was answered so far."""
        if self.phase > _HEAD or self._write_paused:
            return
        data = self._buffer
        self._keep_rest(b'')
        if data:
            self._read_head(data)
        if self.phase is _IDLE and self._buffer:
            return  # that one was answered here, and the next has its own turn
        if self._eof and self.phase is _HEAD:
            self._refuse(400, CLIENT_LEFT_REQUEST)
        elif self._eof and self.phase is _IDLE:
            self.close(linger=False)
        elif self.phase is _IDLE and not self._write_paused:
            self._await_request()  # nothing but empty lines: no request has begun

    # -- ends --------------------------------------------------------------------------------------------------------

    def _refuse(self, status: int, end: Termination = BAD_REQUEST) -> None:
        """What came is no request that may be served: answer as HAProxy's parser does, and close."""
        answer = parser_page(status) if status in (400, 408) else page(status, close=True)
        self.exchange = self._body = None
        if self.phase is not Phase.FRESH or not self._frontend.dontlognull:
            self._record_unserved(end, status)
        self.write(answer)
        self.close(linger=True)

    def _record_unserved(self, end: Termination, status: int) -> None:
        self._context.count_request(self._index, self._context.clock.ms())
        story = Story(self._index, self._wall)
        story.status = status
        self._record(story, end)

    def _record(self, story: Story, end: Termination) -> None:
        story.active = self._context.clock.ms() - self._began
        record_unserved(self._context, self._frontend, self, story, end)

    def cut(self) -> None:
        """End the connection at once: its answer cannot be completed."""
        self.exchange = self._body = None
        if self.phase is Phase.CLOSED:
            return
        self.push()
        transport = self._transport
        self._forget()
        if transport is not None:
            transport.abort()

    def close_idle(self) -> None:
        """A soft stop: between two requests there is nothing to wait for. One that has come and was not read yet is answered."""
        if self.phase is _IDLE and not self._buffer and not has_unread(self._sock):
            self.close(linger=False)

    def check(self) -> None:
        """While it is not read: has it gone? Called now and then by its owner; a read would not tell."""
        exchange = self.exchange
        if exchange is None or not self._holds:
            return
        if self._owner.is_gone(self._sock, half=not exchange.outlives_eof()):
            exchange.client_gone()
        else:
            self._owner.deaf(self)

    def _congested(self, *, congested: bool) -> None:
        if self.exchange is not None:
            if not congested:
                self.renew()
            self.exchange.client_congested(congested=congested)
        elif not congested and self.phase <= _HEAD:
            self._await_request()
            self._next()

    def _stall_limit(self) -> int | None:
        exchange = self.exchange
        tunnel = None if exchange is None or exchange.stage is not Stage.TUNNEL else exchange
        return super()._stall_limit() if tunnel is None else tunnel.silence

    def _server_expired(self) -> None:
        if self.exchange is not None:
            self.exchange.server_timeout()

    def _expired(self) -> None:
        if self._is_taking():
            return
        if self.exchange is not None:
            self.exchange.client_timeout()
        elif self.phase is Phase.LINGER or self._write_paused:
            self.cut()
        elif self.phase is _IDLE:
            self.close(linger=False)
        elif self.phase is Phase.FRESH and self._frontend.http_ignore_probes:
            self.cut()
        elif self.phase is not Phase.CLOSED:
            self._refuse(408, REQUEST_TIMEOUT)
